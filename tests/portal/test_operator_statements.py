"""No operator page asks the database more when there is more to show."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from compute.commands.inventory import NodeRow, import_nodes
from compute.models import ReservationPolicy
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories.compute import ENGINES, NOW, Tenant, make_catalogue, make_pool, make_tenant
from tests.portal.operator_stage import PAGES, requested, signed_in

pytestmark = pytest.mark.django_db

MOST = 12
FEW, MANY = 3, 62
# Opening a scope is not asking anything: it says on the connection whose rows exist.
BOOKKEEPING = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "SELECT set_config")


def asked(browser: Client, page: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert browser.get(f"/ops/{page}").status_code == 200
    return [q["sql"] for q in seen.captured_queries if not q["sql"].startswith(BOOKKEEPING)]


def more(alice: Tenant, first: int, last: int) -> None:
    """Requests, nodes, tenants: whatever a list may be of."""
    for number in range(first, last):
        requested(alice, cards=1, starts_in=timedelta(hours=3 * number + 1))
        make_tenant(f"tenant-{number}", money="0")
    rows = [NodeRow(f"node-{number:03}", 64000, 1024, 8, "G1") for number in range(last)]
    with operator_scope():
        import_nodes(actor=SYSTEM, centre_code="east", rows=rows, now=NOW)


@pytest.fixture
def grow(settings: Settings) -> Callable[[int, int], None]:
    settings.COMPUTE_ENGINES = ENGINES
    make_catalogue()
    make_pool(cards=64)
    with operator_scope():
        ReservationPolicy.objects.create(unused_per_tenant=500)
    alice = make_tenant("alice", money="900000000")
    return lambda first, last: more(alice, first, last)


def test_every_page_asks_the_same_few_questions_of_three_rows_and_of_sixty(
    grow: Callable[[int, int], None],
) -> None:
    browser = signed_in("admin")
    grow(0, FEW)
    asked(browser, "")
    few = {page: asked(browser, page) for page in PAGES}
    grow(FEW, MANY)
    many = {page: asked(browser, page) for page in PAGES}
    assert {page: len(many[page]) for page in PAGES} == {page: len(few[page]) for page in PAGES}
    assert {page: len(found) for page, found in many.items() if len(found) > MOST} == {}
