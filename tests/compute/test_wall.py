"""The wall of cards: a reservation of a part of a node shows that part and no more."""

import pytest

from compute.models import Node, NodeState, Pool, Reservation, Workload, WorkloadState
from compute.queries.wall import wall
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.compute.conftest import Clock
from tests.compute.test_workloads import asked, reserved
from tests.factories.compute import Tenant, make_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(catalogue: None) -> Pool:
    made = make_pool(cards=16)
    with operator_scope():
        Node.objects.all().delete()
        for name in ("n1", "n2"):
            Node.objects.create(
                cluster=made.cluster, pool=made, name=name, cards=8, state=NodeState.UP
            )
    return made


def drawn() -> dict[str, str]:
    """Each node's cards by the first letters of their states."""
    with operator_scope():
        return {one.node: "".join(state[:2] for state in one.cards) for one in wall(actor=SYSTEM)}


def on(reservation: Reservation, *nodes: str) -> None:
    with operator_scope():
        Reservation.objects.filter(pk=reservation.pk).update(engine_nodes=list(nodes))


def test_four_reserved_cards_of_a_node_of_eight_are_four(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    on(reserved(alice, clock, cards=4), "n1")
    assert drawn() == {"n1": "re" * 4 + "fr" * 4, "n2": "fr" * 8}


def test_a_reservation_over_two_nodes_has_the_first_whole_and_the_rest_of_the_second(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    on(reserved(alice, clock, cards=10), "n1", "n2")
    assert drawn() == {"n1": "re" * 8, "n2": "re" * 2 + "fr" * 6}


def test_work_inside_a_reservation_uses_its_cards_and_other_work_does_not(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    reservation = reserved(alice, clock, cards=4)
    on(reservation, "n1")
    inside = asked(alice, pool_code=None, until=None, reservation_id=reservation.pk)
    with operator_scope():
        Workload.objects.filter(pk=inside.pk).update(state=WorkloadState.RUNNING, node="n1")
        Node.objects.filter(name="n1").update(cards_allocated=2)
    assert drawn()["n1"] == "ru" * 2 + "re" * 2 + "fr" * 4
    with operator_scope():
        # One card more works there, on demand: the reservation still has its two.
        Node.objects.filter(name="n1").update(cards_allocated=3)
    assert drawn()["n1"] == "ru" * 3 + "re" * 2 + "fr" * 3


def test_a_node_out_of_work_shows_that_before_reservations(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    on(reserved(alice, clock, cards=4), "n1")
    with operator_scope():
        Node.objects.filter(name="n1").update(state=NodeState.DOWN)
    assert drawn()["n1"] == "fa" * 8
