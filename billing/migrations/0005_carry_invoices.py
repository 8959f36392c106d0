"""What was used and invoiced before billing periods were kept, told in them."""

import hashlib
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations

CLOSED = """
INSERT INTO billing_billingperiod (tenant_id, starts_at, ends_at, state, invoice_id, closed_at)
SELECT tenant_id, period_start, period_end, 'closed', id, issued_at FROM billing_invoice
"""
# The months of the centre's calendar from the last invoice, or the first usage, to the last usage.
OPEN = """
INSERT INTO billing_billingperiod (tenant_id, starts_at, ends_at, state)
SELECT used.tenant_id, greatest(month.first AT TIME ZONE %(zone)s, used.open_from),
    (month.first + interval '1 month') AT TIME ZONE %(zone)s, 'open'
FROM (
    SELECT bucket.tenant_id, max(bucket.hour) AS last_hour, coalesce(max(issued.period_end),
        date_trunc('month', min(bucket.hour) AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s)
        AS open_from
    FROM billing_usagebucket bucket
    LEFT JOIN (SELECT tenant_id, max(period_end) AS period_end FROM billing_invoice GROUP BY 1)
        issued USING (tenant_id)
    GROUP BY 1
) used
CROSS JOIN LATERAL generate_series(
    date_trunc('month', used.open_from AT TIME ZONE %(zone)s),
    greatest(used.last_hour, used.open_from) AT TIME ZONE %(zone)s, '1 month') AS month (first)
WHERE (month.first + interval '1 month') AT TIME ZONE %(zone)s > used.open_from
"""
# A bucket falls apart into what each invoice billed of it and what none has billed yet; its events
# are counted with the first part.
BUCKETS = """
CREATE TEMPORARY TABLE carried_bucket ON COMMIT DROP AS
SELECT part.series_id, part.hour, part.period_id, part.tenant_id, part.quantity,
    CASE WHEN row_number() OVER (PARTITION BY part.series_id, part.hour ORDER BY part.period_id) = 1
        THEN bucket.events ELSE 0 END AS events
FROM (
    SELECT piece.series_id, piece.hour, period.id AS period_id, piece.tenant_id,
        sum(piece.quantity)::bigint AS quantity
    FROM billing_allocation piece
    JOIN billing_invoiceline line ON line.id = piece.line_id
    JOIN billing_billingperiod period ON period.invoice_id = line.invoice_id
    GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT bucket.series_id, bucket.hour, coalesce(own.id, oldest.id), bucket.tenant_id,
        bucket.quantity - bucket.billed_quantity
    FROM billing_usagebucket bucket
    LEFT JOIN billing_billingperiod own ON own.tenant_id = bucket.tenant_id
        AND own.state = 'open' AND bucket.hour >= own.starts_at AND bucket.hour < own.ends_at
    LEFT JOIN LATERAL (
        SELECT id FROM billing_billingperiod
        WHERE tenant_id = bucket.tenant_id AND state = 'open' ORDER BY starts_at LIMIT 1
    ) oldest ON true
    WHERE bucket.quantity > bucket.billed_quantity OR bucket.quantity = 0
) part
JOIN billing_usagebucket bucket USING (series_id, hour);
ALTER TABLE billing_usagebucket DROP CONSTRAINT billing_usagebucket_pkey;
DELETE FROM billing_usagebucket;
INSERT INTO billing_usagebucket (series_id, hour, period_id, tenant_id, quantity, events)
SELECT series_id, hour, period_id, tenant_id, quantity, events FROM carried_bucket;
"""
LINES = """
SELECT id, tenant_id, price_id, tax_rate, project_id, dimensions, service_from
FROM billing_invoiceline
"""
CHARGES = """
INSERT INTO billing_charge
    (id, tenant_id, invoice_id, key, price_id, quantity, service_from, service_to)
SELECT line.id, line.tenant_id, line.invoice_id, said.key, line.price_id, line.quantity,
    line.service_from, line.service_to
FROM billing_invoiceline line
JOIN unnest(%s::uuid[], %s::uuid[]) AS said (line_id, key) ON said.line_id = line.id
"""
SEGMENTS = """
INSERT INTO billing_chargesegment (tenant_id, charge_id, series_id, starts_at, ends_at)
SELECT tenant_id, line_id, series_id, hour, hour + interval '1 hour' FROM billing_allocation
"""
# Issued lines do not change; this says of them in columns what their only shape implied before.
NAME_CHARGES = """
ALTER TABLE billing_invoiceline DISABLE TRIGGER billing_invoiceline_append_only;
UPDATE billing_invoiceline
    SET charge_id = id, priced_quantity = quantity, list_unit_price = unit_price;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE billing_invoiceline ENABLE TRIGGER billing_invoiceline_append_only;
"""


def carry(apps, schema_editor):
    """Periods, then the buckets in them, then charges and the hours they are made of."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(CLOSED)
        cursor.execute(OPEN, {"zone": settings.CENTRE_TIME_ZONE})
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(BUCKETS)
        cursor.execute(LINES)
        keys = {row[0]: running_key(*row[2:]) for row in cursor.fetchall()}
        cursor.execute(CHARGES, [list(keys), list(keys.values())])
        cursor.execute(SEGMENTS)
        cursor.execute(NAME_CHARGES)


def running_key(price_id, tax_rate, project_id, dimensions, service_from):
    """The digest of ``billing.rating.RunningKey`` as it was when this migration was written."""
    shown = json.loads(dimensions) if isinstance(dimensions, str) else dimensions
    local = service_from.astimezone(ZoneInfo(settings.CENTRE_TIME_ZONE))
    month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    canonical = json.dumps(
        [
            str(price_id),
            "",
            f"{Decimal(tax_rate).normalize():f}",
            str(project_id or ""),
            sorted(shown.items()),
            int(month.timestamp()),
        ],
        ensure_ascii=False,
    )
    return hashlib.md5(canonical.encode(), usedforsecurity=False).hexdigest()


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_periods_and_charges")]

    operations = [migrations.RunPython(carry, migrations.RunPython.noop)]
