"""Budgets for reading: how each stands, its forecast, and which of them stop something now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import DecimalField, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.budgeting import PACE_DAYS, BudgetFigures, Forecast, forecast
from billing.models import (
    Account,
    Budget,
    BudgetAlert,
    BudgetMonth,
    BudgetScope,
    SpendDay,
    UsageBatch,
)
from billing.queries.currencies import own_currency
from common.errors import DomainError, NotFound
from common.paging import Page, in_order
from common.period import Period, month_of
from common.zone import centre_zone
from tenants.permissions import Actor, Permission, require, require_whole_tenant

DAY = timedelta(days=1)
# Whose days: nobody's in particular, a project's, or a budget's.
DaysKey = tuple[UUID | None, UUID | None]
Days = Mapping[DaysKey, Mapping[date, Decimal]]
WHOLE: DaysKey = (None, None)


@dataclass(frozen=True)
class BudgetState:
    """A budget and how its month stands. Units: net, but ``held`` is gross.

    Shape: ``subject_id`` is None for the whole organisation; ``held`` is what is promised to
    reservations and running work and not spent yet, known of the whole organisation only;
    ``forecast`` is None before the first full day of use.
    """

    id: UUID
    scope: str
    name: str
    subject_id: UUID | None
    currency: str
    amount: Decimal
    stops: bool
    stops_running: bool
    month_start: datetime
    month_end: datetime
    spent: Decimal
    remaining: Decimal
    percent: int
    is_reached: bool
    held: Decimal | None
    alerts: tuple[int, ...]
    refreshed_at: datetime | None
    forecast: Forecast | None

    @property
    def pk(self) -> UUID:
        return self.id


def budgets(*, actor: Actor, tenant_id: UUID, now: datetime) -> tuple[BudgetState, ...]:
    """The tenant's budgets, the whole organisation's first; four statements.

    A key narrowed to one project sees that project's only. Raises: PermissionRefused.
    """
    return _states(_visible(actor, tenant_id), _days(tenant_id, now), now)


@dataclass(frozen=True)
class Outlook:
    """A month day by day, and what it may come to in the end.

    Shape: ``days`` are of the last reading, some minutes old; ``spent`` is their sum.
    ``is_awaited`` where there was use and no reading yet: nothing is known, which is not zero.
    """

    days: Mapping[date, Decimal]
    spent: Decimal
    forecast: Forecast | None
    is_awaited: bool = False


def budget_overview(
    *, actor: Actor, tenant_id: UUID, now: datetime
) -> tuple[tuple[BudgetState, ...], Outlook]:
    """The budgets and the whole organisation's month; four statements, five before any day.

    Raises: PermissionRefused.
    """
    rows, days = _visible(actor, tenant_id), _days(tenant_id, now)
    return _states(rows, days, now), _whole(tenant_id, days, now)


def month_outlook(*, actor: Actor, tenant_id: UUID, now: datetime) -> Outlook:
    """The whole organisation's month; one statement, two before any day.

    Raises: PermissionRefused.
    """
    require(actor, Permission.BUDGET_READ, tenant_id)
    require_whole_tenant(actor)
    return _whole(tenant_id, _days(tenant_id, now), now)


def budget(
    *, actor: Actor, tenant_id: UUID, budget_id: UUID, now: datetime
) -> tuple[BudgetState, Outlook]:
    """One budget and its own month; four statements. Raises: PermissionRefused, NotFound."""
    row = _visible(actor, tenant_id).filter(pk=budget_id)
    days = _days(tenant_id, now)
    found = _states(row, days, now)
    if not found:
        raise NotFound
    one = found[0]
    whose = _whose(one.scope, one.subject_id, one.id)
    return one, _outlook(days.get(whose, {}), now, one)


def budget_state(*, actor: Actor, tenant_id: UUID, budget_id: UUID, now: datetime) -> BudgetState:
    """Raises: PermissionRefused, NotFound."""
    return budget(actor=actor, tenant_id=tenant_id, budget_id=budget_id, now=now)[0]


def budget_page(
    *, actor: Actor, tenant_id: UUID, now: datetime, cursor: str | None = None, limit: int = 50
) -> Page[BudgetState]:
    """The same, a page at a time. Raises: PermissionRefused, InvalidInput."""
    rows = sorted(budgets(actor=actor, tenant_id=tenant_id, now=now), key=_by_id)
    return in_order(rows, _by_id, cursor=cursor, limit=limit)


def _by_id(state: BudgetState) -> str:
    return str(state.id)


def _visible(actor: Actor, tenant_id: UUID) -> QuerySet[Budget]:
    # Whoever may set a budget may see it, also a key that was given nothing else.
    may_manage = Permission.BUDGET_MANAGE in actor.permissions
    needed = Permission.BUDGET_MANAGE if may_manage else Permission.BUDGET_READ
    require(actor, needed, tenant_id)
    rows = Budget.objects.filter(tenant_id=tenant_id, removed_at__isnull=True)
    return rows.filter(project_id=actor.project_id) if actor.project_id is not None else rows


_ORDER = {scope: place for place, scope in enumerate(BudgetScope)}


def _states(rows: QuerySet[Budget], days: Days, now: datetime) -> tuple[BudgetState, ...]:
    month = month_of(now, settings.CENTRE_TIME_ZONE)
    found = sorted(
        rows.annotate(
            spent=_spent(month),
            refreshed_at=_of_month(month, "refreshed_at"),
            promised=Subquery(Account.objects.filter(tenant=OuterRef("tenant")).values("held")),
            currency=own_currency(),
        ),
        key=lambda one: (_ORDER[BudgetScope(one.scope)], one.name, one.pk),
    )
    if not found:
        return ()
    told: dict[UUID, list[int]] = defaultdict(list)
    alerts = BudgetAlert.objects.filter(budget__in=found, month_start=month.start)
    for budget_id, threshold in alerts.values_list("budget_id", "threshold"):
        told[budget_id].append(threshold)
    return tuple(_state(one, month, now, days, sorted(told[one.pk])) for one in found)


# The row with what the query adds to it, which its type does not say.
def _state(
    row: Budget,
    month: Period,
    now: datetime,
    days: Days,
    alerts: Sequence[int],
) -> BudgetState:
    spent: Decimal = row.spent  # type: ignore[attr-defined]
    figures = BudgetFigures(row.amount, spent)
    own_days = days.get(_whose(row.scope, row.project_id, row.pk), {})
    return BudgetState(
        id=row.pk,
        scope=row.scope,
        name=row.name,
        subject_id=row.project_id or row.api_key_id or row.deployment_id,
        currency=row.currency,  # type: ignore[attr-defined]
        amount=row.amount,
        stops=row.stops,
        stops_running=row.stops_running,
        month_start=month.start,
        month_end=month.end,
        spent=spent,
        remaining=figures.remaining,
        percent=figures.percent,
        is_reached=figures.is_reached,
        held=(row.promised or Decimal(0))  # type: ignore[attr-defined]
        if row.scope == BudgetScope.TENANT
        else None,
        alerts=tuple(alerts),
        refreshed_at=row.refreshed_at,  # type: ignore[attr-defined]
        forecast=forecast(
            spent=spent,
            full_days=days_before(own_days, today_at(now), PACE_DAYS),
            now=now,
            month_end=month.end,
            amount=row.amount,
        ),
    )


def _of_month(month: Period, field: str) -> Subquery:
    rows = BudgetMonth.objects.filter(budget=OuterRef("pk"), month_start=month.start)
    return Subquery(rows.values(field))


def _spent(month: Period) -> Coalesce:
    """What the month has cost: nothing before the first accrual that saw something."""
    return Coalesce(
        _of_month(month, "spent"),
        Decimal(0),
        output_field=DecimalField(max_digits=24, decimal_places=6),
    )


def _whose(scope: str, project_id: UUID | None, budget_id: UUID) -> DaysKey:
    if scope == BudgetScope.TENANT:
        return WHOLE
    return (project_id, None) if scope == BudgetScope.PROJECT else (None, budget_id)


def today_at(now: datetime) -> date:
    """The day on the centre's calendar."""
    return now.astimezone(centre_zone()).date()


