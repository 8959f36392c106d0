"""Walls of the arrears tables, the moves the database lets happen, and the first tiers."""

from datetime import UTC, datetime

from django.db import migrations

from tenants import walls

TENANT_TABLES = ("arrearsterms", "arrearsstanding", "arrearsmove", "spendsample", "invoicedue")

# The same table as billing.arrears.TRANSITIONS; a test compares the two.
MOVES = """
CREATE FUNCTION billing_arrears_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'normal' THEN
            RAISE EXCEPTION 'a standing begins as normal' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.tenant_id <> OLD.tenant_id THEN
        RAISE EXCEPTION 'a standing stays with its tenant' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF NOT (NEW.state = ANY (CASE OLD.state
        WHEN 'normal' THEN ARRAY['warning', 'urgent', 'grace']
        WHEN 'warning' THEN ARRAY['normal', 'urgent', 'grace']
        WHEN 'urgent' THEN ARRAY['normal', 'warning', 'grace']
        WHEN 'grace' THEN ARRAY['normal', 'warning', 'urgent', 'retention']
        WHEN 'retention' THEN ARRAY['normal', 'warning', 'urgent', 'released']
        WHEN 'released' THEN ARRAY['normal', 'warning', 'urgent']
        ELSE ARRAY[]::text[] END)) THEN
        RAISE EXCEPTION 'a standing does not move from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state_at < OLD.state_at THEN
        RAISE EXCEPTION 'a standing does not move backwards in time'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'retention'
        AND NEW.state_at < least(NEW.on_demand_freeze_at, NEW.reserved_freeze_at)
    THEN
        RAISE EXCEPTION 'the grace period is not over' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'released'
        AND NEW.state_at < greatest(NEW.on_demand_release_at, NEW.reserved_release_at)
    THEN
        RAISE EXCEPTION 'the retention is not over' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_arrearsstanding_moves BEFORE INSERT OR UPDATE ON billing_arrearsstanding
    FOR EACH ROW EXECUTE FUNCTION billing_arrears_moves();
REVOKE DELETE ON billing_arrearsstanding, billing_arrearsterms FROM acp_app, acp_operator;
REVOKE INSERT, UPDATE, DELETE ON billing_arrearstier, billing_arrearsfigures FROM acp_app;
REVOKE INSERT, UPDATE ON billing_arrearsterms FROM acp_app;
"""

# Hours of grace and retention on demand, then reserved; and where the figures come from.
DAY = 24
PUBLISHED = "Huawei Cloud customer tiers, read August 2026"
TIERS = (
    ("standard", "Standard", "标准", True, (1, 7, 7, 7), "Default of this product"),
    ("v0", "V0", "V0", False, (0, 1, 1, 1), PUBLISHED),
    ("v1", "V1", "V1", False, (0, 7, 1, 7), PUBLISHED),
    ("v2", "V2", "V2", False, (0, 7, 1, 7), PUBLISHED),
    ("v3", "V3", "V3", False, (1, 7, 7, 7), PUBLISHED),
    ("v4", "V4", "V4", False, (7, 15, 7, 15), PUBLISHED),
    ("v5", "V5", "V5", False, (7, 15, 7, 15), PUBLISHED),
)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def make_tiers(apps, schema_editor):
    tier_model = apps.get_model("billing", "ArrearsTier")
    figures_model = apps.get_model("billing", "ArrearsFigures")
    database = schema_editor.connection.alias
    for position, (code, title_en, title_zh, is_default, days, source) in enumerate(TIERS):
        tier = tier_model.objects.using(database).create(
            code=code,
            title_en=title_en,
            title_zh=title_zh,
            position=position,
            is_default=is_default,
        )
        figures_model.objects.using(database).create(
            tier=tier,
            effective_at=LONG_AGO,
            on_demand_grace_hours=days[0] * DAY,
            on_demand_retention_hours=days[1] * DAY,
            reserved_grace_hours=days[2] * DAY,
            reserved_retention_hours=days[3] * DAY,
            warning_days=3,
            urgent_days=1,
            checkpoint_minutes=10,
            payment_days=15,
            source=source,
        )


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_arrears")]

    operations = [
        *[walls.tenant_wall(f"billing_{table}") for table in TENANT_TABLES],
        walls.tenant_reference("billing_invoicedue", "invoice_id", "billing_invoice"),
        walls.append_only("billing_arrearsmove"),
        walls.append_only("billing_invoicedue"),
        walls.append_only("billing_arrearsfigures"),
        migrations.RunSQL(MOVES, migrations.RunSQL.noop),
        migrations.RunPython(make_tiers, migrations.RunPython.noop, elidable=False),
    ]
