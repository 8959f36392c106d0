"""What operators look after: what waits or is stuck, clusters, a pool's history, maintenance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from common.errors import NotFound
from compute.models import (
    CapacityChange,
    Claim,
    ClaimKind,
    Cluster,
    Node,
    NodeState,
    Pool,
    Reservation,
    ReservationState,
)
from compute.queries.pools import STALE_AFTER
from tenants.permissions import Actor, Permission, require

MOST_SHOWN = 5
# A connection shows where a scheduler is; whatever is named like a credential is not shown at all.
SECRET_WORDS = ("secret", "token", "password", "key", "credential")
LONGEST_VALUE = 80
HIDDEN = "…"


@dataclass(frozen=True)
class Desk:
    """What waits for operators: requests by earliest start, and what did not move on in time."""

    waiting: Sequence[Reservation]
    stuck: Sequence[Reservation]


def desk(*, actor: Actor) -> Desk:
    """Everything that needs an operator; one statement."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = list(
        Reservation.objects.select_related("pool", "tenant")
        .filter(Q(state=ReservationState.AWAITING_APPROVAL) | ~Q(attention=""))
        .order_by("starts_at", "pk")
    )
    return Desk(
        waiting=[row for row in rows if row.state == ReservationState.AWAITING_APPROVAL],
        stuck=[row for row in rows if row.attention][:MOST_SHOWN],
    )


@dataclass(frozen=True)
class ClusterRow:
    """One scheduler as operators see it.

    Shape: ``connection`` is fit to be shown; ``spoken_to`` says whether this installation has an
    adapter for it, because what is only listed never answers and is not late.
    """

    code: str
    name: str
    centre_code: str
    engine: str
    version: str
    enabled: bool
    spoken_to: bool
    connection: Mapping[str, str]
    last_synced_at: datetime | None
    last_failed_at: datetime | None
    last_error: str
    stale: bool
    pools: int
    nodes: int
    cards: int


def clusters(*, actor: Actor, now: datetime) -> Sequence[ClusterRow]:
    """Every cluster with its size and health; one statement."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = Cluster.objects.select_related("centre").order_by("code")
    cards = Node.objects.filter(cluster=OuterRef("pk")).values("cluster")
    sized = rows.annotate(
        node_count=Count("nodes", distinct=True),
        pool_count=Count("pools", distinct=True),
        card_count=Coalesce(Subquery(cards.annotate(sum=Sum("cards")).values("sum")), 0),
    )
    return [_cluster(row, (row.pool_count, row.node_count, row.card_count), now) for row in sized]


def _cluster(row: Cluster, size: tuple[int, int, int], now: datetime) -> ClusterRow:
    spoken_to = row.enabled and row.engine in settings.COMPUTE_ENGINES
    pools, nodes, cards = size
    late = row.last_synced_at is None or row.last_synced_at + STALE_AFTER < now
    return ClusterRow(
        code=row.code,
        name=row.name,
        centre_code=row.centre.code,
        engine=row.engine,
        version=row.version,
        enabled=row.enabled,
        spoken_to=spoken_to,
        connection={name: _shown(name, value) for name, value in row.connection.items()},
        last_synced_at=row.last_synced_at,
        last_failed_at=row.last_failed_at,
        last_error=row.last_error,
        stale=spoken_to and late,
        pools=pools,
        nodes=nodes,
        cards=cards,
    )


def _shown(name: str, value: object) -> str:
    if any(word in name.lower() for word in SECRET_WORDS):
        return HIDDEN
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}{HIDDEN}"


def pool_with_site(*, actor: Actor, code: str) -> Pool:
    """One pool, also a withdrawn one, with its chip, cluster and centre. Raises: NotFound."""
    require(actor, Permission.TENANT_READ_ALL)
    pool = Pool.objects.select_related("chip", "cluster__centre").filter(code=code).first()
    if pool is None:
        raise NotFound
    return pool


def capacity_history(*, actor: Actor, pool: Pool, limit: int = 50) -> Sequence[CapacityChange]:
    """The dated changes of a pool's capacity, the latest first."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = CapacityChange.objects.filter(profile_id=pool.profile_id)
    return list(rows.order_by("-at", "-pk")[:limit])


def maintenance_of(*, actor: Actor, pool: Pool, now: datetime) -> Sequence[Claim]:
    """Maintenance of a pool that runs or is planned, the earliest first."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = Claim.objects.filter(profile_id=pool.profile_id, kind=ClaimKind.MAINTENANCE)
    return list(rows.filter(during__endswith__gt=now).order_by("during")[:50])


@dataclass(frozen=True)
class NodeStates:
    """How many nodes of a pool are in each state."""

    up: int
    draining: int
    down: int
    unknown: int


def node_states(*, actor: Actor, pool: Pool) -> NodeStates:
    """The states of a pool's nodes; one statement."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = Node.objects.filter(pool=pool).values_list("state").annotate(nodes=Count("pk"))
    found = dict(rows)
    return NodeStates(
        up=found.get(NodeState.UP, 0),
        draining=found.get(NodeState.DRAINING, 0) + found.get(NodeState.DRAINED, 0),
        down=found.get(NodeState.DOWN, 0),
        unknown=found.get(NodeState.UNKNOWN, 0),
    )
