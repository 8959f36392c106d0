"""Every card of the centre with what it does, for drawing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from compute.models import Node, NodeState, Reservation, ReservationState, Workload
from compute.models.workloads import ON_ENGINE
from tenants.permissions import Actor, Permission, require

# How a node that takes no work shows all its cards.
OUT_OF_WORK = {
    NodeState.DRAINING: "draining",
    NodeState.DRAINED: "draining",
    NodeState.DOWN: "failed",
    NodeState.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class WallCards:
    """One node; ``cards`` are the states of its cards, the busy ones first."""

    cluster_code: str
    cluster_name: str
    pool_code: str
    node: str
    cards: tuple[str, ...]


def wall(*, actor: Actor, pool_code: str | None = None) -> Sequence[WallCards]:
    """Every node by cluster, pool and name; three statements however many nodes there are.

    Shape: a scheduler tells how many cards of a node work, not which; and that a reservation has
    the node, not which of its cards: so cards are counted per node and drawn in order. A node that
    a reservation has in part shows that part as reserved and the rest as what it is.
    """
    require(actor, Permission.TENANT_READ_ALL)
    rows = Node.objects.order_by("cluster__code", "pool__code", "name")
    if pool_code is not None:
        rows = rows.filter(pool__code=pool_code)
    fields = rows.values_list(
        "cluster__code",
        "cluster__name",
        "pool__code",
        "name",
        "cards",
        "cards_allocated",
        "state",
    )
    nodes = list(fields)
    reserved = _reserved_cards({(node[0], node[3]): node[4] for node in nodes})
    return [
        WallCards(
            cluster,
            cluster_name,
            pool,
            name,
            _states(cards, allocated, state, reserved.get((cluster, name), 0)),
        )
        for cluster, cluster_name, pool, name, cards, allocated, state in nodes
    ]


NodeName = tuple[str, str]


def _reserved_cards(cards: Mapping[NodeName, int]) -> Mapping[NodeName, int]:
    """How many cards of each node reservations have that no work of theirs uses; two statements.

    A reservation of several nodes has all cards of the first ones and the rest of the last.
    """
    active = Reservation.objects.filter(state=ReservationState.ACTIVE).order_by("starts_at", "pk")
    used = _used_inside()
    found: Counter[NodeName] = Counter()
    for pk, cluster, nodes, count in active.values_list(
        "pk", "pool__cluster__code", "engine_nodes", "cards"
    ):
        left = count
        for node in nodes:
            # A node that is not listed here has as many cards as the reservation needs of it.
            had = min(left, cards.get((cluster, node), left))
            left -= had
            found[cluster, node] += max(had - used.get((pk, node), 0), 0)
    return found


def _used_inside() -> Mapping[tuple[object, str], int]:
    """The cards that work inside a reservation takes of each node."""
    rows = Workload.objects.filter(state__in=ON_ENGINE, reservation__isnull=False)
    summed = rows.values_list("reservation_id", "node").annotate(taken=Sum("cards")).order_by()
    return {(reservation, node): taken for reservation, node, taken in summed}


def _states(cards: int, allocated: int, state: str, reserved: int) -> tuple[str, ...]:
    busy = min(allocated, cards)
    rest = cards - busy
    out_of_work = OUT_OF_WORK.get(NodeState(state))
    if out_of_work is not None:
        return ("running",) * busy + (out_of_work,) * rest
    kept = min(reserved, rest)
    return ("running",) * busy + ("reserved",) * kept + ("free",) * (rest - kept)
