"""What must always hold between tenants, asked of every row and of PostgreSQL's own catalogue.

Nothing here names a table: what has a ``tenant_id`` belongs to a tenant, whichever app made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from tenants.scoping import APP_ROLE, OPERATOR_ROLE, operator_scope

MOST_EXAMPLES = 20

_OWNED = """
owned AS (
    SELECT class.oid, class.relname, class.relispartition, class.relrowsecurity,
        class.relforcerowsecurity, attribute.attnum, attribute.attnotnull
    FROM pg_class class
    JOIN pg_attribute attribute ON attribute.attrelid = class.oid
        AND attribute.attname = 'tenant_id' AND NOT attribute.attisdropped
    WHERE class.relkind IN ('r', 'p') AND class.relnamespace = 'public'::regnamespace
)"""

# Each foreign key between two tenant-owned tables, as the columns that say which row is meant; the
# tenant itself is left out, so that a key that carries it and one that does not are asked alike.
# Columns that name no row without the tenant, such as its account's currency, cannot name another
# tenant's.
_REFERENCES = f"""
WITH {_OWNED}, said AS (
    SELECT holder.relname AS holder, target.relname AS target, target.attnotnull,
        array_agg(one.attname ORDER BY one.attname) AS columns,
        array_agg(other.attname ORDER BY one.attname) AS targets,
        bool_or(carried.tenant) AS carries,
        NOT bool_or(carried.tenant) OR EXISTS (
            SELECT FROM pg_index WHERE indrelid = target.oid AND indisunique AND indpred IS NULL
                AND indkey::int2[] <@ array_agg(other.attnum)
        ) AS names_row
    FROM pg_constraint
    JOIN owned holder ON holder.oid = conrelid AND NOT holder.relispartition
    JOIN owned target ON target.oid = confrelid
    CROSS JOIN LATERAL (SELECT conkey @> ARRAY[holder.attnum] AS tenant) carried
    CROSS JOIN LATERAL unnest(conkey, confkey) AS pair (here, there)
    JOIN pg_attribute one ON one.attrelid = conrelid AND one.attnum = here
        AND one.attname <> 'tenant_id'
    JOIN pg_attribute other ON other.attrelid = confrelid AND other.attnum = there
    WHERE contype = 'f' GROUP BY pg_constraint.oid, target.oid, 1, 2, 3
), reference AS (
    SELECT holder, target, attnotnull, columns, targets, bool_or(carries) AS carries
    FROM said WHERE names_row GROUP BY 1, 2, 3, 4, 5
)"""  # noqa: S608 - of this module's own text

# Writes the statement that asks the rows of every reference.
_ASKS_ROWS = f"""{_REFERENCES}
SELECT string_agg(format(
    'SELECT %L || concat_ws('','', %s) FROM public.%I holder JOIN public.%I target ON %s '
        'WHERE target.tenant_id <> holder.tenant_id',
    format('%s.%s ', holder, array_to_string(columns, ',')),
    (SELECT string_agg(format('holder.%I', name), ', ') FROM unnest(columns) name),
    holder, target,
    (SELECT string_agg(format('target.%I = holder.%I', there, here), ' AND ')
        FROM unnest(columns, targets) AS pair (here, there))
), ' UNION ALL ') FROM reference
"""  # noqa: S608 - of this module's own text

ROWS_RULE = "no row refers to another tenant's row"

# Each gives the subjects that break the rule it is named after.
CHECKS: Mapping[str, str] = {
    ROWS_RULE: _ASKS_ROWS,
    # What may be nobody's, such as the calendar of a pool, cannot be named together with a tenant;
    # and a key that repeats another row's values instead of its id is asked by the rule above only.
    "a reference to a tenant's row carries the tenant": f"""{_REFERENCES}
        SELECT format('%s.%s', holder, array_to_string(columns, ','))
        FROM reference WHERE attnotnull AND NOT carries AND targets = ARRAY['id'::name]
    """,  # noqa: S608 - of this module's own text
    "every tenant's table is behind its walls": f"""
        WITH {_OWNED}, walled AS (
            SELECT oid, relname, relrowsecurity, relforcerowsecurity FROM owned
            WHERE NOT relispartition
            UNION ALL
            SELECT oid, relname, relrowsecurity, relforcerowsecurity FROM pg_class
            WHERE oid = 'public.tenants_organisation'::regclass
        )
        SELECT relname || ': row security is off or does not bind the owner' FROM walled
        WHERE NOT (relrowsecurity AND relforcerowsecurity)
        UNION ALL
        SELECT relname || ': {APP_ROLE} is not held to one tenant' FROM walled
        WHERE (
            SELECT array_agg(permissive = 'PERMISSIVE' AND cmd = 'ALL'
                AND qual LIKE '%app.tenant_id%' AND with_check LIKE '%app.tenant_id%')
            FROM pg_policies WHERE schemaname = 'public' AND tablename = relname
                AND roles @> ARRAY['{APP_ROLE}'::name]
        ) IS DISTINCT FROM ARRAY[true]
        UNION ALL
        SELECT relname || ': {OPERATOR_ROLE} has no policy' FROM walled
        WHERE NOT EXISTS (
            SELECT FROM pg_policies WHERE schemaname = 'public' AND tablename = relname
                AND roles @> ARRAY['{OPERATOR_ROLE}'::name])
        UNION ALL
        SELECT relname || ': a policy is for everybody' FROM walled
        WHERE EXISTS (
            SELECT FROM pg_policies WHERE schemaname = 'public' AND tablename = relname
                AND roles @> ARRAY['public'::name])
        UNION ALL
        SELECT relname || ': a partition is open under its own name' FROM owned
        WHERE relispartition AND NOT (relrowsecurity AND relforcerowsecurity)
            AND has_table_privilege('{APP_ROLE}', oid, 'SELECT, INSERT, UPDATE, DELETE')
    """,  # noqa: S608 - of this module's own text
}


@dataclass(frozen=True)
class Breach:
    """One rule that does not hold, with some of what breaks it."""

    rule: str
    subjects: tuple[str, ...]


def breaches() -> tuple[Breach, ...]:
    """Every rule that does not hold now; no table is left out, so big ones take their time."""
    found = []
    with operator_scope():
        for rule, statement in CHECKS.items():
            asked = _answers(statement)[0] if rule == ROWS_RULE else statement
            subjects = _answers(f"SELECT * FROM ({asked}) broken LIMIT {MOST_EXAMPLES}")  # noqa: S608 - of this module and of the catalogue's own names
            if subjects:
                found.append(Breach(rule, subjects))
    return tuple(found)


def _answers(statement: str) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(str(answer) for (answer,) in cursor.fetchall())
