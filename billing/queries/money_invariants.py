"""What must always hold of money that left a wallet and of debts that ended; as ``invariants``."""

MONEY_INVARIANTS: dict[str, str] = {
    "what two people decided about money is what the ledger booked": """
        SELECT decision.id::text, decision.kind FROM billing_moneydecision decision
        LEFT JOIN billing_ledgertransaction movement ON movement.id = decision.transaction_id
            AND movement.tenant_id = decision.tenant_id AND movement.kind = decision.kind
        LEFT JOIN LATERAL (
            SELECT sum(entry.amount) FILTER (WHERE entry.amount > 0) AS amount
            FROM billing_ledgerentry entry WHERE entry.transaction_id = movement.id
        ) moved ON true
        WHERE decision.state = 'done' AND (moved.amount IS DISTINCT FROM decision.amount
            OR CASE WHEN decision.proposed_by_id IS NULL THEN decision.decided_by_id IS NOT NULL
                ELSE decision.decided_by_id IS NULL
                    OR decision.decided_by_id = decision.proposed_by_id END)
        UNION ALL
        SELECT movement.id::text, movement.kind FROM billing_ledgertransaction movement
        WHERE movement.kind IN ('top_up_reversal', 'pay_out', 'write_off', 'write_off_recovery')
            AND NOT EXISTS (
                SELECT FROM billing_moneydecision decision
                WHERE decision.transaction_id = movement.id AND decision.state = 'done')""",
    "lost debts are what was written off and not recovered": """
        SELECT account.tenant_id::text, coalesce(side.balance, 0)::text FROM billing_account account
        LEFT JOIN billing_ledgeraccount side
            ON side.tenant_id = account.tenant_id AND side.kind = 'bad_debt'
        LEFT JOIN (
            SELECT tenant_id, sum(CASE kind WHEN 'write_off' THEN amount ELSE -amount END) AS lost
            FROM billing_moneydecision
            WHERE state = 'done' AND kind IN ('write_off', 'write_off_recovery') GROUP BY 1
        ) decided ON decided.tenant_id = account.tenant_id
        WHERE coalesce(side.balance, 0) <> coalesce(decided.lost, 0)""",
    "no more leaves a top-up or a debt than there was of it": """
        SELECT top_up_id::text, sum(amount)::text FROM billing_moneydecision
        WHERE state = 'done' AND top_up_id IS NOT NULL
        GROUP BY top_up_id HAVING billing_topup_amount(top_up_id) < 0 OR count(*) > 1
        UNION ALL
        SELECT lost.id::text, sum(back.amount)::text FROM billing_moneydecision lost
        JOIN billing_moneydecision back ON back.write_off_id = lost.id AND back.state = 'done'
        GROUP BY lost.id, lost.amount, lost.state
        HAVING lost.state <> 'done' OR sum(back.amount) > lost.amount""",
    "an account owes what is open of its invoices and of claims": """
        SELECT account.tenant_id::text, account.receivable::text FROM billing_account account
        LEFT JOIN (
            SELECT invoice.tenant_id, sum(invoice.gross - coalesce(paid.amount, 0)
                - coalesce(note.amount, 0) - coalesce(lost.amount, 0)) AS open
            FROM billing_invoice invoice
            LEFT JOIN (
                SELECT invoice_id, sum(amount) AS amount FROM billing_invoicepayment GROUP BY 1
            ) paid ON paid.invoice_id = invoice.id
            LEFT JOIN (
                SELECT invoice_id, sum(from_due) AS amount FROM billing_creditnote GROUP BY 1
            ) note ON note.invoice_id = invoice.id
            LEFT JOIN (
                SELECT invoice_id, sum(amount) AS amount FROM billing_moneydecision
                WHERE state = 'done' GROUP BY 1
            ) lost ON lost.invoice_id = invoice.id
            WHERE invoice.gross > 0 GROUP BY invoice.tenant_id
        ) bills ON bills.tenant_id = account.tenant_id
        LEFT JOIN (
            -- What the city took back of a paid claim, beyond what the wallet held.
            SELECT movement.tenant_id, sum(entry.amount) AS open
            FROM billing_ledgertransaction movement
            JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
            JOIN billing_ledgeraccount side
                ON side.id = entry.account_id AND side.kind = 'receivable'
            WHERE movement.kind IN ('settlement_returned', 'shortfall_paid')
            GROUP BY movement.tenant_id
        ) claims ON claims.tenant_id = account.tenant_id
        WHERE account.receivable <> coalesce(bills.open, 0) + coalesce(claims.open, 0)""",
}
