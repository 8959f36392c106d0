"""Cards that were taken and not billed: each case with its cause, its amount and its worth."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.commands.usage import record_usage
from billing.usage import UsageEvent
from common.period import Period, month_of
from compute.commands.accrual import accrue_reservation
from compute.commands.usage import record_page
from compute.engines import UsagePage
from compute.models import EngineUsage, Pool, Workload, WorkloadState
from portal.leakage import Leakage, PoolDay, leakage, leakage_csv
from tenants.permissions import SYSTEM, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.compute.conftest import Clock, alice, bob, catalogue, clock, fake_engines
from tests.compute.test_workloads import asked, fact, reserved
from tests.factories import billing as make
from tests.factories.compute import HOUR, NOW, Tenant, make_pool, operator

__all__ = ["alice", "bob", "catalogue", "clock", "fake_engines"]
pytestmark = pytest.mark.django_db

MONTH = month_of(NOW, "Asia/Shanghai")
# Three whole hours are settled by then: the last ten minutes are not asked about.
LATER = NOW + 3 * HOUR + timedelta(minutes=30)
CARD_HOUR = 3600


@pytest.fixture
def pool(catalogue: None) -> Pool:
    return make_pool(cards=16)


def found(month: Period = MONTH) -> Leakage:
    with operator_scope():
        return leakage(actor=SYSTEM, month=month, now=LATER)


def told(of: Leakage) -> list[tuple[str, str, int, str]]:
    return [(one.cause, one.tenant_code, one.card_seconds, str(one.worth)) for one in of.leaks]


def running(workload: Workload) -> None:
    """The scheduler says it runs, and nothing more."""
    with operator_scope():
        Workload.objects.filter(pk=workload.pk).update(
            state=WorkloadState.RUNNING, started_at=NOW, node="n1"
        )


def metered(workload: Workload, pool: Pool, seconds: int) -> None:
    seen = NOW + timedelta(seconds=seconds)
    page = UsagePage(facts=(fact(workload, seen_until=seen),), cursor="1")
    with operator_scope():
        record_page(cluster_id=pool.cluster_id, cursor="", page=page, now=seen)


def test_a_workload_that_ran_without_usage_is_listed_with_what_it_would_have_cost(
    alice: Tenant, pool: Pool
) -> None:
    workload = asked(alice)
    running(workload)
    of = found()
    # Two cards for three hours at the list's 7.50 a card-hour.
    assert told(of) == [("no_usage", "alice", 6 * CARD_HOUR, "45.00")]
    assert (of.card_seconds, of.worth) == (6 * CARD_HOUR, Decimal("45.00"))
    assert of.leaks[0].subject_id == workload.pk
    day = NOW.date()
    assert of.days == (PoolDay("h20", day, on_demand=6 * CARD_HOUR, missing=6 * CARD_HOUR),)
    assert of.until == NOW + 3 * HOUR
    assert str(workload.pk) in leakage_csv(of).decode()


def test_what_is_missing_is_worth_the_price_of_the_class_that_was_chosen(
    alice: Tenant, catalogue: None
) -> None:
    make_pool(cards=16, classes="on_demand shared urgent")
    for chosen in ("shared", "urgent"):
        running(asked(alice, service_class=chosen))
    # Two cards for three hours at 12.00, and at 4.50, a card-hour.
    assert told(found()) == [
        ("no_usage", "alice", 6 * CARD_HOUR, "72.00"),
        ("no_usage", "alice", 6 * CARD_HOUR, "27.00"),
    ]


def test_what_was_metered_is_no_leak_and_the_rest_of_it_is(
    alice: Tenant, bob: Tenant, pool: Pool
) -> None:
    whole = asked(alice)
    running(whole)
    metered(whole, pool, 3 * CARD_HOUR)
    assert told(found()) == []
    short = asked(bob)
    running(short)
    assert told(found()) == [("no_usage", "bob", 6 * CARD_HOUR, "45.00")]
    with operator_scope():
        # What it lacks is told apart from what another has too much.
        EngineUsage.objects.create(
            tenant_id=bob.organisation.pk,
            cluster_id=pool.cluster_id,
            workload=short,
            record_key="job2:0",
            workload_key=short.engine_key,
            engine_job_id="2",
            node="n1",
            gres="h20",
            cards=2,
            started_at=NOW,
            seen_until=NOW + HOUR,
            reason="unknown_project",
        )
    assert told(found()) == [("refused", "bob", 6 * CARD_HOUR, "45.00")]
    assert found().leaks[0].note == "unknown_project"


def test_a_reservation_leaks_until_it_is_charged_and_work_inside_it_never_does(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    reservation = reserved(alice, clock)
    running(asked(alice, pool_code=None, until=None, reservation_id=reservation.pk))
    # Four cards for three hours at 5.25.
    assert told(found()) == [("not_charged", "alice", 12 * CARD_HOUR, "63.00")]
    with operator_scope():
        accrue_reservation(reservation_id=reservation.pk, now=LATER)
    of = found()
    assert told(of) == []
    assert of.days == (
        PoolDay("h20", NOW.date(), reserved=12 * CARD_HOUR, metered_reserved=12 * CARD_HOUR),
    )


def test_work_that_nobody_ordered_is_listed_under_its_job(alice: Tenant, pool: Pool) -> None:
    with operator_scope():
        EngineUsage.objects.create(
            cluster_id=pool.cluster_id,
            record_key="stranger",
            workload_key="somebody",
            engine_job_id="4711",
            node="n7",
            gres="h20",
            cards=1,
            started_at=NOW,
            ended_at=NOW + 2 * HOUR,
            seen_until=NOW + 2 * HOUR,
            reason="unknown_workload",
        )
    of = found()
    assert told(of) == [("unordered", "", 2 * CARD_HOUR, "15.00")]
    assert of.leaks[0].note == "4711 · n7"
    assert [(one.cause, one.count, str(one.worth)) for one in of.causes] == [
        ("unordered", 1, "15.00")
    ]


def test_refused_events_and_use_without_a_price_are_counted_with_their_tenant(
    alice: Tenant, pool: Pool
) -> None:
    good = make.tokens("t1", 5_000_000, at=NOW - HOUR)
    bad = UsageEvent("gateway", "t2", "no.such.meter", "x", NOW - HOUR, 1, {})
    with tenant_scope(alice.organisation.pk):
        record_usage(
            actor=SYSTEM, tenant_id=alice.organisation.pk, events=[good, bad, bad], now=NOW
        )
    of = found()
    assert [(one.tenant_code, one.code, one.events) for one in of.refused] == [
        ("alice", "unknown_meter", 2)
    ]
    assert [(one.tenant_code, one.meter, one.quantity) for one in of.unpriced] == [
        ("alice", "test.tokens_in", 5_000_000)
    ]
    assert told(of) == []


def test_a_month_that_has_not_begun_has_nothing_and_others_may_not_look(
    alice: Tenant, pool: Pool
) -> None:
    assert found(month_of(MONTH.end, "Asia/Shanghai")).days == ()
    with operator_scope(), pytest.raises(PermissionRefused):
        leakage(actor=operator("support"), month=MONTH, now=LATER)
