"""A node's page in the operators' console: what it says and how it is drained and given back."""

import pytest
from pytest_django import Settings

from compute.models import Node
from compute.tasks import drive_node, sync_cluster
from tenants.scoping import operator_scope
from tests.factories.compute import ENGINES, make_catalogue, make_pool
from tests.factories.fake_engine import WORLDS, node, world
from tests.portal.operator_stage import ROLES, signed_in

pytestmark = pytest.mark.django_db

WHY = {"reason": "Memory errors on card 3."}


@pytest.fixture(autouse=True)
def machine(settings: Settings) -> str:
    """The address of a node that its scheduler has told of."""
    settings.COMPUTE_ENGINES = ENGINES
    settings.LANGUAGE_CODE = "en"
    WORLDS.clear()
    make_catalogue()
    pool = make_pool()
    world("h20").nodes = [node("n1")]
    sync_cluster(cluster_id=str(pool.cluster_id))
    return f"/ops/nodes/{row().pk}/"


def row() -> Node:
    with operator_scope():
        return Node.objects.get()


def seen(browser: object, address: str) -> str:
    return str(browser.get(address).content.decode())  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_a_node_and_only_some_may_order(machine: str, role: str) -> None:
    page = seen(signed_in(role), machine)
    assert "n1" in page
    assert (f'action="{machine}drain/"' in page) == (role in {"capacity", "admin"})


def test_a_node_is_drained_from_its_page_and_given_back(machine: str) -> None:
    browser = signed_in("capacity")
    answer = browser.post(f"{machine}drain/", WHY)
    assert (answer.status_code, answer["Location"]) == (302, machine)
    page = seen(browser, machine)
    assert "Waiting for the scheduler to drain it" in page
    assert f'action="{machine}resume/"' in page
    assert f'action="{machine}drain/"' not in page
    assert "Drain asked" in seen(browser, "/ops/nodes/")
    drive_node(node_id=str(row().pk))
    sync_cluster(cluster_id=str(row().cluster_id))
    page = seen(browser, machine)
    assert "Waiting for the scheduler" not in page
    assert f"acp-n-{row().pk}: Memory errors on card 3." in page
    assert browser.post(f"{machine}resume/", WHY).status_code == 302
    assert row().order == "resume"


def test_an_order_without_a_reason_is_refused_on_the_page(machine: str) -> None:
    answer = signed_in("capacity").post(f"{machine}drain/", {"reason": ""})
    assert answer.status_code == 422
    assert 'data-code="invalid_input"' in answer.content.decode()
    assert row().order == ""


def test_a_node_no_scheduler_speaks_for_has_no_button(machine: str, settings: Settings) -> None:
    settings.COMPUTE_ENGINES = {}
    browser = signed_in("capacity")
    page = seen(browser, machine)
    assert "it is only listed here" in page
    assert f'action="{machine}drain/"' not in page
    answer = browser.post(f"{machine}drain/", WHY)
    assert answer.status_code == 409
    assert 'data-code="node_only_listed"' in answer.content.decode()
    assert row().order == ""


def test_the_page_says_that_the_scheduler_is_down_or_refuses(machine: str) -> None:
    browser = signed_in("capacity")
    browser.post(f"{machine}drain/", WHY)
    world("h20").unavailable = True
    drive_node(node_id=str(row().pk))
    assert "connection refused" in seen(browser, machine)
    world("h20").unavailable = False
    world("h20").refused = "invalid node name"
    with operator_scope():
        Node.objects.update(next_attempt_at=None)
    drive_node(node_id=str(row().pk))
    page = seen(browser, machine)
    assert "The scheduler would not drain it" in page
    assert "invalid node name" in page
    assert "Order refused" in seen(browser, "/ops/nodes/")
