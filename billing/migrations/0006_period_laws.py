"""What the database refuses of periods and charges: use billed twice, left out, or added late."""

import django.db.models.deletion
from django.db import migrations, models

from tenants import walls

DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp"

REPLACED = """
DROP TRIGGER billing_invoiceline_sum ON billing_invoiceline;
DROP FUNCTION billing_invoiceline_sum();
DROP TABLE billing_allocation;
DROP FUNCTION billing_allocation_bills();
ALTER TABLE billing_invoiceline
    ALTER COLUMN priced_quantity SET NOT NULL, ALTER COLUMN list_unit_price SET NOT NULL;
"""

BUCKETS = """
DROP INDEX billing_usagebucket_month;
ALTER TABLE billing_usagebucket
    DROP COLUMN billed_quantity,
    ALTER COLUMN period_id SET NOT NULL,
    ADD CONSTRAINT billing_usagebucket_pkey PRIMARY KEY (series_id, hour, period_id);
CREATE INDEX billing_usagebucket_period ON billing_usagebucket (period_id, series_id, hour);
GRANT UPDATE (quantity, events, period_id) ON billing_usagebucket TO acp_app, acp_operator;
"""

PERIODS = f"""
ALTER TABLE billing_billingperiod ADD CONSTRAINT billing_billingperiod_no_overlap
    EXCLUDE USING gist (billing_point(tenant_id) WITH &&, tstzrange(starts_at, ends_at) WITH &&);
REVOKE UPDATE, DELETE ON billing_billingperiod FROM acp_app, acp_operator;
GRANT UPDATE (ends_at, state, invoice_id, closed_at) ON billing_billingperiod
    TO acp_app, acp_operator;

CREATE FUNCTION billing_period_moves() RETURNS trigger {DEFINER} AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a billing period stays' USING ERRCODE = 'restrict_violation';
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' OR EXISTS (
            SELECT FROM billing_billingperiod WHERE tenant_id = NEW.tenant_id
                AND state = 'closed' AND ends_at > NEW.starts_at
        ) THEN
            RAISE EXCEPTION 'a billing period opens after the closed ones'
                USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.state = 'closed' OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at > OLD.ends_at
        OR NEW.tenant_id <> OLD.tenant_id OR NEW.root_id IS DISTINCT FROM OLD.root_id THEN
        RAISE EXCEPTION 'a closed billing period does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_period_moves BEFORE INSERT OR UPDATE OR DELETE ON billing_billingperiod
    FOR EACH ROW EXECUTE FUNCTION billing_period_moves();

-- Locked before it is looked at: a period that somebody is closing is waited for.
CREATE FUNCTION billing_bucket_open() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM FROM billing_billingperiod WHERE id IN (SELECT DISTINCT period_id FROM touched)
        ORDER BY id FOR SHARE;
    IF EXISTS (
        SELECT FROM billing_billingperiod period
        WHERE id IN (SELECT DISTINCT period_id FROM touched) AND state <> 'open'
    ) THEN
        RAISE EXCEPTION 'a closed billing period takes no more usage'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'billing_bucket_open';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_bucket_comes AFTER INSERT ON billing_usagebucket
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing_bucket_open();
CREATE TRIGGER billing_bucket_changes_from AFTER UPDATE ON billing_usagebucket
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing_bucket_open();
CREATE TRIGGER billing_bucket_changes_to AFTER UPDATE ON billing_usagebucket
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing_bucket_open();
CREATE TRIGGER billing_bucket_goes AFTER DELETE ON billing_usagebucket
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing_bucket_open();
"""

