"""Every card of the centre with what it does, for drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

from compute.models import Node, NodeState, Reservation, ReservationState
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
    """Every node by cluster, pool and name; two statements however many nodes there are.

    Shape: a scheduler tells how many cards of a node work, not which; and that a reservation has
    the node, not which of its cards: so cards are counted per node and drawn in order.
    """
    require(actor, Permission.TENANT_READ_ALL)
    rows = Node.objects.order_by("cluster__code", "pool__code", "name")
    if pool_code is not None:
        rows = rows.filter(pool__code=pool_code)
    reserved = _reserved_nodes()
    fields = rows.values_list(
        "cluster__code",
        "cluster__name",
        "pool__code",
        "name",
        "cards",
        "cards_allocated",
        "state",
    )
    return [
        WallCards(
            cluster,
            cluster_name,
            pool,
            name,
            _states(cards, allocated, state, (cluster, name) in reserved),
        )
        for cluster, cluster_name, pool, name, cards, allocated, state in fields
    ]


def _reserved_nodes() -> set[tuple[str, str]]:
    rows = Reservation.objects.filter(state=ReservationState.ACTIVE)
    found = rows.values_list("pool__cluster__code", "engine_nodes")
    return {(cluster, node) for cluster, nodes in found for node in nodes}


def _states(cards: int, allocated: int, state: str, is_reserved: bool) -> tuple[str, ...]:  # noqa: FBT001
    busy = min(allocated, cards)
    rest = OUT_OF_WORK.get(NodeState(state), "reserved" if is_reserved else "free")
    return ("running",) * busy + (rest,) * (cards - busy)
