"""Service classes: chosen when work is asked for, priced, honoured by the engine, and metered."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.commands.holds import InsufficientFunds
from billing.commands.invoices import issue_invoice
from billing.commands.prices import PriceLine, publish_version
from billing.commands.wallet import set_credit_limit, set_currency
from billing.models import Hold
from billing.queries.invoices import invoice_detail
from billing.queries.wallet import standing
from billing.seed import read_price_seed
from common.errors import InvalidInput
from compute.capacity import least_free
from compute.commands.claims import NotEnoughCapacity
from compute.commands.reservations import approve, hold, submit
from compute.commands.workloads import request_workload
from compute.engines import ServiceClass, UsageFact, WorkloadKind
from compute.engines import WorkloadState as Seen
from compute.engines.registry import classes_of
from compute.models import Claim, Cluster, Pool, Reservation, Workload
from compute.queries.classes import ServiceClassNotOffered, class_offers
from compute.queries.invariants import breaches
from compute.queries.profiles import steps_of
from compute.queries.use import workload_cost
from compute.tasks import collect_usage, drive_reservation, drive_workload, observe_cluster
from tenants.models import AuditEntry, Notice
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.compute.conftest import Clock
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool, make_tenant, operator
from tests.factories.fake_engine import world

pytestmark = pytest.mark.django_db

ALL = "on_demand shared urgent"
# Net for one H20 card for an hour by the example price list.
CARD_HOUR = {"on_demand": Decimal("7.5"), "shared": Decimal("4.5"), "urgent": Decimal(12)}


@pytest.fixture
def pool(catalogue: None, clock: Clock) -> Pool:
    """Eight cards behind a scheduler that honours every class; the worker's clock stands."""
    return make_pool(cards=8, classes=ALL)


def asked(tenant: Tenant, cards: int = 2, **more: object) -> Workload:
    values: dict[str, object] = {"pool_code": "h20", "until": NOW + 4 * HOUR, "now": NOW, **more}
    with tenant_scope(tenant.organisation.pk):
        return request_workload(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            kind=WorkloadKind.JOB,
            argv=["train"],
            env={},
            cards=cards,
            subject="job:1",
            **values,  # type: ignore[arg-type]
        )


def running(tenant: Tenant, cards: int = 2, **more: object) -> Workload:
    made = asked(tenant, cards, **more)
    drive_workload(workload_id=str(made.pk))
    return made


def reserved(tenant: Tenant) -> Reservation:
    with tenant_scope(tenant.organisation.pk):
        reservation = hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code="h20",
            cards=4,
            period=hours(0, 3),
            now=NOW,
        )
        submit(actor=tenant.actor, reservation_id=reservation.pk, now=NOW)
    with operator_scope():
        approve(actor=operator(), reservation_id=reservation.pk, now=NOW)
    drive_reservation(reservation_id=str(reservation.pk))
    return reservation


def now_is(workload: Workload) -> Workload:
    with operator_scope():
        return Workload.objects.get(pk=workload.pk)


def free(pool: Pool) -> int:
    with operator_scope():
        return least_free(steps_of([pool.profile_id], hours(0, 4))[pool.profile_id])


def rows() -> tuple[int, ...]:
    with operator_scope():
        models = (Workload, Claim, Hold, AuditEntry, Notice)
        return tuple(model.objects.count() for model in models)


def preempted(workload: Workload, *, at: timedelta = HOUR) -> None:
    """The scheduler gave its cards away and ended it, as Slurm says of a batch script."""
    here = world("h20")
    seen = here.workloads[workload.engine_key]
    here.workloads[workload.engine_key] = type(seen)(
        key=seen.key,
        state=Seen.ENDED,
        engine_job_id="1",
        node="n1",
        started_at=NOW,
        ended_at=NOW + at,
        exit_code=143,
        reason="PREEMPTED",
        preempted=True,
    )
    here.facts["a"] = UsageFact(
        record_key="job1:0",
        workload_key=workload.engine_key,
        engine_job_id="1",
        node="n1",
        gres="h20",
        cards=workload.cards,
        started_at=NOW,
        ended_at=NOW + at,
        seen_until=NOW + at,
    )


