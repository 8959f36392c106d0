"""What each day cost, the forecast made of it, and the notice of an unusual day."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.budget_tasks import watch_spend as watch_task
from billing.commands.accrual import accrue
from billing.commands.budgets import set_budget
from billing.commands.spend_days import watch_spend
from billing.models import Budget, BudgetScope, PriceVersion, SpendAnomaly, SpendDay
from billing.queries.budgets import Outlook, budget, budget_overview
from billing.queries.sweep import tenants_to_watch
from tenants.models import Notice, Organisation, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.factories import billing as make
from tests.factories.tenants import key

pytestmark = pytest.mark.django_db

D = Decimal
DAY = timedelta(days=1)
# 20:00 in China: the day began at 16:00 UTC of the day before.
TODAY = date(2026, 11, 15)


@pytest.fixture
def atlas(alice: Organisation) -> Project:
    with operator_scope():
        return Project.objects.create(tenant=alice, code="atlas", name="Atlas")


def watch(tenant: Organisation, now: datetime = make.NOW) -> None:
    with tenant_scope(tenant.pk):
        watch_spend(tenant_id=tenant.pk, now=now)


def days(tenant: Organisation, **of: object) -> dict[int, Decimal]:
    """What the days of November cost, by their number."""
    said = {"project": None, "budget": None, **of}
    with operator_scope():
        rows = SpendDay.objects.filter(tenant=tenant, **said)
        return {row.day.day: row.net for row in rows if row.net}


def use_every_day(tenant: Organisation, count: int, millions: int, project: Project) -> None:
    """So much on each of the last full days, the newest yesterday."""
    for back in range(1, count + 1):
        ingest(
            tenant,
            make.tokens(
                f"day{back}", millions * 1_000_000, make.NOW - DAY * back, project_id=project.pk
            ),
        )


def test_days_are_those_of_the_centres_calendar_and_of_projects_and_keys(
    alice: Organisation, prices: PriceVersion, atlas: Project
) -> None:
    row, _secret = key(alice)
    midnight = datetime(2026, 11, 14, 16, 0, tzinfo=make.NOW.tzinfo)
    ingest(
        alice,
        make.tokens("before", 1_000_000, midnight - timedelta(seconds=1), project_id=atlas.pk),
        make.tokens("after", 2_000_000, midnight, key=str(row.pk)),
    )
    with tenant_scope(alice.pk):
        made = set_budget(
            actor=SYSTEM,
            tenant_id=alice.pk,
            scope=BudgetScope.KEY,
            subject=row.pk,
            amount=D(100),
            now=make.NOW,
        )
    watch(alice)
    watch(alice)
    assert days(alice) == {14: D("1.000000"), 15: D("2.000000")}
    assert days(alice, project=atlas) == {14: D("1.000000")}
    assert days(alice, budget=made) == {15: D("2.000000")}


def test_a_budget_of_a_key_has_its_days_and_its_forecast_as_soon_as_it_is_set(
    alice: Organisation, prices: PriceVersion
) -> None:
    row, _secret = key(alice)
    for back in (0, 1, 2):
        ingest(
            alice,
            make.tokens(f"d{back}", 2_000_000, make.NOW - make.HOUR - DAY * back, key=str(row.pk)),
        )
    watch(alice)
    with tenant_scope(alice.pk):
        made = set_budget(
            actor=SYSTEM,
            tenant_id=alice.pk,
            scope=BudgetScope.KEY,
            subject=row.pk,
            amount=D(100),
            now=make.NOW,
        )
        state, outlook = budget(actor=SYSTEM, tenant_id=alice.pk, budget_id=made.pk, now=make.NOW)
    assert days(alice, budget=made) == {13: D(2), 14: D(2), 15: D(2)}
    assert (state.spent, outlook.spent) == (D(6), D(6))
    assert state.forecast is not None
    assert state.forecast.days == 2
    assert broken() == ()


def test_use_whose_days_were_never_reckoned_is_awaited_and_no_use_is_nothing(
    alice: Organisation, prices: PriceVersion
) -> None:
    def outlook() -> Outlook:
        with tenant_scope(alice.pk):
            return budget_overview(actor=SYSTEM, tenant_id=alice.pk, now=make.NOW)[1]

    assert (outlook().spent, outlook().is_awaited) == (D(0), False)
    ingest(alice, make.tokens("a", 1_000_000))
    assert (outlook().spent, outlook().is_awaited) == (D(0), True)
    watch(alice)
    assert (outlook().spent, outlook().is_awaited) == (D(1), False)


def test_an_invoice_moves_no_day_and_late_use_joins_its_own(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("a", 3_000_000, make.NOW - 2 * DAY))
    ingest(alice, make.tokens("b", 1_000_000))
    issue(alice)
    watch(alice)
    assert days(alice) == {13: D(3), 15: D(1)}
    later = make.NOW + make.HOUR
    ingest(alice, make.tokens("late", 2_000_000, make.NOW - 2 * DAY), now=later)
    watch(alice, later)
    assert days(alice) == {13: D(5), 15: D(1)}


def test_an_unusual_day_is_told_once_with_what_made_it(
    alice: Organisation, prices: PriceVersion, atlas: Project
) -> None:
    use_every_day(alice, 8, 50, atlas)
    ingest(alice, make.tokens("usual", 149_000_000, project_id=atlas.pk))
    watch(alice)
    with operator_scope():
        assert not SpendAnomaly.objects.exists()
    ingest(alice, make.tokens("much", 2_000_000, project_id=atlas.pk))
    for _time in range(2):
        watch(alice)
    with operator_scope():
        (found,) = SpendAnomaly.objects.all()
        (notice,) = Notice.objects.filter(kind="spend.unusual")
    assert (found.day, found.net, found.usual, found.limit, found.days) == (
        TODAY,
        D(151),
        D(50),
        D(150),
        8,
    )
    assert (notice.detail["project"], notice.detail["project_net"]) == ("Atlas", "151.00")
    # The same day, with more, is not told again; nor is it tomorrow, as the day before.
    ingest(alice, make.tokens("more", 9_000_000))
    watch(alice, make.NOW + DAY)
    with operator_scope():
        assert SpendAnomaly.objects.count() == 1
    assert broken() == ()


def test_the_database_tells_of_a_day_once_and_only_of_one_that_stands_out(
    alice: Organisation,
) -> None:
    said = {
        "tenant": alice,
        "day": TODAY,
        "net": D(400),
        "usual": D(100),
        "limit": D(300),
        "days": 14,
        "at": make.NOW,
    }
    with operator_scope():
        SpendAnomaly.objects.create(**said)
    for change in ({}, {"day": TODAY - DAY, "net": D(300)}, {"day": TODAY - DAY, "usual": D(301)}):
        with pytest.raises(Exception, match="billing_spendanomaly"), operator_scope():
            SpendAnomaly.objects.create(**{**said, **change})


def test_a_budget_and_the_organisation_have_a_forecast(
    alice: Organisation, prices: PriceVersion, atlas: Project
) -> None:
    use_every_day(alice, 10, 10, atlas)
    with tenant_scope(alice.pk):
        _none, before = budget_overview(actor=SYSTEM, tenant_id=alice.pk, now=make.NOW)
        assert before.forecast is None
        for scope, subject in ((BudgetScope.TENANT, None), (BudgetScope.PROJECT, atlas.pk)):
            set_budget(
                actor=SYSTEM,
                tenant_id=alice.pk,
                scope=scope,
                subject=subject,
                amount=D(200),
                now=make.NOW,
            )
    with tenant_scope(alice.pk):
        rows, outlook = budget_overview(actor=SYSTEM, tenant_id=alice.pk, now=make.NOW)
    assert [row.scope for row in rows] == ["tenant", "project"]
    # 100 so far, and 15 days and 4 hours at ten a day.
    for row in rows:
        assert row.forecast is not None
        assert (row.spent, row.forecast.expected, row.forecast.days) == (D(100), D("251.67"), 7)
        assert row.forecast.low == row.forecast.high == row.forecast.expected
        assert row.forecast.reaches_at == make.NOW + 10 * DAY
    assert (outlook.spent, outlook.forecast) == (D(100), outlook.forecast)
    assert sorted(day.day for day in outlook.days) == list(range(5, 15))


def test_the_task_watches_whoever_used_something_and_nobody_else(
    alice: Organisation,
    bob: Organisation,
    prices: PriceVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.budget_tasks.utc_now", lambda: make.NOW)
    ingest(alice, make.tokens("a", 1_000_000))
    watch_task()
    assert (days(alice), days(bob)) == ({15: D(1)}, {})
    with operator_scope():
        # Its days were reckoned at a time of the test's own, an hour and more after any batch.
        SpendDay.objects.update(refreshed_at=datetime(2100, 1, 1, tzinfo=make.NOW.tzinfo))
        assert tenants_to_watch() == ()


def test_a_key_without_a_budget_has_no_days_of_its_own(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("a", 1_000_000))
    with tenant_scope(alice.pk):
        accrue(tenant_id=alice.pk, now=make.NOW)
    watch(alice)
    with operator_scope():
        assert not Budget.objects.exists()
        assert SpendDay.objects.count() == 1
