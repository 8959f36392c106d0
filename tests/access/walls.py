"""Reads from PostgreSQL's own catalogue whether every tenant table stands behind its walls."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from tenants.scoping import APP_ROLE
from tenants.scoping import OPERATOR_ROLE as OPERATOR
from tests.factories import tenant_models

# Tables and references that stand outside the walls on purpose, each with its reason. They are
# gaps that somebody argued for, so the list is exact: an entry that no longer applies fails too.
OPEN_BY_DESIGN = {
    "compute_claim.profile_id": "pools' profiles belong to no tenant; the claim's trigger refuses "
    "the profile of another one",
    "compute_reservation.profile_id": "paired with the reservation's own claim instead",
    "billing_usageevent.period_id": "like its series: the period is that of the bucket, which "
    "the same statement writes and the database checks",
    "billing_usageevent.series_id": "partitions of millions of rows carry no references; the "
    "series numbers of a batch are read under the tenant's scope in the same command",
}

_SECURITY = """
SELECT c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner)
FROM pg_class c WHERE c.oid = %s::regclass
"""
_POLICIES = (
    "SELECT roles::text[], permissive, qual, with_check, cmd FROM pg_policies WHERE tablename = %s"
)
_GRANTED = "SELECT has_table_privilege(%s, %s, 'SELECT'), has_table_privilege(%s, %s, 'SELECT')"
_WALLED_IN_CATALOGUE = """
SELECT c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
# A partition reached by its own name is not behind its parent's policies.
_OPEN_PARTITIONS = """
SELECT c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE n.nspname = 'public' AND c.relispartition AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
  AND has_table_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
"""
_COMPOSITE = """
SELECT EXISTS (
    SELECT FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conrelid = %s::regclass AND k.confrelid = %s::regclass
      AND k.conkey @> ARRAY[
          (SELECT attnum FROM pg_attribute WHERE attrelid = k.conrelid AND attname = 'tenant_id'),
          (SELECT attnum FROM pg_attribute WHERE attrelid = k.conrelid AND attname = %s)]
      AND k.confkey @> ARRAY[
          (SELECT attnum FROM pg_attribute WHERE attrelid = k.confrelid AND attname = 'tenant_id')])
"""
_ROLES = """
SELECT rolname FROM pg_roles
WHERE rolname IN (%s, %s) AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole)
"""


def faults(connection: BaseDatabaseWrapper) -> list[str]:
    """Every gap in the third and fourth wall, one line each; empty when both stand."""
    found = [
        f"role {name} may do too much"
        for (name,) in _rows(connection, _ROLES, [APP_ROLE, OPERATOR])
    ]
    known = {model._meta.db_table for model in tenant_models()}
    for (table,) in _rows(connection, _WALLED_IN_CATALOGUE, []):
        if table not in known:
            found.append(f"{table} has a tenant_id and belongs to no tenant-owned model")
    for (table,) in _rows(connection, _OPEN_PARTITIONS, [APP_ROLE]):
        found.append(f"{table}: a partition open to {APP_ROLE} under its own name")
    for model in tenant_models():
        found += _table_faults(connection, model._meta.db_table)
        found += _reference_faults(connection, model)
    found += _table_faults(connection, "tenants_organisation")
    return sorted(found)


def unargued(found: list[str]) -> list[str]:
    """The faults nobody argued for."""
    return [fault for fault in found if fault.split(":")[0] not in OPEN_BY_DESIGN]


def _table_faults(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    ((enabled, forced, owner),) = _rows(connection, _SECURITY, [table])
    found = []
    if not enabled:
        found.append(f"{table}: row security is off")
    if not forced:
        found.append(f"{table}: row security is not forced on the owner")
    if owner in {APP_ROLE, OPERATOR}:
        found.append(f"{table}: belongs to {owner}")
    policies = _rows(connection, _POLICIES, [table])
    app = [policy for policy in policies if APP_ROLE in policy[0]]
    if len(app) != 1 or not _narrows(app[0]):
        found.append(f"{table}: {APP_ROLE} is not held to one tenant")
    if not any(OPERATOR in policy[0] for policy in policies):
        found.append(f"{table}: operators have no policy")
    if any("public" in policy[0] for policy in policies):
        found.append(f"{table}: a policy is for everybody")
    ((for_app, for_operator),) = _rows(connection, _GRANTED, [APP_ROLE, table, OPERATOR, table])
    if not (for_app and for_operator):
        found.append(f"{table}: a role has no grant")
    return found


def _narrows(policy: Sequence[Any]) -> bool:
    """One permissive policy for all commands, the same in both directions."""
    _roles, permissive, using, check, command = policy
    both = [clause for clause in (using, check) if clause and "app.tenant_id" in clause]
    return permissive == "PERMISSIVE" and command == "ALL" and len(both) == 2


def _reference_faults(connection: BaseDatabaseWrapper, model: type[Model]) -> list[str]:
    owned = set(tenant_models())
    found = []
    for field in model._meta.fields:
        target = field.related_model
        if target in owned:
            arguments = [model._meta.db_table, target._meta.db_table, field.column]
            ((stands,),) = _rows(connection, _COMPOSITE, arguments)
            if not stands:
                found.append(
                    f"{arguments[0]}.{arguments[2]}: the reference does not carry its tenant"
                )
    return found


def _rows(connection: BaseDatabaseWrapper, statement: str, arguments: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return list(cursor.fetchall())