def days_of(tenant_id: UUID, *, since: date, until: date) -> Days:
    """What the days from ``since`` to ``until``, both included, cost by whose they are."""
    days: dict[DaysKey, dict[date, Decimal]] = defaultdict(dict)
    rows = SpendDay.objects.filter(tenant_id=tenant_id, day__gte=since, day__lte=until)
    for project_id, budget_id, day, net in rows.values_list("project", "budget", "day", "net"):
        days[project_id, budget_id][day] = net
    return days


def _is_awaited(tenant_id: UUID) -> bool:
    """Whether something was used and no day of it was ever reckoned."""
    used = UsageBatch.objects.filter(tenant_id=tenant_id)
    return used.exclude(Exists(SpendDay.objects.filter(tenant_id=tenant_id))).exists()


def days_before(days: Mapping[date, Decimal], day: date, count: int) -> tuple[Decimal, ...]:
    """The full days before a day, at most ``count``, oldest first; none before the first use."""
    earlier = [one for one in days if one < day]
    if not earlier:
        return ()
    first = max(min(earlier), day - DAY * count)
    return tuple(days.get(first + DAY * place, Decimal(0)) for place in range((day - first).days))


def _days(tenant_id: UUID, now: datetime) -> Days:
    """The days of this month, and those before it that make the pace; one statement."""
    today = today_at(now)
    start = today_at(month_of(now, settings.CENTRE_TIME_ZONE).start)
    return days_of(tenant_id, since=min(start, today - DAY * PACE_DAYS), until=today)


