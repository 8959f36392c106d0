"""The laws of an invoice stay what they are, and are asked once where they were asked row by row."""

import django.db.models.deletion
from django.db import migrations, models

DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

CLOSED_BY_ROW = f"""
DROP TRIGGER billing_charge_before_closing ON billing_charge;
DROP FUNCTION billing_charge_before_closing();
CREATE FUNCTION billing_charge_before_closing() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_billingperiod period WHERE period.invoice_id = NEW.invoice_id
    ) THEN
        RAISE EXCEPTION 'an issued invoice takes no more charges'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_charge_before_closing AFTER INSERT ON billing_charge
    FOR EACH ROW EXECUTE FUNCTION billing_charge_before_closing();
"""

CLOSED_BY_STATEMENT = f"""
DROP TRIGGER billing_charge_before_closing ON billing_charge;
DROP FUNCTION billing_charge_before_closing();
CREATE FUNCTION billing_charge_before_closing() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_billingperiod period
        WHERE period.invoice_id IN (SELECT invoice_id FROM fresh)
    ) THEN
        RAISE EXCEPTION 'an issued invoice takes no more charges'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_charge_before_closing AFTER INSERT ON billing_charge
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
    EXECUTE FUNCTION billing_charge_before_closing();
"""

COVERS_JOINED = f"""
CREATE OR REPLACE FUNCTION billing_invoice_covers(invoice_key uuid) RETURNS void {DEFINER} AS $$
DECLARE
    used bigint;
    covered bigint;
    is_apart boolean;
BEGIN
    SELECT count(*) INTO used FROM billing_billingperiod period
        JOIN billing_usagebucket bucket ON bucket.period_id = period.id
        WHERE period.invoice_id = invoice_key;
    SELECT coalesce(sum(buckets), 0), coalesce(bool_or(held <> said OR said <> lined), false)
        INTO covered, is_apart
    FROM (
        SELECT charge.id, charge.quantity AS said, count(bucket.hour) AS buckets,
            coalesce(sum(bucket.quantity), 0) AS held,
            (SELECT coalesce(sum(line.quantity), 0) FROM billing_invoiceline line
                WHERE line.charge_id = charge.id) AS lined
        FROM billing_charge charge
        LEFT JOIN billing_chargesegment segment ON segment.charge_id = charge.id
        LEFT JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
            AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
            AND bucket.period_id IN (
                SELECT period.id FROM billing_billingperiod period
                WHERE period.invoice_id = invoice_key)
        WHERE charge.invoice_id = invoice_key
        GROUP BY charge.id, charge.quantity
    ) charged;
    IF used <> covered OR is_apart OR EXISTS (
        SELECT FROM (
            SELECT segment.starts_at, lag(segment.ends_at) OVER (
                PARTITION BY segment.series_id ORDER BY segment.starts_at) AS before
            FROM billing_chargesegment segment
            JOIN billing_charge charge ON charge.id = segment.charge_id
            WHERE charge.invoice_id = invoice_key
        ) placed WHERE before > starts_at
    ) THEN
        RAISE EXCEPTION 'an invoice charges everything used in its periods once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_invoice_covers';
    END IF;
END
$$;
"""

# Each stretch of hours is summed by itself; joined, ten thousand buckets are sorted to sum them.
COVERS_APART = f"""
CREATE OR REPLACE FUNCTION billing_invoice_covers(invoice_key uuid) RETURNS void {DEFINER} AS $$
DECLARE
    periods bigint[] := ARRAY(
        SELECT id FROM billing_billingperiod WHERE invoice_id = invoice_key);
    used bigint;
    covered bigint;
    is_apart boolean;
BEGIN
    SELECT count(*) INTO used FROM billing_usagebucket WHERE period_id = ANY(periods);
    SELECT coalesce(sum(buckets), 0), coalesce(bool_or(held <> said OR said <> lined), false)
        INTO covered, is_apart
    FROM (
        SELECT charge.quantity AS said, coalesce(sum(part.buckets), 0) AS buckets,
            coalesce(sum(part.quantity), 0) AS held,
            (SELECT coalesce(sum(line.quantity), 0) FROM billing_invoiceline line
                WHERE line.charge_id = charge.id) AS lined
        FROM billing_charge charge
        LEFT JOIN billing_chargesegment segment ON segment.charge_id = charge.id
        LEFT JOIN LATERAL (
            SELECT count(*) AS buckets, sum(bucket.quantity) AS quantity
            FROM billing_usagebucket bucket
            WHERE bucket.series_id = segment.series_id AND bucket.period_id = ANY(periods)
                AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
        ) part ON true
        WHERE charge.invoice_id = invoice_key
        GROUP BY charge.id, charge.quantity
    ) charged;
    IF used <> covered OR is_apart OR EXISTS (
        SELECT FROM (
            SELECT segment.starts_at, lag(segment.ends_at) OVER (
                PARTITION BY segment.series_id ORDER BY segment.starts_at) AS before
            FROM billing_chargesegment segment
            JOIN billing_charge charge ON charge.id = segment.charge_id
            WHERE charge.invoice_id = invoice_key
        ) placed WHERE before > starts_at
    ) THEN
        RAISE EXCEPTION 'an invoice charges everything used in its periods once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_invoice_covers';
    END IF;
END
$$;
"""


def _by_tenant(model: str, name: str, **options: object) -> migrations.AlterField:
    """References that carry the tenant stay; the bare id and the tenant alone ask for less."""
    field = models.ForeignKey(
        db_constraint=False, on_delete=django.db.models.deletion.PROTECT, **options
    )
    return migrations.AlterField(model_name=model, name=name, field=field)


class Migration(migrations.Migration):
    dependencies = [("billing", "0025_buckets_by_tenant")]

    operations = [
        *[
            _by_tenant(model, "tenant", related_name="+", to="tenants.organisation")
            for model in ("charge", "chargesegment", "invoiceline")
        ],
        _by_tenant("charge", "invoice", related_name="charges", to="billing.invoice"),
        _by_tenant("chargesegment", "charge", related_name="segments", to="billing.charge"),
        _by_tenant(
            "chargesegment", "series", related_name="+", to="billing.series", db_index=False
        ),
        _by_tenant("invoiceline", "invoice", related_name="lines", to="billing.invoice"),
        _by_tenant("invoiceline", "charge", related_name="lines", to="billing.charge", null=True),
        migrations.RunSQL(CLOSED_BY_STATEMENT, CLOSED_BY_ROW),
        migrations.RunSQL(COVERS_APART, COVERS_JOINED),
    ]
