"""What must always hold, as SQL that lists the rows that break it; needs operator scope.

Tests run these after every fault; operators see the same list. A healthy database answers every
one with no rows.
"""

from dataclasses import dataclass

from django.db import connection

from billing.queries.gauges import TARGETS, mismatches

INVARIANTS: dict[str, str] = {
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
                -sum(entry.amount) FILTER (WHERE movement.kind = 'settlement') AS settled
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
