"""Who took cards or called models, so that costs can be said by person."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection


@dataclass(frozen=True)
class Person:
    """Somebody costs are said of, whether or not they still belong to the tenant."""

    id: UUID
    name: str


# A key takes cards for the person who made it.
TAKERS = """
SELECT taken.id, person.id, coalesce(nullif(person.display_name, ''), person.email)
FROM (
    SELECT id, created_by FROM compute_workload
    WHERE tenant_id = %(tenant)s AND id = ANY(%(workloads)s)
    UNION ALL
    SELECT id, created_by FROM compute_reservation
    WHERE tenant_id = %(tenant)s AND id = ANY(%(reservations)s)
    UNION ALL
    SELECT id, created_by_id FROM tenants_apikey
    WHERE tenant_id = %(tenant)s AND id = ANY(%(keys)s)
) taken (id, by)
LEFT JOIN tenants_apikey maker ON maker.id = taken.by AND maker.tenant_id = %(tenant)s
JOIN tenants_user person ON person.id = coalesce(maker.created_by_id, taken.by)
"""


def takers(
    *,
    tenant_id: UUID,
    workload_ids: Collection[UUID],
    reservation_ids: Collection[UUID],
    key_ids: Collection[UUID],
) -> Mapping[UUID, Person]:
    """The person behind each of a tenant's workloads, reservations and keys; one statement.

    Shape: what nobody is known to have asked for is left out. Who may read names is for the caller
    to ask.
    """
    values: dict[str, UUID | list[UUID]] = {
        "tenant": tenant_id,
        "workloads": list(workload_ids),
        "reservations": list(reservation_ids),
        "keys": list(key_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKERS, values)
        return {thing: Person(*person) for thing, *person in cursor.fetchall()}
