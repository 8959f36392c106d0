"""Two accruals, one alert; two makers, one budget; and what is left without the lock."""

from decimal import Decimal

import pytest

from billing.commands import accrual
from billing.commands.accrual import accrue
from billing.commands.budgets import BudgetExists, set_budget
from billing.commands.spend_days import watch_spend
from billing.locks import open_account
from billing.models import Budget, BudgetAlert, BudgetScope, SpendAnomaly
from tenants.models import Notice, Organisation, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest
from tests.concurrency.crowd import at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


def budget(tenant: Organisation, amount: str = "3.60") -> Budget:
    with tenant_scope(tenant.pk):
        return set_budget(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            scope=BudgetScope.TENANT,
            subject=None,
            amount=D(amount),
            now=make.NOW,
        )


def spending(code: str = "alice") -> Organisation:
    alice = make.make_tenant(code)
    make.make_prices()
    return alice


def accrue_at_once(alice: Organisation) -> list[object]:
    def work(_index: int) -> None:
        with tenant_scope(alice.pk):
            accrue(tenant_id=alice.pk, now=make.NOW)

    return list(at_once(6, work))


def test_many_accruals_tell_each_threshold_once() -> None:
    alice = spending()
    budget(alice)
    ingest(alice, make.cards("c", 3600))
    assert accrue_at_once(alice) == [None] * 6
    with operator_scope():
        assert BudgetAlert.objects.count() == 3
        assert Notice.objects.filter(kind="budget.threshold_reached").count() == 3
    assert broken() == ()


def test_without_the_lock_the_database_still_tells_each_threshold_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = spending()
    budget(alice)
    ingest(alice, make.cards("c", 3600))
    monkeypatch.setattr(accrual, "lock_account", open_account)
    accrue_at_once(alice)
    with operator_scope():
        assert BudgetAlert.objects.count() == 3
        assert Notice.objects.filter(kind="budget.threshold_reached").count() == 3


def test_one_of_many_makers_of_a_budget_is_first() -> None:
    alice = spending()
    results = at_once(6, lambda _index: budget(alice).pk)
    assert sum(isinstance(result, BudgetExists) for result in results) == 5
    with operator_scope():
        assert Budget.objects.count() == 1


def test_an_unusual_day_is_told_once_by_many_watchers() -> None:
    alice = spending()
    with operator_scope():
        atlas = Project.objects.create(tenant=alice, code="atlas", name="Atlas")
    for back in range(8):
        millions = 900 if back == 0 else 50
        at = make.NOW - make.HOUR * (24 * back + 1)
        ingest(alice, make.tokens(f"d{back}", millions * 1_000_000, at, project_id=atlas.pk))

    def work(_index: int) -> None:
        with tenant_scope(alice.pk):
            watch_spend(tenant_id=alice.pk, now=make.NOW)

    assert at_once(4, work) == [None] * 4
    with operator_scope():
        assert SpendAnomaly.objects.count() == 1
        assert Notice.objects.filter(kind="spend.unusual").count() == 1
