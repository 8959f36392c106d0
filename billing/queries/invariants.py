"""What must always hold, as SQL that lists the rows that break it; needs operator scope.

Tests run these after every fault; operators see the same list. A healthy database answers every
one with no rows.
"""

from dataclasses import dataclass

from django.db import connection

from billing.queries.credit_invariants import CREDIT_INVARIANTS
from billing.queries.gauges import TARGETS, mismatches
from billing.queries.money_invariants import MONEY_INVARIANTS

INVARIANTS: dict[str, str] = {
    **CREDIT_INVARIANTS,
    **MONEY_INVARIANTS,
    "each event has one key and each key one event": """
        SELECT coalesce(event.key, known.key)::text, count(event.key)::text
        FROM billing_usageevent event FULL JOIN billing_eventkey known ON known.key = event.key
        GROUP BY coalesce(event.key, known.key)
        HAVING count(event.key) <> 1 OR count(known.key) <> 1""",
    "each event counts once in its bucket": """
        SELECT coalesce(bucket.series_id, said.series_id)::text,
            coalesce(bucket.hour, said.hour)::text
        FROM (
            SELECT series_id, hour, sum(quantity) AS quantity, sum(events) AS events
            FROM billing_usagebucket GROUP BY 1, 2
        ) bucket FULL JOIN (
            SELECT series_id, date_bin('1 hour', at, 'epoch') AS hour, sum(quantity) AS quantity,
                count(*) AS events,
                count(*) FILTER (WHERE kind = 'usage') - count(*) FILTER (WHERE kind = 'void')
                    AS standing
            FROM billing_usageevent GROUP BY 1, 2
        ) said ON said.series_id = bucket.series_id AND said.hour = bucket.hour
        LEFT JOIN billing_series series ON series.id = coalesce(bucket.series_id, said.series_id)
        WHERE coalesce(said.events, 0) <> coalesce(bucket.events, 0)
            OR (series.aggregation = 'sum' AND said.quantity IS DISTINCT FROM bucket.quantity)
            OR (series.aggregation = 'count' AND said.standing IS DISTINCT FROM bucket.quantity)
            """,
    # Events carry no foreign keys: their partitions hold millions.
    "each event is in a series and a period of its own tenant": """
        SELECT event.key::text, event.series_id::text, event.period_id::text
        FROM billing_usageevent event
        LEFT JOIN billing_series series ON series.id = event.series_id
        LEFT JOIN billing_billingperiod period ON period.id = event.period_id
        WHERE series.tenant_id IS DISTINCT FROM event.tenant_id
            OR (event.period_id IS NOT NULL
                AND period.tenant_id IS DISTINCT FROM event.tenant_id)""",
    "a closed period's buckets are charged once each": """
        SELECT bucket.series_id::text, bucket.hour::text, count(segment.id)::text
        FROM billing_billingperiod period
        JOIN billing_usagebucket bucket ON bucket.period_id = period.id
        LEFT JOIN (
            billing_chargesegment segment
            JOIN billing_charge charge ON charge.id = segment.charge_id
        ) ON charge.invoice_id = period.invoice_id AND segment.series_id = bucket.series_id
            AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
        WHERE period.state = 'closed'
        GROUP BY bucket.series_id, bucket.hour, bucket.period_id HAVING count(segment.id) <> 1""",
    "a charge is the sum of its buckets and of its lines": """
        SELECT charge.id::text, charge.quantity::text, held.quantity::text, said.quantity::text
        FROM billing_charge charge
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(bucket.quantity), 0) AS quantity
            FROM billing_chargesegment segment
            JOIN billing_billingperiod period ON period.invoice_id = charge.invoice_id
            JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
                AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
                AND bucket.period_id = period.id
            WHERE segment.charge_id = charge.id
        ) held ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(quantity), 0) AS quantity
            FROM billing_invoiceline WHERE charge_id = charge.id
        ) said ON true
        WHERE charge.quantity <> held.quantity OR charge.quantity <> said.quantity""",
    "billing periods follow one another": """
        SELECT tenant_id::text, starts_at::text FROM (
            SELECT tenant_id, starts_at,
                lag(ends_at) OVER (PARTITION BY tenant_id ORDER BY starts_at) AS before
            FROM billing_billingperiod
        ) placed WHERE before IS NOT NULL AND before <> starts_at""",
    "each ledger transaction sums to zero": """
        SELECT movement.id::text, coalesce(sum(entry.amount), 0)::text
        FROM billing_ledgertransaction movement
        LEFT JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
        GROUP BY movement.id HAVING count(entry.id) < 2 OR sum(entry.amount) <> 0""",
    "each balance is the sum of its entries": """
        SELECT side.id::text, side.balance::text FROM billing_ledgeraccount side
        LEFT JOIN billing_ledgerentry entry ON entry.account_id = side.id
        GROUP BY side.id, side.balance HAVING side.balance <> coalesce(sum(entry.amount), 0)""",
    "an account shows its ledger's wallet and receivable": """
        SELECT account.id::text, account.wallet::text, account.receivable::text
        FROM billing_account account LEFT JOIN billing_ledgeraccount side USING (tenant_id)
        GROUP BY account.id, account.wallet, account.receivable
        HAVING account.wallet <> coalesce(-sum(side.balance) FILTER (WHERE kind = 'wallet'), 0)
            OR account.receivable
                <> coalesce(sum(side.balance) FILTER (WHERE kind = 'receivable'), 0)""",
    "what is held is the sum of active holds": """
        SELECT account.id::text, account.held::text FROM billing_account account
        LEFT JOIN billing_hold hold
            ON hold.tenant_id = account.tenant_id AND hold.state = 'active'
        GROUP BY account.id, account.held HAVING account.held <> coalesce(sum(hold.amount), 0)""",
    "an invoice is the sum of its lines": """
        SELECT invoice.number, invoice.gross::text FROM billing_invoice invoice
        LEFT JOIN billing_invoiceline line ON line.invoice_id = invoice.id
        GROUP BY invoice.id, invoice.number, invoice.net, invoice.tax, invoice.gross,
            invoice.line_count
        HAVING count(line.id) <> invoice.line_count OR sum(line.net) <> invoice.net
            OR sum(line.tax) <> invoice.tax OR sum(line.gross) <> invoice.gross""",
    "an invoice is owed once and paid at most once": """
        SELECT invoice.number, invoice.gross::text FROM billing_invoice invoice
        LEFT JOIN (
            SELECT movement.reference, movement.tenant_id,
                sum(entry.amount) FILTER (WHERE movement.kind = 'invoice') AS owed,
                -sum(entry.amount) FILTER (
                    WHERE movement.kind IN ('settlement', 'credit', 'credit_restored')
                ) AS settled
            FROM billing_ledgertransaction movement
            JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
            JOIN billing_ledgeraccount side
                ON side.id = entry.account_id AND side.kind = 'receivable'
            GROUP BY 1, 2
        ) booked ON booked.reference = invoice.number AND booked.tenant_id = invoice.tenant_id
        LEFT JOIN (
            SELECT invoice_id, sum(amount) AS amount FROM billing_invoicepayment GROUP BY 1
        ) paid ON paid.invoice_id = invoice.id
        WHERE coalesce(booked.owed, 0) <> greatest(invoice.gross, 0)
            OR coalesce(booked.settled, 0) <> coalesce(paid.amount, 0)
            OR coalesce(paid.amount, 0) > greatest(invoice.gross, 0)""",
    "invoice numbers have no gaps and form one chain": """
        SELECT number, sequence::text FROM (
            SELECT number, sequence, previous_hash,
                row_number() OVER series AS place,
                coalesce(lag(content_hash) OVER series, '') AS chained
            FROM billing_invoice
            WINDOW series AS (PARTITION BY issuer, year ORDER BY sequence)
        ) numbered WHERE sequence <> place OR previous_hash <> chained""",
    "a tenant's invoice periods touch and do not overlap": """
        SELECT number, period_start::text FROM (
            SELECT number, period_start,
                lag(period_end) OVER (PARTITION BY tenant_id ORDER BY period_start) AS before
            FROM billing_invoice
        ) placed WHERE before IS NOT NULL AND before <> period_start""",
    "a standing is where its history leads": """
        SELECT standing.id::text, standing.state FROM billing_arrearsstanding standing
        LEFT JOIN (
            SELECT DISTINCT ON (tenant_id) tenant_id, to_state, at FROM billing_arrearsmove
            ORDER BY tenant_id, sequence DESC
        ) last USING (tenant_id)
        WHERE standing.state <> coalesce(last.to_state, 'normal')
            OR standing.state_at < last.at""",
    "each move of a standing begins where the one before ended": """
        SELECT id::text, from_state FROM (
            SELECT id, from_state, sequence,
                row_number() OVER history AS place,
                coalesce(lag(to_state) OVER history, 'normal') AS before
            FROM billing_arrearsmove
            WINDOW history AS (PARTITION BY tenant_id ORDER BY sequence)
        ) chained WHERE from_state <> before OR sequence <> place""",
    "nobody in arrears is without a debt at the last assessment": """
        SELECT id::text, state FROM billing_arrearsstanding
        WHERE state IN ('grace', 'retention', 'released') AND amount_needed <= 0""",
    "an invoice's due date follows its issue by the agreed days": """
        SELECT invoice.number, due.due_at::text FROM billing_invoicedue due
        JOIN billing_invoice invoice ON invoice.id = due.invoice_id
        WHERE due.due_at <> invoice.issued_at + due.payment_days * interval '24 hours'""",
    "every invoice says when it is due": """
        SELECT invoice.number, invoice.issued_at::text FROM billing_invoice invoice
        WHERE NOT EXISTS (
            SELECT FROM billing_invoicedue due WHERE due.invoice_id = invoice.id
        )""",
    "who wrote a contract did not activate it": """
        SELECT number, activated_by FROM billing_contract
        WHERE state <> 'draft' AND CASE WHEN cardinality(authors) = 0
            THEN activated_by_id IS NOT NULL
            ELSE activated_by_id IS NULL OR activated_by_id = ANY (authors) END""",
    "who changed a price list did not publish it": """
        SELECT id::text, published_by FROM billing_priceversion
        WHERE state = 'published' AND CASE WHEN cardinality(authors) = 0
            THEN published_by_id IS NOT NULL
            ELSE published_by_id IS NULL OR published_by_id = ANY (authors) END""",
    "a tax rate that was proposed was approved by somebody else": """
        SELECT rate.id::text, change.proposed_by FROM billing_taxrate rate
        JOIN billing_taxchange change ON change.id = rate.change_id
        WHERE change.state <> 'approved' OR change.decided_by_id = change.proposed_by_id
            OR change.rate <> rate.rate OR change.starts_at <> lower(rate.during)""",
    "agreed terms hold while their contract does": """
        SELECT contract.number, term.id::text FROM billing_contractterm term
        JOIN billing_contract contract ON contract.id = term.contract_id
        WHERE term.in_force IS DISTINCT FROM CASE WHEN contract.state = 'draft' THEN NULL
            ELSE tstzrange(term.starts_at,
                greatest(term.starts_at, least(term.ends_at, contract.ends_at))) END""",
    "two agreed terms never hold for one thing at once": """
        SELECT one.id::text, other.id::text FROM billing_contractterm one
        JOIN billing_contractterm other ON other.tenant_id = one.tenant_id AND other.id > one.id
            AND other.in_force && one.in_force
            AND billing_term_subject(other.kind, other."interval", other.meter, other.sku,
                other.match)
            = billing_term_subject(one.kind, one."interval", one.meter, one.sku, one.match)""",
    "no fapiao stands for more than is there": """
        SELECT invoice.number, billing_fapiao_covered(invoice.id)::text
        FROM billing_invoice invoice
        WHERE billing_fapiao_covered(invoice.id) < 0
            OR billing_fapiao_covered(invoice.id)
                > greatest(invoice.gross - billing_voucher_covered(invoice.id), 0)""",
    "a fapiao is the sum of its lines and of what it covers": """
        SELECT letter.serial, letter.gross::text FROM billing_fapiao letter
        LEFT JOIN (
            SELECT fapiao_id, sum(net) AS net, sum(tax) AS tax, sum(gross) AS gross
            FROM billing_fapiaoline GROUP BY 1
        ) line ON line.fapiao_id = letter.id
        LEFT JOIN (
            SELECT fapiao_id, sum(amount) AS gross FROM billing_fapiaocover GROUP BY 1
        ) cover ON cover.fapiao_id = letter.id
        WHERE letter.net IS DISTINCT FROM line.net OR letter.tax IS DISTINCT FROM line.tax
            OR letter.gross IS DISTINCT FROM line.gross
            OR letter.gross IS DISTINCT FROM cover.gross""",
    "red letters take back no more than their original": """
        SELECT letter.serial, letter.gross::text FROM billing_fapiao letter
        JOIN billing_fapiao red ON red.original_id = letter.id AND red.state <> 'failed'
        GROUP BY letter.id, letter.serial, letter.gross HAVING letter.gross + sum(red.gross) < 0""",
    "a credit note is the sum of its lines, and no line is credited beyond itself": """
        SELECT note.number, note.gross::text FROM billing_creditnote note
        LEFT JOIN billing_creditnoteline line ON line.credit_note_id = note.id
        GROUP BY note.id, note.number, note.net, note.tax, note.gross, note.line_count
        HAVING count(line.id) <> note.line_count OR sum(line.net) <> note.net
            OR sum(line.tax) <> note.tax OR sum(line.gross) <> note.gross
        UNION ALL
        SELECT billed.id::text, billed.gross::text FROM billing_invoiceline billed
        JOIN billing_creditnoteline taken ON taken.invoice_line_id = billed.id
        GROUP BY billed.id, billed.gross HAVING abs(sum(taken.gross)) > abs(billed.gross)""",
    "a credit note's money is in the ledger": """
        SELECT note.number, note.gross::text FROM billing_creditnote note
        LEFT JOIN (
            SELECT movement.idem_key, movement.tenant_id,
                -sum(entry.amount) FILTER (WHERE side.kind = 'receivable') AS due,
                -sum(entry.amount) FILTER (WHERE side.kind = 'wallet') AS wallet
            FROM billing_ledgertransaction movement
            JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
            JOIN billing_ledgeraccount side ON side.id = entry.account_id
            WHERE movement.kind = 'credit_note' GROUP BY 1, 2
        ) booked ON booked.idem_key = 'credit_note:' || note.id
            AND booked.tenant_id = note.tenant_id
        WHERE coalesce(booked.due, 0) <> note.from_due
            OR coalesce(booked.wallet, 0) <> note.to_wallet""",
    "credit note numbers have no gaps and form one chain": """
        SELECT number, sequence::text FROM (
            SELECT number, sequence, previous_hash,
                row_number() OVER series AS place,
                coalesce(lag(content_hash) OVER series, '') AS chained
            FROM billing_creditnote
            WINDOW series AS (PARTITION BY issuer, year ORDER BY sequence)
        ) numbered WHERE sequence <> place OR previous_hash <> chained""",
    "a run's issued item has the tenant's invoice up to the run's end": """
        SELECT item.id::text, item.state FROM billing_invoicerunitem item
        JOIN billing_invoicerun run ON run.id = item.run_id
        LEFT JOIN billing_invoice invoice ON invoice.id = item.invoice_id
        WHERE item.state = 'issued' AND (invoice.id IS NULL
            OR invoice.period_end <> run.period_end OR invoice.tenant_id <> item.tenant_id)""",
    "an adjustment's line says what was agreed to": """
        SELECT line.id::text, line.net::text FROM billing_invoiceline line
        LEFT JOIN billing_adjustment adjustment ON adjustment.invoice_line_id = line.id
        WHERE line.kind = 'adjustment' AND adjustment.net IS DISTINCT FROM line.net""",
    "an invoice is settled by what was paid and what was credited, once": """
        SELECT invoice.number, invoice.gross::text FROM billing_invoice invoice
        LEFT JOIN (
            SELECT invoice_id, sum(amount) AS amount FROM billing_invoicepayment GROUP BY 1
        ) paid ON paid.invoice_id = invoice.id
        LEFT JOIN (
            SELECT invoice_id, sum(from_due) AS due, sum(to_wallet) AS wallet
            FROM billing_creditnote GROUP BY 1
        ) note ON note.invoice_id = invoice.id
        LEFT JOIN (
            SELECT invoice_id, sum(amount) AS amount FROM billing_moneydecision
            WHERE state = 'done' GROUP BY 1
        ) lost ON lost.invoice_id = invoice.id
        WHERE invoice.gross > 0 AND (coalesce(paid.amount, 0) + coalesce(note.due, 0)
                + coalesce(lost.amount, 0) > invoice.gross
            OR coalesce(note.wallet, 0) > coalesce(paid.amount, 0))""",
    "each correction is an event about another event": """
        SELECT coalesce(event.key, said.key)::text, said.corrects::text
        FROM (SELECT * FROM billing_usageevent WHERE kind <> 'usage') event
        FULL JOIN billing_correction said ON said.key = event.key
        LEFT JOIN billing_usageevent about ON about.key = said.corrects
            AND about.at = said.at AND about.series_id = said.series_id
        WHERE event.key IS NULL OR said.key IS NULL OR about.kind IS DISTINCT FROM 'usage'
            OR event.tenant_id <> said.tenant_id OR about.tenant_id <> said.tenant_id
            OR event.kind <> said.kind OR event.quantity <> said.after - said.before
            OR event.at <> said.at OR event.series_id <> said.series_id""",
    "an event and its corrections come to what the last one said": """
        SELECT event.key::text, event.quantity::text, chain.after::text
        FROM (
            SELECT corrects, sum(after - before) AS difference, count(*) AS links,
                max(number) AS last, count(*) FILTER (WHERE kind = 'void') AS voids,
                (array_agg(after ORDER BY number DESC))[1] AS after
            FROM billing_correction GROUP BY corrects
        ) chain LEFT JOIN billing_usageevent event ON event.key = chain.corrects
        WHERE event.quantity + chain.difference IS DISTINCT FROM chain.after
            OR chain.links <> chain.last OR chain.voids > 1""",
    **{
        f"the hours of {kind.value} meters are what their events come to": mismatches(kind)
        for kind in TARGETS
    },
    "each threshold that is reached was told": """
        SELECT budget.id::text, month.month_start::text, reached.threshold::text
        FROM billing_budget budget
        JOIN billing_budgetmonth month ON month.budget_id = budget.id
            AND month.refreshed_at >= budget.changed_at
        CROSS JOIN (VALUES (50), (80), (100)) AS reached (threshold)
        LEFT JOIN billing_budgetalert alert ON alert.budget_id = budget.id
            AND alert.month_start = month.month_start AND alert.threshold = reached.threshold
        WHERE month.spent >= budget.amount * reached.threshold / 100 AND alert.id IS NULL""",
    "what was told of a budget is a notice": """
        SELECT alert.id::text, alert.threshold::text FROM billing_budgetalert alert
        LEFT JOIN tenants_notice notice ON notice.tenant_id = alert.tenant_id
            AND starts_with(notice.key, 'budget:' || alert.budget_id || ':')
            AND notice.detail ->> 'threshold' = alert.threshold::text AND notice.at = alert.at
        WHERE notice.id IS NULL""",
    "an unusual day is a notice": """
        SELECT anomaly.id::text, anomaly.day::text FROM billing_spendanomaly anomaly
        LEFT JOIN tenants_notice notice ON notice.tenant_id = anomaly.tenant_id
            AND notice.key = 'spend.unusual:' || anomaly.day
        WHERE notice.id IS NULL""",
}


@dataclass(frozen=True)
class Breach:
    """One rule that does not hold and some of the rows that show it."""

    invariant: str
    rows: tuple[tuple[str, ...], ...]


def breaches(limit: int = 20) -> tuple[Breach, ...]:
    """The invariants that do not hold; empty for a healthy database."""
    found = []
    with connection.cursor() as cursor:
        for name, query in INVARIANTS.items():
            cursor.execute(f"SELECT * FROM ({query}) broken LIMIT %s", [limit])  # noqa: S608 - our own text
            rows = tuple(tuple(str(value) for value in row) for row in cursor.fetchall())
            if rows:
                found.append(Breach(name, rows))
    return tuple(found)
