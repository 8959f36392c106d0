"""Which cards were taken, by whom and for how long: what should have been metered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from common.period import Period
from compute.models import ClaimKind, Node, NodeState
from tenants.permissions import Actor, Permission, require

# Cards that take no work and are sold all the same.
OUT_OF_WORK = (NodeState.DRAINING, NodeState.DRAINED, NodeState.DOWN)


@dataclass(frozen=True)
class Taken:
    """Cards of a pool that a reservation, a workload on demand or maintenance took for a time.

    Shape: ``subject_id`` is the reservation's or workload's; work inside a reservation takes no
    cards of the pool and is not here. ``records`` is how many accounting rows the engine has of
    it, and ``reason`` why one of them was not billed. ``attention`` is what stopped it.
    """

    kind: str
    subject_id: UUID | None
    tenant_code: str
    tenant_name: str
    pool: str
    chip: str
    cards: int
    period: Period
    state: str
    price_id: UUID | None
    began_at: datetime | None
    records: int
    reason: str
    attention: str
    service_class: str

    @property
    def is_sold(self) -> bool:
        return self.kind != ClaimKind.MAINTENANCE


TAKEN = """
SELECT claim.kind, coalesce(reservation.id, workload.id), coalesce(tenant.code, ''),
    coalesce(tenant.name, ''), pool.code, pool.chip_id, claim.cards,
    greatest(lower(claim.during), %(start)s), least(upper(claim.during), %(end)s),
    coalesce(reservation.state, workload.state, ''),
    coalesce(reservation.price_id, workload.price_id),
    coalesce(reservation.activated_at, workload.started_at),
    coalesce(engine.records, 0), coalesce(engine.reason, ''),
    coalesce(reservation.attention, workload.attention, ''), coalesce(workload.service_class, '')
FROM compute_pool pool
JOIN compute_claim claim ON claim.profile_id = pool.profile_id
    AND claim.during && tstzrange(%(start)s, %(end)s)
LEFT JOIN compute_reservation reservation ON reservation.claim_id = claim.id
LEFT JOIN compute_workload workload ON workload.claim_id = claim.id
LEFT JOIN tenants_organisation tenant ON tenant.id = claim.tenant_id
LEFT JOIN LATERAL (
    SELECT count(*) AS records, max(reason) AS reason
    FROM compute_engineusage WHERE workload_id = workload.id
) engine ON workload.id IS NOT NULL
ORDER BY pool.code, lower(claim.during), claim.id
"""


def taken(*, actor: Actor, period: Period) -> tuple[Taken, ...]:
    """Everything that took cards of a pool in a time, clipped to it; one statement.

    Raises: PermissionRefused.
    """
    require(actor, Permission.TENANT_READ_ALL)
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, {"start": period.start, "end": period.end})
        rows = cursor.fetchall()
    return tuple(_taken(*row) for row in rows if row[7] < row[8])


# psycopg gives each column with a type of its own.
def _taken(*columns: Any) -> Taken:
    kind, subject_id, code, name, pool, chip, cards, start, end, *told = columns
    return Taken(kind, subject_id, code, name, pool, chip, cards, Period(start, end), *told)


@dataclass(frozen=True)
class Unordered:
    """Work that an engine counted and nobody here ordered. Units: card-seconds."""

    cluster: str
    pool: str
    chip: str
    engine_job_id: str
    node: str
    card_seconds: int
    started_at: datetime


UNORDERED = """
SELECT cluster.name, coalesce(pool.code, ''), coalesce(pool.chip_id, ''), used.engine_job_id,
    used.node,
    (used.cards * extract(epoch FROM least(coalesce(used.ended_at, used.seen_until), %(end)s)
        - greatest(used.started_at, %(start)s)))::bigint,
    greatest(used.started_at, %(start)s)
FROM compute_engineusage used
JOIN compute_cluster cluster ON cluster.id = used.cluster_id
LEFT JOIN compute_pool pool ON pool.cluster_id = used.cluster_id AND pool.gres = used.gres
WHERE used.workload_id IS NULL AND used.started_at < %(end)s
    AND coalesce(used.ended_at, used.seen_until) > %(start)s
ORDER BY 6 DESC, used.id LIMIT %(most)s
"""
MOST_SHOWN = 200


def unordered(*, actor: Actor, period: Period) -> tuple[Unordered, ...]:
    """The longest of it in a time; one statement. Raises: PermissionRefused."""
    require(actor, Permission.TENANT_READ_ALL)
    values: dict[str, datetime | int] = {
        "start": period.start,
        "end": period.end,
        "most": MOST_SHOWN,
    }
    with connection.cursor() as cursor:
        cursor.execute(UNORDERED, values)
        return tuple(Unordered(*row) for row in cursor.fetchall())


def out_of_work(*, actor: Actor) -> Mapping[str, int]:
    """How many cards of each pool are on nodes that take no work now; one statement."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = Node.objects.filter(state__in=OUT_OF_WORK).values_list("pool__code")
    return dict(rows.annotate(cards=Sum("cards")).order_by("pool__code"))