def _whole(tenant_id: UUID, days: Days, now: datetime) -> Outlook:
    outlook = _outlook(days.get(WHOLE, {}), now)
    return outlook if days else replace(outlook, is_awaited=_is_awaited(tenant_id))


def _outlook(
    days: Mapping[date, Decimal], now: datetime, state: BudgetState | None = None
) -> Outlook:
    month, today = month_of(now, settings.CENTRE_TIME_ZONE), today_at(now)
    start = today_at(month.start)
    of_month = {day: net for day, net in days.items() if day >= start}
    spent = sum(of_month.values(), Decimal(0))
    if state is not None:
        return Outlook(of_month, spent, state.forecast)
    pace = days_before(days, today, PACE_DAYS)
    return Outlook(
        of_month, spent, forecast(spent=spent, full_days=pace, now=now, month_end=month.end)
    )


class BudgetReached(DomainError):
    """The tenant's own budget is reached and stops what is new."""

    code = "budget_reached"
    status = 409
    message = _(
        "The budget “%(name)s” is reached: %(spent)s of %(amount)s %(currency)s net are spent this "
        "month. Raise the budget, or wait for the next month."
    )


def refuse_when_reached(tenant_id: UUID, project_id: UUID | None, now: datetime) -> None:
    """Refuse new spending under a reached budget that stops; one statement.

    Shape: asked by whoever is about to promise or begin something for a project; without one,
    for the whole organisation.
    Raises: BudgetReached.
    """
    scope = Q(scope=BudgetScope.TENANT)
    if project_id is not None:
        scope |= Q(scope=BudgetScope.PROJECT, project_id=project_id)
    row = _stopping(now).filter(scope, tenant_id=tenant_id).order_by("pk").first()
    if row is not None:
        raise BudgetReached(
            name=row.name,
            spent=f"{row.spent:.2f}",
            amount=f"{row.amount:.2f}",
            currency=row.currency,
        )


# A manager's annotated rows have a type of their own, which has the added names.
def _stopping(now: datetime):  # type: ignore[no-untyped-def]
    """Budgets that are reached in the month of ``now`` and stop something."""
    return _that_stop(now).filter(spent__gte=F("amount"))


def _that_stop(now: datetime):  # type: ignore[no-untyped-def]
    month = month_of(now, settings.CENTRE_TIME_ZONE)
    rows = Budget.objects.filter(removed_at__isnull=True, stops=True)
    return rows.annotate(spent=_spent(month), currency=own_currency())


@dataclass(frozen=True)
class StoppingBudget:
    """A reached budget under which running work is stopped."""

    id: UUID
    name: str
    scope: str
    project_id: UUID | None
    deployment_id: UUID | None
    amount: Decimal
    month: str


def stops_running(tenant_id: UUID, now: datetime) -> tuple[StoppingBudget, ...]:
    """The tenant's reached budgets that stop what runs; one statement."""
    month = f"{month_of(now, settings.CENTRE_TIME_ZONE).start.astimezone(centre_zone()):%Y-%m}"
    rows: Iterable[Budget] = _stopping(now).filter(tenant_id=tenant_id, stops_running=True)
    return tuple(
        StoppingBudget(
            row.pk, row.name, row.scope, row.project_id, row.deployment_id, row.amount, month
        )
        for row in rows
    )


def tenants_that_stop_running(now: datetime) -> tuple[UUID, ...]:
    """Tenants with a reached budget that stops what runs; needs operators' scope."""
    rows = _stopping(now).filter(stops_running=True)
    return tuple(rows.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())


@dataclass(frozen=True)
class BudgetLimit:
    """How much a budget that stops still allows. Units: net."""

    tenant_id: UUID
    scope: str
    subject_id: UUID | None
    amount: Decimal
    left: Decimal
    currency: str


def budget_limits(now: datetime) -> tuple[BudgetLimit, ...]:
    """Every budget that stops, for callers that must answer without the database.

    Needs operators' scope; one statement.
    """
    return tuple(
        BudgetLimit(
            tenant_id=row.tenant_id,
            scope=row.scope,
            subject_id=row.project_id or row.api_key_id or row.deployment_id,
            amount=row.amount,
            left=row.amount - row.spent,
            currency=row.currency,
        )
        for row in _that_stop(now).order_by("pk")
    )
