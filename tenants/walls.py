"""The database's half of tenancy, as migration operations: row security and composite keys."""

from django.db.migrations import RunSQL

ROLES = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acp_app') THEN
        CREATE ROLE acp_app NOLOGIN NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'acp_operator') THEN
        CREATE ROLE acp_operator NOLOGIN NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of the same server made them at the same moment
END
$$;
GRANT USAGE ON SCHEMA public TO acp_app, acp_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO acp_app, acp_operator;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO acp_app, acp_operator;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO acp_app, acp_operator;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO acp_app, acp_operator;
"""

CURRENT_TENANT = "(SELECT NULLIF(current_setting('app.tenant_id', true), '')::uuid)"


def roles() -> RunSQL:
    """Create the two roles the application works as, and what they may do by default."""
    return RunSQL(ROLES, RunSQL.noop)


def tenant_wall(table: str, column: str = "tenant_id") -> RunSQL:
    """Force row security on a tenant's table and give its rows a composite identity.

    The sub-select makes PostgreSQL evaluate the setting once a statement instead of once a row.
    """
    unique = (
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_tenant_key UNIQUE (tenant_id, id);"
        if column == "tenant_id"
        else ""
    )
    return RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant_wall ON {table} TO acp_app
            USING ({column} = {CURRENT_TENANT}) WITH CHECK ({column} = {CURRENT_TENANT});
        CREATE POLICY operator_view ON {table} TO acp_operator USING (true) WITH CHECK (true);
        {unique}
        """,
        RunSQL.noop,
    )


def tenant_reference(table: str, column: str, target: str) -> RunSQL:
    """Make a foreign key carry its tenant: row security alone does not guard references."""
    name = f"{table}_{column}_tenant_fk"[:63]
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, {column}) "
        f"REFERENCES {target} (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE;",
        RunSQL.noop,
    )


def owner_upkeep(table: str) -> RunSQL:
    """Let the tables' owner see every row: triggers with its rights keep this table.

    Forced row security binds the owner too, and the owner of production is no superuser.
    """
    return RunSQL(
        f"CREATE POLICY owner_upkeep ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)",
        RunSQL.noop,
    )


def append_only(table: str) -> RunSQL:
    """Refuse every UPDATE and DELETE, whoever asks; corrections are new rows."""
    return RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION acp_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are append-only', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END
        $$;
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION acp_refuse_change();
        REVOKE UPDATE, DELETE ON {table} FROM acp_app, acp_operator;
        """,
        RunSQL.noop,
    )
