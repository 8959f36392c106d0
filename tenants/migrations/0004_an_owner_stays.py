"""An organisation that had an owner keeps one: checked at commit, also beside a second session."""

from django.db import migrations

# Deferred, so that a hand-over may demote one and promote the other in either order. The advisory
# lock queues sessions that each remove one of the last two owners; the second then sees the first
# one's work. By the time of the commit the tenant's scope has ended, so the function names the
# tenant itself and puts back what was there before. A setting attached to the function would do
# that too, but PostgreSQL lets only a superuser attach one of this kind.
GUARD = """
CREATE FUNCTION tenants_an_owner_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := coalesce(current_setting('app.tenant_id', true), '');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tenants.owner:' || OLD.tenant_id, 0));
    PERFORM set_config('app.tenant_id', OLD.tenant_id::text, true);
    IF NOT EXISTS (
        SELECT FROM tenants_membership WHERE tenant_id = OLD.tenant_id AND role = 'owner'
    ) THEN
        RAISE EXCEPTION 'organisation % would have no owner', OLD.tenant_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'tenants_membership_an_owner_stays';
    END IF;
    PERFORM set_config('app.tenant_id', before, true);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER tenants_membership_an_owner_stays
    AFTER UPDATE OR DELETE ON tenants_membership
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION tenants_an_owner_stays();
"""

UNDO = """
DROP TRIGGER tenants_membership_an_owner_stays ON tenants_membership;
DROP FUNCTION tenants_an_owner_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_mail_queue_and_sealed_answers")]

    operations = [migrations.RunSQL(GUARD, UNDO)]
