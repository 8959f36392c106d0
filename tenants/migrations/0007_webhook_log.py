"""Old deliveries and their attempts go by one function; nothing that still waits can go."""

from django.db import migrations, models

from tenants import walls

LAWS = """
-- No role may delete a message or a call by itself; this takes the oldest finished ones, with their
-- calls, and leaves to each endpoint that was not removed the newest that failed.
CREATE FUNCTION tenants_retire_deliveries(before timestamptz, keep integer, at_most integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    old uuid[];
BEGIN
    SELECT array_agg(id) INTO old FROM (
        SELECT delivery.id FROM tenants_webhookdelivery delivery
        WHERE delivery.state <> 'pending' AND delivery.finished_at < before
            AND delivery.id NOT IN (
                SELECT failed.id FROM tenants_webhookendpoint endpoint
                CROSS JOIN LATERAL (
                    SELECT newest.id FROM tenants_webhookdelivery newest
                    WHERE newest.endpoint_id = endpoint.id AND newest.state = 'failed'
                    ORDER BY newest.id DESC LIMIT keep
                ) failed
                WHERE endpoint.state <> 'removed')
        ORDER BY delivery.finished_at LIMIT at_most FOR UPDATE SKIP LOCKED
    ) found;
    DELETE FROM tenants_webhookattempt WHERE delivery_id = ANY (old);
    DELETE FROM tenants_webhookdelivery WHERE id = ANY (old);
    RETURN coalesce(cardinality(old), 0);
END
$$;
REVOKE ALL ON FUNCTION tenants_retire_deliveries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenants_retire_deliveries TO acp_operator;

CREATE FUNCTION tenants_call_is_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (
        SELECT FROM tenants_webhookdelivery delivery
        WHERE delivery.id = OLD.delivery_id AND delivery.state = 'pending'
    ) THEN
        RAISE EXCEPTION 'rows of % are append-only', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;
DROP TRIGGER tenants_webhookattempt_append_only ON tenants_webhookattempt;
CREATE TRIGGER tenants_webhookattempt_append_only BEFORE UPDATE OR DELETE
    ON tenants_webhookattempt FOR EACH ROW EXECUTE FUNCTION tenants_call_is_kept();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_webhooks")]

    operations = [
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("state", "pending"), _negated=True),
                fields=["finished_at"],
                name="tenants_webhookdelivery_old",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("state", "failed")),
                fields=["endpoint", "-id"],
                name="tenants_webhookdelivery_failed",
            ),
        ),
        walls.owner_upkeep("tenants_webhookendpoint"),
        walls.owner_upkeep("tenants_webhookdelivery"),
        walls.owner_upkeep("tenants_webhookattempt"),
        migrations.RunSQL(LAWS, migrations.RunSQL.noop),
    ]
