"""Orders to nodes: an operator drains one or gives it back to work, and its scheduler is told.

The order stands on the node's row, so that whoever sweeps carries it out however often a worker is
killed. Claim, call, record: a worker claims the order here, calls the engine outside any
transaction, and records the answer here. One worker speaks of a node at a time, so that a slow
answer to an order already replaced cannot land after the answer to the one that replaced it.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.nudge import after_commit
from compute.commands.driving import LEASE, backoff, unleased
from compute.models import Cluster, Node, NodeOrder, OrderState
from compute.models.sites import ORDER_TRANSITIONS
from tenants.audit import record
from tenants.permissions import SYSTEM, Actor, Permission, require

LONGEST_REASON = 500
DONE_ACTIONS = {NodeOrder.DRAIN: "compute.node.drained", NodeOrder.RESUME: "compute.node.resumed"}


class NodeOnlyListed(DomainError):
    """Nothing speaks for this node: it came with a list, or its cluster is switched off."""

    code = "node_only_listed"
    status = 409
    message = gettext_lazy("No scheduler answers for this node; it is only listed here.")


@dataclass(frozen=True)
class NodeDrive:
    """One claimed order: what to ask of which engine."""

    node_id: int
    cluster: Cluster
    node: str
    order: NodeOrder
    generation: int
    reason: str
    lease_until: datetime
    attempts: int

    @property
    def drains(self) -> bool:
        return self.order == NodeOrder.DRAIN


@transaction.atomic
def drain_node(*, actor: Actor, node_id: int, reason: str, now: datetime) -> None:
    """Let a node take no new work; what runs there goes on.

    Shape: what was sold stays sold and capacity stays what it is; maintenance takes cards off sale.
    Idempotent: the same order, while it is still to be carried out, changes nothing.
    Raises: PermissionRefused, InvalidInput, NotFound, NodeOnlyListed.
    """
    _ask(actor, node_id, NodeOrder.DRAIN, reason, now)


@transaction.atomic
def resume_node(*, actor: Actor, node_id: int, reason: str, now: datetime) -> None:
    """Give a node back to work. Idempotent and raising as draining is."""
    _ask(actor, node_id, NodeOrder.RESUME, reason, now)


def _ask(actor: Actor, node_id: int, order: NodeOrder, reason: str, now: datetime) -> None:
    require(actor, Permission.NODE_MANAGE)
    said = " ".join(reason.split())
    if not said or len(said) > LONGEST_REASON:
        raise InvalidInput(errors=[FieldError("/reason", "required", _("Say why in a few words."))])
    node = _node(node_id)
    if not (node.cluster.enabled and node.cluster.engine in settings.COMPUTE_ENGINES):
        raise NodeOnlyListed
    asked = (
        Node.objects.filter(pk=node_id, order_state__in=_before(OrderState.ASKED))
        .exclude(order=order, order_state=OrderState.ASKED)
        .update(
            order=order,
            order_state=OrderState.ASKED,
            order_reason=said,
            order_answer="",
            order_generation=F("order_generation") + 1,
            ordered_at=now,
            next_attempt_at=None,
            attempts=0,
        )
    )
    if asked:
        record(
            actor,
            f"compute.node.{order.value}_asked",
            subject=node_subject(node),
            detail={"reason": said},
        )
    after_commit("compute.drive_node", node_id=node_id)


@transaction.atomic
def claim_order(*, node_id: int, now: datetime) -> NodeDrive | None:
    """Claim a node's order for one minute; None where there is nothing to carry out."""
    lease_until = now + LEASE
    claimed = Node.objects.filter(unleased(now), pk=node_id, order_state=OrderState.ASKED).update(
        lease_until=lease_until, attempts=F("attempts") + 1
    )
    if not claimed:
        return None
    node = _node(node_id)
    return NodeDrive(
        node_id=node.pk,
        cluster=node.cluster,
        node=node.name,
        order=NodeOrder(node.order),
        generation=node.order_generation,
        reason=f"acp-n-{node.pk}: {node.order_reason}",
        lease_until=lease_until,
        attempts=node.attempts,
    )


@transaction.atomic
def record_order_done(*, drive: NodeDrive) -> bool:
    """The engine has done it; its nodes are looked at again, so that the change is seen."""
    if not _move(drive, OrderState.DONE, answer=""):
        return False
    record(SYSTEM, DONE_ACTIONS[drive.order], subject=node_subject(_node(drive.node_id)))
    after_commit("compute.sync_cluster", cluster_id=drive.cluster.pk)
    return True


@transaction.atomic
def record_order_refused(*, drive: NodeDrive, reason: str) -> bool:
    """The engine said no: that is the answer, and it is not asked again."""
    if not _move(drive, OrderState.REFUSED, answer=reason):
        return False
    record(
        SYSTEM,
        f"compute.node.{drive.order.value}_refused",
        subject=node_subject(_node(drive.node_id)),
        detail={"reason": reason[:500]},
    )
    return True


@transaction.atomic
def record_order_unavailable(*, drive: NodeDrive, reason: str, now: datetime) -> None:
    """No answer: the order stands and is tried again later; the page says what was heard."""
    waited = _current(drive).update(
        order_answer=reason[:500],
        lease_until=None,
        next_attempt_at=now + backoff(drive.attempts),
    )
    if not waited:
        _give_up(drive)


def node_subject(node: Node) -> str:
    """How the audit trail names a node."""
    return f"compute.node:{node.cluster.code}/{node.name}"


def _move(drive: NodeDrive, state: OrderState, *, answer: str) -> bool:
    moved = (
        _current(drive)
        .filter(order_state__in=_before(state))
        .update(
            order_state=state, order_answer=answer[:500], lease_until=None, next_attempt_at=None
        )
    )
    if not moved:
        _give_up(drive)
    return bool(moved)


def _current(drive: NodeDrive) -> QuerySet[Node]:
    return Node.objects.filter(
        pk=drive.node_id, order_generation=drive.generation, order_state=OrderState.ASKED
    )


def _give_up(drive: NodeDrive) -> None:
    """The order was replaced meanwhile: let whoever comes next carry out the newer one."""
    Node.objects.filter(pk=drive.node_id, lease_until=drive.lease_until).update(lease_until=None)
    after_commit("compute.drive_node", node_id=drive.node_id)


def _before(state: OrderState) -> set[OrderState]:
    return {before for before, nexts in ORDER_TRANSITIONS.items() if state in nexts}


def _node(node_id: int) -> Node:
    node = Node.objects.select_related("cluster").filter(pk=node_id).first()
    if node is None:
        raise NotFound
    return node
