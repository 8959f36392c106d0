"""A contract is activated by somebody who did not write it; the database refuses the same person."""

import django.contrib.postgres.fields
from django.db import migrations, models

# Who wrote a draft was kept by name; the audit trail knows the person. What is active already was
# agreed under the old rule and stays.
AUTHORS = """
CREATE POLICY who_wrote_contracts ON tenants_auditentry FOR SELECT TO CURRENT_USER USING (true);
UPDATE billing_contract contract SET authors = coalesce((
    SELECT array_agg(DISTINCT entry.actor_id) FROM tenants_auditentry entry
    WHERE entry.subject = 'billing.contract:' || contract.id AND entry.actor_id IS NOT NULL
        AND entry.action IN ('billing.contract.drafted', 'billing.contract.changed')
), '{}') WHERE contract.state = 'draft';
DROP POLICY who_wrote_contracts ON tenants_auditentry;
"""

FOUR_EYES = """
ALTER TABLE billing_contract ADD CONSTRAINT billing_contract_four_eyes CHECK (
    state = 'draft' OR CASE WHEN cardinality(authors) = 0 THEN activated_by_id IS NULL
        ELSE activated_by_id IS NOT NULL AND NOT activated_by_id = ANY (authors) END);

CREATE OR REPLACE FUNCTION billing_contract_moves() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'a contract begins as a draft' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'draft' AND (TG_OP = 'DELETE' OR OLD.state = 'ended' OR NEW.state <> 'ended'
        OR NEW.ends_at > OLD.ends_at
        OR ROW(NEW.tenant_id, NEW.number, NEW.title, NEW.currency, NEW.starts_at, NEW.activated_at,
            NEW.authors, NEW.activated_by_id)
            IS DISTINCT FROM ROW(OLD.tenant_id, OLD.number, OLD.title, OLD.currency,
                OLD.starts_at, OLD.activated_at, OLD.authors, OLD.activated_by_id)) THEN
        RAISE EXCEPTION 'an agreed contract only ends' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NOT NEW.authors @> OLD.authors THEN
        RAISE EXCEPTION 'who wrote a contract is not forgotten'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'active' AND EXISTS (
        SELECT FROM billing_contractterm term WHERE term.contract_id = NEW.id AND (
            term.starts_at < NEW.starts_at OR term.ends_at > NEW.ends_at
            OR term.starts_at < billing_open_from(NEW.tenant_id))
    ) OR NEW.state = 'ended' AND OLD.state = 'active' AND NEW.ends_at < OLD.ends_at
        AND NEW.ends_at < billing_open_from(NEW.tenant_id) THEN
        RAISE EXCEPTION 'contract terms lie in the contract and never reach into a closed period'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_contract_open_hours';
    END IF;
    RETURN NEW;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0019_due_at_issue"), ("tenants", "0005_notices")]

    operations = [
        migrations.AddField(
            model_name="contract",
            name="authors",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="contract",
            name="activated_by_id",
            field=models.UUIDField(null=True),
        ),
        migrations.RunSQL(AUTHORS, migrations.RunSQL.noop),
        migrations.RunSQL(FOUR_EYES, migrations.RunSQL.noop),
    ]