CHARGES = f"""
CREATE FUNCTION billing_invoiceline_sum() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM billing_invoice_whole(invoice_id) FROM (SELECT DISTINCT invoice_id FROM fresh) touched;
    IF EXISTS (
        SELECT FROM fresh JOIN billing_charge charge ON charge.id = fresh.charge_id
        WHERE charge.invoice_id <> fresh.invoice_id
    ) THEN
        RAISE EXCEPTION 'a line stands on the invoice of its charge'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_invoiceline_sum AFTER INSERT ON billing_invoiceline
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION billing_invoiceline_sum();

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

-- Everything used in an invoice's periods stands in exactly one of its charges, and each charge is
-- the sum of its buckets and of its lines.
CREATE FUNCTION billing_invoice_covers(invoice_key uuid) RETURNS void {DEFINER} AS $$
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
CREATE FUNCTION billing_period_covered() RETURNS trigger {DEFINER} AS $$
BEGIN
    PERFORM billing_invoice_covers(invoice_id)
        FROM (SELECT DISTINCT invoice_id FROM fresh WHERE invoice_id IS NOT NULL) closed;
    RETURN NULL;
END
$$;
CREATE TRIGGER billing_period_covered AFTER UPDATE ON billing_billingperiod
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION billing_period_covered();
REVOKE ALL ON FUNCTION billing_invoice_covers(uuid) FROM PUBLIC;
"""

BUCKET_STATE = [
    migrations.DeleteModel(name="UsageBucket"),
    migrations.CreateModel(
        name="UsageBucket",
        fields=[
            (
                "pk",
                models.CompositePrimaryKey(
                    "series_id",
                    "hour",
                    "period_id",
                    blank=True,
                    editable=False,
                    primary_key=True,
                    serialize=False,
                ),
            ),
            (
                "series",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="+",
                    to="billing.series",
                ),
            ),
            ("hour", models.DateTimeField()),
            (
                "period",
                models.ForeignKey(
                    db_constraint=False,
                    db_index=False,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="+",
                    to="billing.billingperiod",
                ),
            ),
            (
                "tenant",
                models.ForeignKey(
                    db_index=False,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="+",
                    to="tenants.organisation",
                ),
            ),
            ("quantity", models.BigIntegerField()),
            ("events", models.BigIntegerField()),
        ],
        options={
            "indexes": [
                models.Index(
                    fields=["period", "series", "hour"], name="billing_usagebucket_period"
                )
            ],
        },
    ),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_carry_invoices"), ("tenants", "0002_walls")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                *BUCKET_STATE,
                migrations.DeleteModel(name="Allocation"),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="priced_quantity",
                    field=models.BigIntegerField(),
                ),
                migrations.AlterField(
                    model_name="invoiceline",
                    name="list_unit_price",
                    field=models.DecimalField(decimal_places=15, max_digits=30),
                ),
            ],
            database_operations=[
                migrations.RunSQL(statement, migrations.RunSQL.noop)
                for statement in (REPLACED, BUCKETS)
            ],
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("charge__isnull", False), ("kind", "usage"), ("price__isnull", False)),
                    models.Q(
                        ("charge", None), ("kind__in", ["true_up", "adjustment"]), ("price", None)
                    ),
                    _connector="OR",
                ),
                name="billing_invoiceline_kind",
            ),
        ),
        *[
            operation
            for table in ("billingperiod", "charge", "chargesegment")
            for operation in (
                walls.tenant_wall(f"billing_{table}"),
                walls.owner_upkeep(f"billing_{table}"),
            )
        ],
        walls.tenant_reference("billing_billingperiod", "invoice_id", "billing_invoice"),
        walls.tenant_reference("billing_billingperiod", "root_id", "billing_billingperiod"),
        walls.tenant_reference("billing_usagebucket", "period_id", "billing_billingperiod"),
        walls.tenant_reference("billing_charge", "invoice_id", "billing_invoice"),
        walls.tenant_reference("billing_chargesegment", "charge_id", "billing_charge"),
        walls.tenant_reference("billing_chargesegment", "series_id", "billing_series"),
        walls.tenant_reference("billing_invoiceline", "charge_id", "billing_charge"),
        walls.append_only("billing_charge"),
        walls.append_only("billing_chargesegment"),
        migrations.RunSQL(PERIODS, migrations.RunSQL.noop),
        migrations.RunSQL(CHARGES, migrations.RunSQL.noop),
    ]