# Choosing.


def test_work_is_on_demand_unless_told(alice: Tenant, pool: Pool) -> None:
    made = running(alice)
    assert now_is(made).service_class == "on_demand"
    assert world("h20").specs[made.engine_key].service_class is ServiceClass.ON_DEMAND


@pytest.mark.parametrize("chosen", sorted(CARD_HOUR))
def test_the_class_chosen_is_kept_priced_and_told_to_the_engine(
    alice: Tenant, pool: Pool, chosen: str
) -> None:
    made = running(alice, service_class=chosen)
    assert now_is(made).service_class == chosen
    assert world("h20").specs[made.engine_key].service_class == chosen
    # Two cards for four hours, with 6 percent of tax.
    gross = (8 * CARD_HOUR[chosen] * Decimal("1.06")).quantize(Decimal("0.01"))
    assert now_is(made).gross == gross
    with operator_scope():
        assert standing(alice.organisation.pk).held == gross
        entry = AuditEntry.objects.get(action="compute.workload.requested")
    assert entry.detail["class"] == chosen


def test_work_in_a_reservation_is_covered_and_goes_by_the_reservation(
    alice: Tenant, pool: Pool
) -> None:
    reservation = reserved(alice)
    made = running(alice, pool_code=None, reservation_id=reservation.pk, until=None)
    assert now_is(made).service_class == "covered"
    spec = world("h20").specs[made.engine_key]
    assert (spec.reservation_key, spec.service_class) == (
        reservation.engine_key,
        ServiceClass.ON_DEMAND,
    )


@pytest.mark.parametrize("chosen", sorted(CARD_HOUR))
def test_a_class_together_with_a_reservation_is_refused(
    alice: Tenant, pool: Pool, chosen: str
) -> None:
    reservation = reserved(alice)
    before = rows()
    with pytest.raises(InvalidInput) as refusal:
        asked(
            alice,
            pool_code=None,
            reservation_id=reservation.pk,
            until=None,
            service_class=chosen,
        )
    (fault,) = refusal.value.errors
    assert (fault.pointer, fault.code) == ("/service_class", "service_class_in_reservation")
    assert rows() == before


@pytest.mark.parametrize("chosen", ["", "covered", "committed", "spot", "URGENT"])
def test_what_is_no_class_to_choose_is_refused(alice: Tenant, pool: Pool, chosen: str) -> None:
    before = rows()
    with pytest.raises(InvalidInput) as refusal:
        asked(alice, service_class=chosen)
    assert [fault.code for fault in refusal.value.errors] == ["unknown_service_class"]
    assert rows() == before


def test_a_class_the_scheduler_cannot_honour_is_refused(alice: Tenant, catalogue: None) -> None:
    make_pool(classes="on_demand shared")
    before = rows()
    with pytest.raises(ServiceClassNotOffered) as refusal:
        asked(alice, service_class="urgent")
    assert refusal.value.params == {"pool": "h20", "service_class": "urgent"}
    assert rows() == before
    assert asked(alice, service_class="shared").service_class == "shared"


def test_a_class_without_a_price_is_refused(alice: Tenant, pool: Pool) -> None:
    without_price("shared")
    before = rows()
    with pytest.raises(ServiceClassNotOffered):
        asked(alice, service_class="shared")
    assert rows() == before
    assert asked(alice, service_class="urgent").service_class == "urgent"


def without_price(service_class: str, currency: str = "CNY") -> None:
    """The list in force has no price for cards of the class."""
    lines = [PriceLine(**vars(price)) for price in read_price_seed().prices]
    kept = [line for line in lines if line.match.get("service_class") != service_class]
    assert len(kept) < len(lines)
    with operator_scope():
        publish_version(
            actor=SYSTEM,
            lines=kept,
            effective_at=NOW - HOUR,
            now=NOW - 2 * HOUR,
            currency=currency,
        )


