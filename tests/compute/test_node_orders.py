"""Draining a node and giving it back: asked on the row, carried out by its scheduler, once."""

from datetime import timedelta

import pytest
from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone

from common.errors import InvalidInput, NotFound
from compute.commands.inventory import NodeRow, import_nodes
from compute.commands.nodes import (
    NodeOnlyListed,
    claim_order,
    drain_node,
    record_order_done,
    resume_node,
)
from compute.commands.sites import create_centre
from compute.models import Cluster, Node
from compute.tasks import drive_node, sweep, sync_cluster
from tenants.models import AuditEntry
from tenants.permissions import OPERATOR_ROLES, SYSTEM, PermissionRefused
from tenants.scoping import operator_scope
from tests.compute.conftest import Clock
from tests.factories.compute import NOW, make_pool, operator
from tests.factories.fake_engine import WorkerKilled, node, world

pytestmark = pytest.mark.django_db

WHY = "Memory errors on card 3."
MINUTE = timedelta(minutes=1)


@pytest.fixture
def machine(catalogue: None, clock: Clock) -> Node:
    """A node that its scheduler has told of."""
    pool = make_pool()
    world("h20").nodes = [node("n1")]
    sync_cluster(cluster_id=str(pool.cluster_id))
    world("h20").calls.clear()
    with operator_scope():
        return Node.objects.get()


def drain(machine: Node, reason: str = WHY, role: str = "capacity") -> None:
    with operator_scope():
        drain_node(actor=operator(role), node_id=machine.pk, reason=reason, now=NOW)


def resume(machine: Node) -> None:
    with operator_scope():
        resume_node(actor=operator(), node_id=machine.pk, reason="New memory.", now=NOW)


def drive(machine: Node) -> None:
    drive_node(node_id=str(machine.pk))


def ordered(machine: Node) -> tuple[str, str, str]:
    with operator_scope():
        row = Node.objects.get(pk=machine.pk)
    return row.order, row.order_state, row.order_answer


def told() -> list[tuple[str, str]]:
    """What the audit trail says of nodes, and who did it."""
    with operator_scope():
        rows = AuditEntry.objects.filter(subject="compute.node:h20-cluster/n1").order_by("pk")
        return [(row.action, row.actor_name) for row in rows]


def test_a_node_is_drained_with_the_reason_and_given_back(machine: Node) -> None:
    drain(machine)
    assert ordered(machine) == ("drain", "asked", "")
    drive(machine)
    assert world("h20").drained == {"n1": f"acp-n-{machine.pk}: {WHY}"}
    assert ordered(machine) == ("drain", "done", "")
    sync_cluster(cluster_id=str(machine.cluster_id))
    with operator_scope():
        assert Node.objects.get().state == "drained"
    resume(machine)
    drive(machine)
    assert world("h20").drained == {}
    assert ordered(machine) == ("resume", "done", "")
    assert told() == [
        ("compute.node.drain_asked", "operator-capacity"),
        ("compute.node.drained", "system"),
        ("compute.node.resume_asked", "operator-capacity"),
        ("compute.node.resumed", "system"),
    ]


@pytest.mark.parametrize("role", sorted(set(OPERATOR_ROLES) - {"capacity", "admin"}))
def test_who_does_not_look_after_nodes_is_refused(machine: Node, role: str) -> None:
    with pytest.raises(PermissionRefused):
        drain(machine, role=role)
    assert ordered(machine) == ("", "none", "")
    assert told() == []


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 501])
def test_an_order_needs_a_reason_of_a_sensible_length(machine: Node, reason: str) -> None:
    with pytest.raises(InvalidInput):
        drain(machine, reason=reason)
    assert ordered(machine) == ("", "none", "")


def test_a_node_nobody_knows_is_not_found(machine: Node) -> None:
    with operator_scope(), pytest.raises(NotFound):
        drain_node(actor=operator(), node_id=machine.pk + 1, reason=WHY, now=NOW)


def test_a_node_that_is_only_listed_takes_no_order(catalogue: None) -> None:
    with operator_scope():
        create_centre(actor=SYSTEM, code="west", name_en="West", name_zh="西部")
        rows = [NodeRow("n-1", 64000, 1024, 8, "G1")]
        import_nodes(actor=SYSTEM, centre_code="west", rows=rows, now=NOW)
        listed = Node.objects.get()
    with pytest.raises(NodeOnlyListed):
        drain(listed)
    assert ordered(listed) == ("", "none", "")


