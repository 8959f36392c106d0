"""What the centre gives, one person proposes and another approves; the database keeps it."""

from django.db import migrations, models

STATES = [
    ("proposed", "Proposed"),
    ("rejected", "Rejected"),
    ("issued", "Issued"),
    ("active", "Active"),
    ("exhausted", "Used up"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
]
# Who reviewed what waits now was kept by name; the audit trail knows the person.
REVIEWERS = """
CREATE POLICY who_reviewed ON tenants_auditentry FOR SELECT TO CURRENT_USER USING (true);
UPDATE billing_voucherapplication application SET reviewed_by_id = (
    SELECT entry.actor_id FROM tenants_auditentry entry
    WHERE entry.subject = 'billing.voucher_application:' || application.id
        AND entry.action = 'billing.voucher_application.reviewed'
    ORDER BY entry.at DESC LIMIT 1
) WHERE application.state = 'reviewed';
DROP POLICY who_reviewed ON tenants_auditentry;
"""
LAWS = """
GRANT UPDATE (approved_by, approved_by_id, approved_at) ON billing_creditlot
    TO acp_app, acp_operator;
GRANT UPDATE (reviewed_by_id, decided_by_id) ON billing_voucherapplication
    TO acp_app, acp_operator;

DROP TRIGGER billing_creditlot_moves ON billing_creditlot;
CREATE TRIGGER billing_creditlot_moves BEFORE UPDATE ON billing_creditlot FOR EACH ROW
    EXECUTE FUNCTION billing_legal_move('proposed>issued', 'proposed>active', 'proposed>rejected',
        'issued>active', 'issued>expired', 'issued>revoked', 'active>exhausted', 'active>expired',
        'active>revoked', 'exhausted>active');

CREATE OR REPLACE FUNCTION billing_creditlot_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.remaining := NEW.face;
    IF NEW.state NOT IN ('proposed', 'issued', 'active') THEN
        RAISE EXCEPTION 'a credit begins proposed, issued or active'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

-- What nobody proposed was sold, or made by the product, and needs nobody. What was reviewed before
-- anybody was kept stays as it is.
ALTER TABLE billing_creditlot ADD CONSTRAINT billing_creditlot_four_eyes CHECK (
    CASE WHEN state IN ('proposed', 'rejected')
            THEN proposed_by_id IS NOT NULL AND approved_by_id IS NULL
        WHEN proposed_by_id IS NULL THEN approved_by_id IS NULL
        ELSE approved_by_id IS NOT NULL AND approved_by_id <> proposed_by_id END);
ALTER TABLE billing_voucherapplication ADD CONSTRAINT billing_voucherapplication_four_eyes CHECK (
    state <> 'granted' OR CASE WHEN reviewed_by_id IS NULL THEN decided_by_id IS NULL
        ELSE decided_by_id IS NOT NULL AND decided_by_id <> reviewed_by_id END);

CREATE FUNCTION billing_who_agreed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'billing_creditlot' THEN
        IF OLD.state <> 'proposed' AND ROW(NEW.approved_by_id, NEW.approved_at)
            IS DISTINCT FROM ROW(OLD.approved_by_id, OLD.approved_at) THEN
            RAISE EXCEPTION 'who agreed to a credit is not forgotten'
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF OLD.state <> 'submitted' AND NEW.reviewed_by_id IS DISTINCT FROM OLD.reviewed_by_id
        OR OLD.state IN ('granted', 'rejected')
        AND NEW.decided_by_id IS DISTINCT FROM OLD.decided_by_id THEN
        RAISE EXCEPTION 'who looked at an application is not forgotten'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_creditlot_who_agreed BEFORE UPDATE ON billing_creditlot
    FOR EACH ROW EXECUTE FUNCTION billing_who_agreed();
CREATE TRIGGER billing_voucherapplication_who_agreed BEFORE UPDATE ON billing_voucherapplication
    FOR EACH ROW EXECUTE FUNCTION billing_who_agreed();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0021_contracts_by_two"), ("tenants", "0005_notices")]

    operations = [
        *[
            migrations.AddField(model_name=model, name=name, field=models.UUIDField(null=True))
            for model, name in (
                ("creditlot", "proposed_by_id"),
                ("creditlot", "approved_by_id"),
                ("voucherapplication", "reviewed_by_id"),
                ("voucherapplication", "decided_by_id"),
            )
        ],
        migrations.AddField(
            model_name="creditlot",
            name="approved_by",
            field=models.CharField(blank=True, default="", max_length=200),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="creditlot", name="approved_at", field=models.DateTimeField(null=True)
        ),
        migrations.AlterField(
            model_name="creditlot",
            name="state",
            field=models.CharField(choices=STATES, max_length=20),
        ),
        migrations.RemoveConstraint(model_name="creditlot", name="billing_creditlot_words"),
        migrations.AddConstraint(
            model_name="creditlot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ["package", "voucher", "promo"]),
                    ("state__in", [code for code, _title in STATES]),
                    ("funder__in", ["government", "centre", "tenant"]),
                    ("mode__in", ["instant", "reimburse"]),
                    ("after_expiry__in", ["grace", "lapse"]),
                    ("scope__in", ["sku", "meter", "service", "any"]),
                ),
                name="billing_creditlot_words",
            ),
        ),
        migrations.RunSQL(REVIEWERS, migrations.RunSQL.noop),
        migrations.RunSQL(LAWS, migrations.RunSQL.noop),
    ]
