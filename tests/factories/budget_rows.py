"""One row of every model of budgets, made the way the product makes them."""

from decimal import Decimal

from billing.commands.budgets import set_budget
from billing.commands.spend_days import watch_spend
from billing.models import Budget, BudgetAlert, BudgetMonth, BudgetScope, SpendAnomaly, SpendDay
from common.clock import utc_now
from tenants.models import Project
from tenants.permissions import SYSTEM
from tests.factories import World, factory
from tests.factories.billing import NOW


@factory(Budget)
def budget(world: World) -> Budget:
    return set_budget(
        actor=SYSTEM,
        tenant_id=world.organisation.pk,
        scope=BudgetScope.PROJECT,
        subject=world.one(Project).pk,
        amount=Decimal("1000.00"),
        now=utc_now(),
    )


@factory(BudgetMonth)
def budget_month(world: World) -> BudgetMonth:
    return BudgetMonth.objects.filter(budget=world.one(Budget)).latest("month_start")


@factory(BudgetAlert)
def budget_alert(world: World) -> BudgetAlert:
    # What nobody can spend in a test: an alert of a month that is long over.
    return BudgetAlert.objects.create(
        tenant=world.organisation,
        budget=world.one(Budget),
        month_start=NOW,
        threshold=50,
        spent=Decimal(500),
        amount=Decimal(1000),
        at=NOW,
    )


@factory(SpendDay)
def spend_day(world: World) -> SpendDay:
    watch_spend(tenant_id=world.organisation.pk, now=utc_now())
    return SpendDay.objects.create(
        tenant=world.organisation,
        budget=world.one(Budget),
        day=NOW.date(),
        net=Decimal("12.50"),
        refreshed_at=NOW,
    )


@factory(SpendAnomaly)
def spend_anomaly(world: World) -> SpendAnomaly:
    return SpendAnomaly.objects.create(
        tenant=world.organisation,
        day=NOW.date(),
        net=Decimal(400),
        usual=Decimal(100),
        limit=Decimal(300),
        days=14,
        at=NOW,
    )
