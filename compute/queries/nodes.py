"""Nodes, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from common.errors import NotFound
from compute.models import Node, NodeOrder, NodeState, OrderState
from tenants.permissions import Actor, Permission, require

MOST_ON_A_PAGE = 100
MIB_IN_A_GIB = 1024


@dataclass(frozen=True)
class NodeRow:
    """One node as pages show it. Units: whole cards, memory in MiB.

    Shape: ``driven`` says whether a scheduler can be asked for anything here.
    """

    id: int
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
    order: str
    order_state: str
    order_reason: str
    order_answer: str
    ordered_at: datetime | None
    driven: bool

    @property
    def memory_gib(self) -> int:
        """Whole GiB, as machines are spoken of."""
        return round(self.memory_mib / MIB_IN_A_GIB)

    @property
    def to_be_drained(self) -> bool:
        """Whether it is out of work, or will be once what was ordered is done."""
        if self.order_state == OrderState.ASKED:
            return self.order == NodeOrder.DRAIN
        return self.state in {NodeState.DRAINING, NodeState.DRAINED}


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


def node_of(*, actor: Actor, node_id: int) -> NodeRow:
    """One node. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.TENANT_READ_ALL)
    node = Node.objects.select_related("pool__chip", "cluster").filter(pk=node_id).first()
    if node is None:
        raise NotFound
    return _row(node)


def _row(node: Node) -> NodeRow:
    return NodeRow(
        id=node.pk,
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
        order=node.order,
        order_state=node.order_state,
        order_reason=node.order_reason,
        order_answer=node.order_answer,
        ordered_at=node.ordered_at,
        driven=node.cluster.enabled and node.cluster.engine in settings.COMPUTE_ENGINES,
    )