def test_offers_are_what_the_scheduler_honours_and_the_list_prices(
    alice: Tenant, pool: Pool
) -> None:
    plain = make_pool("other", classes="on_demand")
    without_price("urgent")
    with tenant_scope(alice.organisation.pk):
        first, second = class_offers(
            tenant_id=alice.organisation.pk,
            asked=[(pool, 2), (plain, 1)],
            seconds=4 * 3600,
            at=NOW,
        )
    assert [(one.service_class, one.card_hour, one.net, one.gross) for one in first] == [
        ("on_demand", Decimal("7.5"), Decimal(60), Decimal("63.6")),
        ("shared", Decimal("4.5"), Decimal(36), Decimal("38.16")),
    ]
    assert [(one.service_class, one.net) for one in second] == [("on_demand", Decimal(30))]


def test_offers_go_by_the_list_of_the_tenants_own_currency(pool: Pool) -> None:
    without_price("urgent", currency="USD")
    carol = make_tenant("carol", money="0")
    with operator_scope():
        set_currency(actor=SYSTEM, tenant_id=carol.organisation.pk, currency="USD", now=NOW)
    with tenant_scope(carol.organisation.pk):
        (found,) = class_offers(
            tenant_id=carol.organisation.pk, asked=[(pool, 1)], seconds=3600, at=NOW
        )
    assert [(one.service_class, one.currency) for one in found] == [
        ("on_demand", "USD"),
        ("shared", "USD"),
    ]


def test_offers_cost_as_many_statements_for_three_pools_as_for_one(
    alice: Tenant, pool: Pool
) -> None:
    make_pool("b", classes=ALL)
    make_pool("c", classes=ALL)
    pools = list(Pool.objects.select_related("cluster").order_by("code"))
    for number in (1, 3):
        with (
            tenant_scope(alice.organisation.pk),
            CaptureQueriesContext(connection) as told,
        ):
            class_offers(
                tenant_id=alice.organisation.pk,
                asked=[(one, 1) for one in pools[:number]],
                seconds=3600,
                at=NOW,
            )
        assert len(told) == 2


def test_a_cluster_of_no_installed_engine_honours_nothing(pool: Pool) -> None:
    assert classes_of(Cluster(engine="gone", connection={})) == frozenset()


# The database.


def refused_by(statement: str, value: object) -> str:
    with (
        operator_scope(),
        pytest.raises(IntegrityError) as refusal,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [value])
    return str(refusal.value).partition("\n")[0]


def test_the_database_refuses_another_class_after_submission(alice: Tenant, pool: Pool) -> None:
    made = asked(alice, service_class="shared")
    told = refused_by("UPDATE compute_workload SET service_class = 'urgent' WHERE id = %s", made.pk)
    assert told == "the service class of compute_workload is fixed"
    assert now_is(made).service_class == "shared"


