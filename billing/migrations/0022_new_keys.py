"""A batch of which nothing is known yet, as most are, keeps its keys in about half the time."""

from django.db import migrations

# A plain insert, without the two further steps a row that ON CONFLICT costs. One key that is known,
# or becomes so by a batch at work beside this one, undoes it whole, and the caller keeps the keys
# one by one. Keys are hashes, so known ones are spread evenly: the more there are, the sooner it
# ends. The function is its caller's own: walls hold, and names are spelled out.
KEEP_NEW_KEYS = """
CREATE FUNCTION billing_keep_new_keys(tenant uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.billing_eventkey (key, tenant_id, payload, at)
        SELECT key, tenant, payload, at FROM pg_temp.billing_stage ORDER BY key;
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION billing_keep_new_keys(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION billing_keep_new_keys(uuid) TO acp_app, acp_operator;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0021_credits_by_two")]

    operations = [
        migrations.RunSQL(KEEP_NEW_KEYS, "DROP FUNCTION billing_keep_new_keys(uuid)"),
    ]
