"""Budgets and deployments: what is refused, what is stopped, and what goes on."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.utils import translation

from appliances.commands.budgets import obey_budgets, set_budget
from appliances.models import Deployment, DeploymentState
from appliances.tasks import obey_budgets as obey_task
from billing.commands.accrual import accrue
from billing.commands.budgets import change_budget
from billing.commands.usage import record_usage
from billing.models import Account, Budget
from billing.queries.budgets import BudgetReached, budget_state, tenants_that_stop_running
from billing.queries.call_prices import AskedPrice, highest_prices
from billing.usage import UsageEvent
from common.errors import NotFound
from common.ids import uuid7
from common.period import Period
from compute.commands.holding import hold
from compute.models import Claim, Reservation, Workload
from portal.gateway.domain import PRICES, bill, database_clock, take_snapshot
from portal.gateway.errors import Refusal
from portal.gateway.holds import Bound, Holds
from portal.gateway.snapshot import Snapshot
from portal.gateway.spool import CallRecord
from tenants.models import Notice
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.appliances import NOW, Customer, catalogue_on_sale, customer, deployed, pool
from tests.factories.tenants import key
from tests.portal.test_gateway_domain import ready

pytestmark = pytest.mark.django_db

D = Decimal
HOUR = timedelta(hours=1)


@pytest.fixture
def alice(db: None) -> Customer:
    catalogue_on_sale("small-chat")
    pool()
    return customer("alice")


def budget(
    who: Customer, scope: str, subject: object, amount: str = "1.00", **stopping: bool
) -> Budget:
    with tenant_scope(who.organisation.pk):
        return set_budget(
            actor=who.actor,
            tenant_id=who.organisation.pk,
            scope=scope,
            subject_id=subject,  # type: ignore[arg-type]
            amount=D(amount),
            now=NOW,
            **{"stops": False, "stops_running": False, **stopping},
        )


def tokens(made: Deployment, quantity: int, **fields: object) -> UsageEvent:
    said = {
        "source": "gateway",
        "id": str(uuid7()),
        "meter": "appliances.tokens_out",
        "subject": f"appliances.deployment:{made.pk}",
        "at": NOW,
        "quantity": quantity,
        "dimensions": {"model": "chat", "deployment": str(made.pk), "key": "k"},
        "project_id": made.project_id,
    }
    return UsageEvent(**{**said, **fields})  # type: ignore[arg-type]


def cards(made: Deployment, seconds: int) -> UsageEvent:
    return tokens(
        made,
        seconds,
        meter="compute.card_seconds",
        dimensions={
            "chip": "nvidia-h20",
            "pool": "desk",
            "service_class": "on_demand",
            "reservation": "",
            "workload": str(made.workload_id),
        },
    )


def use(who: Customer, *events: UsageEvent) -> None:
    with tenant_scope(who.organisation.pk):
        record_usage(actor=SYSTEM, tenant_id=who.organisation.pk, events=events, now=NOW + HOUR)
        accrue(tenant_id=who.organisation.pk, now=NOW + HOUR)


def obey(who: Customer) -> None:
    with translation.override("en"), tenant_scope(who.organisation.pk):
        obey_budgets(tenant_id=who.organisation.pk, now=NOW + HOUR)


def state_of(made: Deployment) -> str:
    with operator_scope():
        return Deployment.objects.get(pk=made.pk).state


def spent(row: Budget) -> Decimal:
    with tenant_scope(row.tenant_id):
        return budget_state(
            actor=SYSTEM, tenant_id=row.tenant_id, budget_id=row.pk, now=NOW + HOUR
        ).spent


def test_a_deployments_budget_counts_its_calls_and_its_cards(alice: Customer) -> None:
    made, other = deployed(alice), deployed(alice, "second")
    row = budget(alice, "deployment", made.pk, "1000.00")
    assert (row.name, row.workload_id) == ("chat", made.workload_id)
    use(alice, tokens(made, 1_000_000), tokens(other, 9_000_000))
    calls = spent(row)
    use(alice, cards(made, 3600), cards(other, 7200))
    both = spent(row)
    assert 0 < calls < both
    whole = budget(alice, "tenant", None, "1000.00")
    rest = budget(alice, "deployment", other.pk, "1000.00")
    use(alice)
    assert spent(whole) == both + spent(rest)


def test_a_budget_speaks_of_the_tenants_own_deployments_only(alice: Customer) -> None:
    bob = customer("bob")
    made = deployed(alice)
    with pytest.raises(NotFound):
        budget(bob, "deployment", made.pk)
    row = budget(bob, "tenant", None)
    with pytest.raises(IntegrityError), operator_scope():
        Budget.objects.create(
            tenant=bob.organisation,
            scope="deployment",
            deployment_id=made.pk,
            name="x",
            amount=D(1),
            created_at=NOW,
            changed_at=NOW,
        )
    assert row.scope == "tenant"


def test_under_a_reached_budget_nothing_new_begins_until_it_is_raised(alice: Customer) -> None:
    made = deployed(alice)
    row = budget(alice, "project", alice.project.pk, stops=True)
    use(alice, cards(made, 36_000))
    with operator_scope():
        before = (Deployment.objects.count(), Workload.objects.count(), Claim.objects.count())
    period = Period(NOW + 2 * HOUR, NOW + 26 * HOUR)

    def reserve() -> Reservation:
        with tenant_scope(alice.organisation.pk):
            return hold(
                actor=alice.actor,
                project_id=alice.project.pk,
                pool_code="desk",
                cards=1,
                period=period,
                now=NOW + HOUR,
            )

    with pytest.raises(BudgetReached):
        deployed(alice, "second", NOW + HOUR)
    with pytest.raises(BudgetReached):
        reserve()
    with operator_scope():
        after = (Deployment.objects.count(), Workload.objects.count(), Claim.objects.count())
    assert after == before
    # It does not stop what runs unless it says so.
    obey(alice)
    assert state_of(made) == DeploymentState.REQUESTED
    with tenant_scope(alice.organisation.pk):
        change_budget(
            actor=alice.actor,
            tenant_id=alice.organisation.pk,
            budget_id=row.pk,
            amount=D(100_000),
            now=NOW + HOUR,
        )
    deployed(alice, "second", NOW + HOUR)
    reserve()


def test_a_budget_that_says_so_stops_what_runs_on_demand_once_and_tells(alice: Customer) -> None:
    made = deployed(alice)
    budget(alice, "tenant", None, stops=True, stops_running=True)
    with operator_scope():
        assert tenants_that_stop_running(NOW + HOUR) == ()
    obey(alice)
    assert state_of(made) == DeploymentState.REQUESTED
    use(alice, cards(made, 36_000))
    with operator_scope():
        assert tenants_that_stop_running(NOW + HOUR) == (alice.organisation.pk,)
    obey(alice)
    obey(alice)
    assert state_of(made) == DeploymentState.STOPPING
    with operator_scope():
        (notice,) = Notice.objects.filter(kind="budget.work_stopped")
        assert Deployment.objects.get().reason == "Stopped: the budget “Alice” is reached."
    assert (notice.detail["deployment"], notice.detail["amount"]) == ("chat", "1.00")


def test_the_task_does_it_too_and_work_in_a_reservation_goes_on(
    alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliances.tasks.utc_now", lambda: NOW + HOUR)
    made, reserved = deployed(alice), deployed(alice, "second")
    period = Period(NOW + 2 * HOUR, NOW + 26 * HOUR)
    with tenant_scope(alice.organisation.pk):
        other = hold(
            actor=alice.actor,
            project_id=alice.project.pk,
            pool_code="desk",
            cards=1,
            period=period,
            now=NOW,
        )
    with operator_scope():
        # A row of its own, as the class of one that stands is fixed.
        reserved.pk, reserved.name, reserved.served_model_name = uuid7(), "third", "third"
        reserved.workload_id = None
        reserved.reservation_id, reserved.service_class = other.pk, "covered"
        reserved.save(force_insert=True)
    budget(alice, "project", alice.project.pk, stops=True, stops_running=True)
    use(alice, cards(made, 36_000))
    obey_task(tenant_id=str(alice.organisation.pk))
    assert state_of(made) == DeploymentState.STOPPING
    assert state_of(reserved) == DeploymentState.REQUESTED


def test_a_price_for_a_call_is_what_the_call_is_rated_at(alice: Customer) -> None:
    made = deployed(alice)
    row = budget(alice, "deployment", made.pk, "1000.00")
    with operator_scope():
        asked = AskedPrice(
            alice.organisation.pk,
            "appliances.tokens_out",
            {"model": "chat", "deployment": str(made.pk)},
        )
        price, unknown = highest_prices([asked, AskedPrice(asked.tenant_id, "no.meter", {})], NOW)
    assert unknown is None
    assert price is not None
    use(alice, tokens(made, 1_000_000))
    assert price.net * 1_000_000 == spent(row)
    assert price.gross == price.net * D("1.06")


def test_what_the_gateway_admits_is_what_is_recorded_round_after_round(alice: Customer) -> None:
    """The real rating, accrual and snapshot around the holds: the budget is never exceeded."""
    PRICES.__init__()  # type: ignore[misc]  # forget what another test's snapshot read
    made = ready(alice)
    row, secret = key(alice.organisation)
    limit = budget(alice, "key", row.pk, "0.05", stops=True)
    held: list[Snapshot] = [take_snapshot()]
    holds = Holds(lambda: held[-1])
    grant = held[0].grant_for(secret.encode())
    assert grant is not None
    route = held[0].targets[alice.organisation.pk, "chat"]
    served, codes = 0, set()
    for number in range(8):
        calls = []
        for _call in range(20):
            call_id = uuid7()
            try:
                holds.take(call_id, grant, route, Bound(200, 400))
            except Refusal as refusal:
                codes.add(refusal.code)
                break
            holds.metered(call_id, 150, 100 + number)
            calls.append(
                CallRecord(
                    id=call_id,
                    at=database_clock(),
                    tenant_id=alice.organisation.pk,
                    project_id=made.project_id,
                    key_id=row.pk,
                    deployment_id=made.pk,
                    model="chat",
                    tokens_in=150,
                    tokens_out=100 + number,
                    reported=True,
                    partial=False,
                )
            )
        served += len(calls)
        assert bill(calls) == []
        holds.committed([one.id for one in calls], database_clock())
        with tenant_scope(alice.organisation.pk):
            accrue(tenant_id=alice.organisation.pk, now=database_clock())
        held.append(take_snapshot())
        holds.forget_counted()
        assert holds.outstanding(("key", row.pk)) == 0
        with tenant_scope(alice.organisation.pk):
            state = budget_state(
                actor=SYSTEM,
                tenant_id=alice.organisation.pk,
                budget_id=limit.pk,
                now=database_clock(),
            )
        assert state.spent <= D("0.05")
    assert (served > 0, codes) == (True, {"budget_reached"})
    with operator_scope():
        assert Account.objects.get(tenant=alice.organisation).accrual_read_at is not None