def test_a_cluster_that_is_switched_off_takes_no_order(machine: Node) -> None:
    with operator_scope():
        Cluster.objects.update(enabled=False)
    with pytest.raises(NodeOnlyListed):
        drain(machine)
    assert ordered(machine) == ("", "none", "")


def test_the_same_order_twice_is_asked_once(machine: Node) -> None:
    drain(machine)
    drain(machine, reason="Clicked twice.")
    with operator_scope():
        row = Node.objects.get()
    assert (row.order_generation, row.order_reason) == (1, WHY)
    assert len(told()) == 1
    drive(machine)
    drive(machine)
    assert world("h20").calls.count("drain") == 1


def test_a_scheduler_that_is_down_is_asked_again_until_it_answers(
    machine: Node, clock: Clock
) -> None:
    drain(machine)
    world("h20").unavailable = True
    drive(machine)
    assert ordered(machine) == ("drain", "asked", "connection refused")
    drive(machine)
    assert world("h20").calls == ["drain"], "asked again before its time"
    world("h20").unavailable = False
    clock.now = NOW + MINUTE
    drive(machine)
    assert ordered(machine) == ("drain", "done", "")
    assert world("h20").drained.keys() == {"n1"}


def test_a_scheduler_that_refuses_is_not_asked_again(machine: Node, clock: Clock) -> None:
    drain(machine)
    world("h20").refused = "invalid node name"
    drive(machine)
    assert ordered(machine) == ("drain", "refused", "invalid node name")
    clock.now = NOW + MINUTE
    drive(machine)
    assert world("h20").calls == ["drain"]
    assert told()[-1] == ("compute.node.drain_refused", "system")


def test_the_sweep_finishes_what_a_killed_worker_left(
    machine: Node,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    sent: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, kwargs, **_: sent.append((name, kwargs))
    )
    drain(machine)
    world("h20").dies_after_accepting = True
    with pytest.raises(WorkerKilled):
        drive(machine)
    assert ordered(machine) == ("drain", "asked", "")
    wanted = ("compute.drive_node", {"node_id": str(machine.pk)})

    def swept() -> bool:
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            sweep()
        return wanted in sent

    assert not swept(), "the dead worker's lease still runs"
    clock.now = NOW + 2 * MINUTE
    assert swept()
    drive(machine)
    assert ordered(machine) == ("drain", "done", "")
    assert not swept()
    assert [action for action, _who in told()].count("compute.node.drained") == 1


def test_an_answer_to_an_order_that_was_replaced_changes_nothing(
    machine: Node, clock: Clock
) -> None:
    drain(machine)
    with operator_scope():
        claimed = claim_order(node_id=machine.pk, now=NOW)
    assert claimed is not None
    resume(machine)
    # One worker speaks of a node at a time: the newer order waits for the answer to the older one.
    drive(machine)
    assert world("h20").calls == []
    with operator_scope():
        assert not record_order_done(drive=claimed)
    assert ordered(machine) == ("resume", "asked", "")
    drive(machine)
    assert world("h20").calls == ["resume"]
    assert ordered(machine) == ("resume", "done", "")


def test_what_the_scheduler_says_leaves_the_order_alone(machine: Node) -> None:
    drain(machine)
    sync_cluster(cluster_id=str(machine.cluster_id))
    assert ordered(machine) == ("drain", "asked", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "reboot", "order_state": "asked", "ordered_at": timezone.now()},
        {"order": "drain", "order_state": "none", "ordered_at": timezone.now()},
        {"order": "drain", "order_state": "asked", "ordered_at": None},
        {"order": "", "order_state": "done", "ordered_at": timezone.now()},
    ],
)
def test_the_database_refuses_an_order_that_makes_no_sense(
    machine: Node, wrong: dict[str, object]
) -> None:
    with (
        operator_scope(),
        pytest.raises(IntegrityError, match="compute_node_order_known"),
        transaction.atomic(),
    ):
        Node.objects.filter(pk=machine.pk).update(**wrong)
