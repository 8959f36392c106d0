"""Nodes, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from compute.models import Node

MOST_ON_A_PAGE = 100


@dataclass(frozen=True)
class NodeRow:
    """One node as lists show it. Units: whole cards, memory in MiB."""

    name: str
    pool_code: str
    cluster_code: str
    chip_name: str
    cards: int
    cards_allocated: int
    cpus: int
    memory_mib: int
    state: str
    reason: str
    observed_at: datetime | None


@dataclass(frozen=True)
class NodePage:
    """``after`` asks for the next page; None on the last."""

    rows: tuple[NodeRow, ...]
    after: str | None


def node_page(
    *,
    pool_code: str | None = None,
    cluster_code: str | None = None,
    states: Sequence[str] = (),
    after: str | None = None,
    size: int = MOST_ON_A_PAGE,
) -> NodePage:
    """Nodes in the order they came under management; one statement at any depth.

    Shape: keyset pages, so that the thousandth page costs what the first does.
    """
    nodes = Node.objects.select_related("pool__chip", "cluster").order_by("pk")
    if pool_code is not None:
        nodes = nodes.filter(pool__code=pool_code)
    if cluster_code is not None:
        nodes = nodes.filter(cluster__code=cluster_code)
    if states:
        nodes = nodes.filter(state__in=states)
    if after is not None:
        # What is not a cursor of ours asks for nothing rather than for everything again.
        nodes = nodes.filter(pk__gt=int(after)) if after.isdecimal() else nodes.none()
    size = max(1, min(size, MOST_ON_A_PAGE))
    found = list(nodes[: size + 1])
    rows = tuple(_row(node) for node in found[:size])
    return NodePage(rows=rows, after=str(found[size - 1].pk) if len(found) > size else None)


def _row(node: Node) -> NodeRow:
    return NodeRow(
        name=node.name,
        pool_code=node.pool.code,
        cluster_code=node.cluster.code,
        chip_name=node.pool.chip.name,
        cards=node.cards,
        cards_allocated=node.cards_allocated,
        cpus=node.cpus,
        memory_mib=node.memory_mib,
        state=node.state,
        reason=node.reason,
        observed_at=node.observed_at,
    )