def test_the_database_refuses_what_is_no_class_and_a_class_in_a_reservation(
    alice: Tenant, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the command's own check is removed."""
    reservation = reserved(alice)
    before = rows()
    monkeypatch.setattr("compute.commands.workloads.class_given", _unchecked)
    for more in (
        {"pool_code": None, "reservation_id": reservation.pk, "service_class": "urgent"},
        {"pool_code": None, "reservation_id": reservation.pk, "service_class": "on_demand"},
        {"pool_code": None, "reservation_id": reservation.pk, "service_class": "spot"},
    ):
        with pytest.raises(IntegrityError, match="compute_workload_class_known"):
            asked(alice, **{**more, "until": None})
    assert rows() == before


def _unchecked(*, reservation_id: object, service_class: str) -> str:
    return service_class


# Metering.


@pytest.mark.parametrize("chosen", sorted(CARD_HOUR))
def test_use_is_metered_and_invoiced_as_the_class_chosen(
    alice: Tenant, pool: Pool, clock: Clock, chosen: str
) -> None:
    made = running(alice, service_class=chosen)
    preempted(made)
    clock.now = NOW + HOUR
    collect_usage(cluster_id=str(pool.cluster_id))
    with operator_scope():
        cost = workload_cost(actor=SYSTEM, workload=now_is(made), now=clock.now)
        invoice = issue_invoice(
            actor=SYSTEM,
            tenant_id=alice.organisation.pk,
            until=NOW + 2 * HOUR,
            now=NOW + 2 * HOUR,
        )
        (line,) = invoice_detail(
            tenant_id=alice.organisation.pk, invoice_id=invoice.pk, now=NOW
        ).lines
    assert (cost.card_seconds, cost.net, cost.hourly) == (
        2 * 3600,
        2 * CARD_HOUR[chosen],
        2 * CARD_HOUR[chosen],
    )
    assert (line.sku, line.quantity, line.net) == (
        f"card.{chosen}.nvidia-h20",
        2 * 3600,
        2 * CARD_HOUR[chosen],
    )
    assert dict(line.dimensions)["service_class"] == chosen


def test_work_the_scheduler_preempted_ends_is_told_and_costs_what_it_ran(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    made = running(alice, service_class="shared")
    preempted(made)
    clock.now = NOW + HOUR
    for _again in range(2):
        observe_cluster(cluster_id=str(pool.cluster_id))
        collect_usage(cluster_id=str(pool.cluster_id))
    ended = now_is(made)
    assert (ended.state, ended.ended_at) == ("stopped", NOW + HOUR)
    assert ended.reason == "Preempted: work of a higher class took its cards."
    assert free(pool) == 6  # of the hours that had passed; the rest is free again
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0
        notice = Notice.objects.get(kind="workload.preempted")
    assert (notice.detail["pool"], notice.detail["cards"]) == ("h20", 2)
    assert breaches() == ()


# Giving way.


def test_urgent_work_takes_the_cards_of_the_latest_shared_work(
    alice: Tenant, bob: Tenant, pool: Pool, clock: Clock
) -> None:
    first = running(bob, 3, service_class="shared")
    second = running(bob, 3, service_class="shared")
    plain = running(bob, 2)
    at = NOW + timedelta(minutes=10)
    urgent = asked(alice, 2, service_class="urgent", now=at)
    assert [now_is(one).state for one in (first, second, plain)] == [
        "running",
        "stopping",
        "running",
    ]
    assert now_is(second).reason == "Preempted: work of a higher class took its cards."
    with operator_scope():
        (notice,) = Notice.objects.filter(kind="workload.preempted")
    assert (notice.tenant_id, notice.detail["workload"]) == (
        bob.organisation.pk,
        str(second.pk),
    )
    clock.now = at
    drive_workload(workload_id=str(second.pk))
    drive_workload(workload_id=str(urgent.pk))
    assert (now_is(second).state, now_is(urgent).state) == ("stopped", "running")
    assert breaches() == ()


def test_work_that_is_not_urgent_takes_nobodys_cards(
    alice: Tenant, bob: Tenant, pool: Pool
) -> None:
    running(bob, 8, service_class="shared")
    before = rows()
    for chosen in ("on_demand", "shared"):
        with pytest.raises(NotEnoughCapacity):
            asked(alice, 1, service_class=chosen, now=NOW + HOUR)
    assert rows() == before


def test_where_all_shared_work_is_too_little_nothing_ends(
    alice: Tenant, bob: Tenant, pool: Pool
) -> None:
    shared = running(bob, 3, service_class="shared")
    running(bob, 5, service_class="urgent")
    before = rows()
    with pytest.raises(NotEnoughCapacity):
        asked(alice, 4, service_class="urgent", now=NOW + HOUR)
    assert now_is(shared).state == "running"
    assert (rows(), free(pool)) == (before, 0)


def test_urgent_work_that_cannot_be_paid_ends_nobodys_work(
    alice: Tenant, bob: Tenant, pool: Pool
) -> None:
    shared = running(bob, 8, service_class="shared")
    with operator_scope():
        set_credit_limit(actor=SYSTEM, tenant_id=alice.organisation.pk, amount=Decimal(1), now=NOW)
    before = rows()
    with pytest.raises(InsufficientFunds):
        asked(alice, 2, service_class="urgent", now=NOW + HOUR)
    assert (now_is(shared).state, rows()) == ("running", before)
