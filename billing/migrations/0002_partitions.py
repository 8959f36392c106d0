"""The two hot tables, partitioned: event keys by hash, events by the day of service."""

from django.db import migrations

from tenants.walls import CURRENT_TENANT, append_only

KEY_PARTITIONS = 16


def wall(table: str) -> str:
    return f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant_wall ON {table} TO acp_app
            USING (tenant_id = {CURRENT_TENANT}) WITH CHECK (tenant_id = {CURRENT_TENANT});
        CREATE POLICY operator_view ON {table} TO acp_operator USING (true) WITH CHECK (true);
    """


# A partition is reached through its parent only: row security of the parent does not guard a
# statement that names the partition itself, so there it has no policy and no grant at all.
CLOSED = """
    ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
    ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
    REVOKE ALL ON {table} FROM acp_app, acp_operator;
"""

KEYS = """
CREATE TABLE billing_eventkey (
    key uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL,
    payload uuid NOT NULL
) PARTITION BY HASH (key);
""" + "".join(
    f"CREATE TABLE billing_eventkey_{n:02d} PARTITION OF billing_eventkey "
    f"FOR VALUES WITH (MODULUS {KEY_PARTITIONS}, REMAINDER {n});"
    + CLOSED.format(table=f"billing_eventkey_{n:02d}")
    for n in range(KEY_PARTITIONS)
)

EVENTS = """
CREATE TABLE billing_usageevent (
    key uuid NOT NULL,
    tenant_id uuid NOT NULL,
    series_id bigint NOT NULL,
    at timestamptz NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    source text NOT NULL,
    event_id text NOT NULL,
    subject text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    xact xid8 NOT NULL DEFAULT pg_current_xact_id()
) PARTITION BY RANGE (at);
CREATE INDEX billing_usageevent_at ON billing_usageevent USING brin (at);
CREATE INDEX billing_usageevent_series ON billing_usageevent (series_id, at);
CREATE INDEX billing_usageevent_received ON billing_usageevent USING brin (received_at);

CREATE FUNCTION billing_open_event_days(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
    partition text;
BEGIN
    IF cardinality(days) > 100 THEN
        RAISE EXCEPTION 'at most 100 days at a time';
    END IF;
    FOREACH day IN ARRAY days LOOP
        partition := 'billing_usageevent_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext('billing_usageevent'));
        -- Somebody else may have made it while we waited. The catalogue is read as rows, because
        -- a wait for an advisory lock does not refresh the cache that to_regclass answers from.
        PERFORM FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace;
        CONTINUE WHEN FOUND;
        EXECUTE format('CREATE TABLE %I (LIKE billing_usageevent INCLUDING DEFAULTS '
                       'INCLUDING CONSTRAINTS)', partition);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
        EXECUTE format('REVOKE ALL ON %I FROM acp_app, acp_operator', partition);
        -- Attaching, unlike creating in place, lets readers and writers of other days go on.
        EXECUTE format('ALTER TABLE billing_usageevent ATTACH PARTITION %I '
                       'FOR VALUES FROM (%L) TO (%L)', partition,
                       day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION billing_open_event_days(date[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION billing_open_event_days(date[]) TO acp_app, acp_operator;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("tenants", "0002_walls")]

    operations = [
        migrations.RunSQL(
            KEYS + wall("billing_eventkey"), "DROP TABLE IF EXISTS billing_eventkey"
        ),
        migrations.RunSQL(
            EVENTS + wall("billing_usageevent"),
            "DROP FUNCTION IF EXISTS billing_open_event_days(date[]);"
            "DROP TABLE IF EXISTS billing_usageevent",
        ),
        append_only("billing_eventkey"),
        append_only("billing_usageevent"),
    ]
