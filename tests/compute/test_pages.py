"""Lists cost the same at any length, and show each reader only what is theirs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import InvalidInput, NotFound
from compute.commands.reservations import hold, submit
from compute.models import Pool, ReservationPolicy
from compute.queries.chips import chip, chips
from compute.queries.pools import pool_row
from compute.queries.reservations import (
    awaiting_approval,
    needing_attention,
    reservation,
    reservation_page,
)
from compute.queries.workloads import unbilled_records, usage_records, workload_page
from tenants.permissions import PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.compute import NOW, Tenant, hours, make_pool, operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(catalogue: None) -> Pool:
    with operator_scope():
        ReservationPolicy.objects.create(unused_per_tenant=1000)
    return make_pool(cards=1000)


def reserve(tenant: Tenant, count: int) -> list[object]:
    made = []
    for _one in range(count):
        with tenant_scope(tenant.organisation.pk):
            one = hold(
                actor=tenant.actor,
                project_id=tenant.project.pk,
                pool_code="h20",
                cards=1,
                period=hours(1, 2),
                now=NOW,
            )
        made.append(one.pk)
    return made


def test_a_page_costs_one_statement_and_pages_do_not_overlap(alice: Tenant, pool: Pool) -> None:
    made = reserve(alice, 7)
    seen = []
    cursor = None
    with tenant_scope(alice.organisation.pk):
        for _page in range(3):
            with CaptureQueriesContext(connection) as queries:
                page = reservation_page(actor=alice.actor, cursor=cursor, limit=3)
                names = [row.pool.chip.name + row.project.name for row in page.items]
            assert len(queries) == 1
            assert names
            seen += [row.pk for row in page.items]
            cursor = page.next_cursor
        assert cursor is None
        assert seen == made[::-1]
        with pytest.raises(InvalidInput):
            reservation_page(actor=alice.actor, cursor="nonsense")


def test_each_sees_its_own_and_operators_see_all(alice: Tenant, bob: Tenant, pool: Pool) -> None:
    (mine,) = reserve(alice, 1)
    reserve(bob, 2)
    with tenant_scope(bob.organisation.pk):
        assert len(reservation_page(actor=bob.actor).items) == 2
        with pytest.raises(NotFound):
            reservation(actor=bob.actor, reservation_id=mine)  # type: ignore[arg-type]
        assert workload_page(actor=bob.actor).items == ()
        with pytest.raises(PermissionRefused):
            awaiting_approval(actor=bob.actor)
        with pytest.raises(PermissionRefused):
            unbilled_records(actor=bob.actor)
    with operator_scope():
        assert len(reservation_page(actor=operator()).items) == 3


def test_operators_find_what_waits_for_them(alice: Tenant, pool: Pool) -> None:
    first, _second = reserve(alice, 2)
    with tenant_scope(alice.organisation.pk):
        submit(actor=alice.actor, reservation_id=first, now=NOW)  # type: ignore[arg-type]
    with operator_scope():
        assert [row.pk for row in awaiting_approval(actor=operator())] == [first]
        assert needing_attention(actor=operator()) == []


def test_usage_of_a_workload_that_is_not_there_is_not_found(alice: Tenant, pool: Pool) -> None:
    (mine,) = reserve(alice, 1)
    with tenant_scope(alice.organisation.pk), pytest.raises(NotFound):
        usage_records(actor=alice.actor, workload_id=mine)  # type: ignore[arg-type]


def test_the_catalogue_and_one_pool_are_read_by_anybody_of_a_tenant(
    alice: Tenant, pool: Pool
) -> None:
    with tenant_scope(alice.organisation.pk):
        assert len(chips(actor=alice.actor)) == 45
        assert chip(actor=alice.actor, code="nvidia-h20").vendor_zh
        assert pool_row(code="h20", period=hours(0, 1), now=NOW).free == 1000
        with pytest.raises(NotFound):
            pool_row(code="nothing", period=hours(0, 1), now=NOW)
        with pytest.raises(NotFound):
            chip(actor=alice.actor, code="nothing")
