"""What must always hold of credits, as SQL that lists the rows that break it."""

CREDIT_INVARIANTS: dict[str, str] = {
    "what remains of a credit is its face less its uses": """
        SELECT lot.id::text, lot.remaining::text FROM billing_creditlot lot
        LEFT JOIN billing_credituse used ON used.lot_id = lot.id
        GROUP BY lot.id, lot.remaining, lot.face
        HAVING lot.remaining <> lot.face - coalesce(sum(used.amount), 0)
            OR lot.remaining NOT BETWEEN 0 AND lot.face""",
    "credits pay no more of a line than it costs": """
        SELECT line.id::text, line.gross::text FROM billing_invoiceline line
        JOIN billing_credituse used ON used.invoice_line_id = line.id
        JOIN billing_creditlot lot ON lot.id = used.lot_id AND lot.kind <> 'package'
        GROUP BY line.id, line.gross HAVING sum(used.amount) NOT BETWEEN 0 AND line.gross""",
    "the uses of a credit are what the ledger booked for it": """
        SELECT movement.id::text, movement.kind FROM billing_ledgertransaction movement
        LEFT JOIN (
            SELECT entry.transaction_id, sum(entry.amount) AS amount FROM billing_ledgerentry entry
            JOIN billing_ledgeraccount side
                ON side.id = entry.account_id AND side.kind = 'receivable'
            GROUP BY 1
        ) booked ON booked.transaction_id = movement.id
        LEFT JOIN (
            SELECT transaction_id, sum(amount) AS amount FROM billing_credituse GROUP BY 1
        ) used ON used.transaction_id = movement.id
        WHERE movement.kind IN ('credit', 'credit_restored')
            AND coalesce(booked.amount, 0) <> -coalesce(used.amount, 0)""",
    "the liability of vouchers is what is left of them": """
        SELECT coalesce(side.tenant_id, left_over.tenant_id)::text, side.balance::text
        FROM (SELECT * FROM billing_ledgeraccount WHERE kind = 'voucher_liability') side
        FULL JOIN (
            SELECT tenant_id, sum(remaining) AS amount FROM billing_creditlot
            WHERE kind = 'voucher' AND funder = 'government' AND mode = 'instant'
                AND state IN ('issued', 'active', 'exhausted')
            GROUP BY 1
        ) left_over ON left_over.tenant_id = side.tenant_id
        WHERE coalesce(side.balance, 0) <> -coalesce(left_over.amount, 0)""",
    "deferred revenue is what packages have still to earn": """
        SELECT coalesce(side.tenant_id, unearned.tenant_id)::text, side.balance::text
        FROM (SELECT * FROM billing_ledgeraccount WHERE kind = 'deferred_revenue') side
        FULL JOIN (
            SELECT tenant_id,
                sum(price_net - round(price_net * (face - remaining) / face, 2)) AS amount
            FROM billing_creditlot
            WHERE kind = 'package' AND state IN ('issued', 'active', 'exhausted')
            GROUP BY 1
        ) unearned ON unearned.tenant_id = side.tenant_id
        WHERE coalesce(side.balance, 0) <> -coalesce(unearned.amount, 0)""",
    "a scheme's caps count what is redeemed and what is pending": """
        SELECT coalesce(cap.tenant_id, counted.tenant_id)::text, cap.committed::text
        FROM billing_vouchercap cap
        FULL JOIN (
            SELECT scheme_id, tenant_id, year, sum(amount) AS amount FROM (
                SELECT scheme_id, tenant_id, cap_year AS year, amount
                FROM billing_voucherapplication WHERE state IN ('submitted', 'reviewed')
                UNION ALL
                SELECT scheme_id, tenant_id, cap_year,
                    CASE WHEN state IN ('issued', 'active', 'exhausted') THEN face
                        ELSE face - remaining END
                FROM billing_creditlot WHERE scheme_id IS NOT NULL
            ) parts GROUP BY 1, 2, 3
        ) counted ON counted.scheme_id = cap.scheme_id AND counted.tenant_id = cap.tenant_id
            AND counted.year = cap.year
        WHERE coalesce(cap.committed, 0) <> coalesce(counted.amount, 0)
        UNION ALL
        SELECT scheme.code, scheme.committed::text FROM billing_voucherscheme scheme
        LEFT JOIN billing_vouchercap cap ON cap.scheme_id = scheme.id
        GROUP BY scheme.id, scheme.code, scheme.committed
        HAVING scheme.committed <> coalesce(sum(cap.committed), 0)""",
    "a settlement batch is the sum of its rows": """
        SELECT batch.id::text, batch.total::text FROM billing_settlementbatch batch
        LEFT JOIN billing_settlementrow piece ON piece.batch_id = batch.id
        LEFT JOIN billing_credituse used ON used.id = piece.use_id
        GROUP BY batch.id, batch.total, batch.row_count
        HAVING batch.total <> coalesce(sum(used.amount), 0)
            OR batch.row_count <> count(piece.id)""",
}
