"""Keeping what each day cost in rows, and telling when a day is unusual."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db import transaction

from billing.budget_notices import UNUSUAL
from billing.budgeting import USUAL_DAYS, unusual
from billing.commands.budget_accrual import subjects_of
from billing.locks import lock_account
from billing.models import Budget, BudgetScope, SpendAnomaly, SpendDay
from billing.queries.budgets import WHOLE, DaysKey, days_before, days_of, today_at
from billing.queries.currencies import currency_of
from billing.queries.drafts import draft
from billing.queries.spend import SpendPart, in_micro, spend_parts
from common.ids import uuid7
from common.period import Period, month_of
from common.zone import centre_zone
from tenants.models import Project
from tenants.notices import post

DAY = timedelta(days=1)
# Late use of a day that lies further back no longer changes what was usual.
LOOKS_BACK_DAYS = USUAL_DAYS + 1


@transaction.atomic
def watch_spend(*, tenant_id: UUID, now: datetime) -> None:
    """Reckon again what the last days cost, and say so where today or yesterday is unusual.

    Locks: the account, so that two at once write the same days one after the other.
    Raises: AccountBusy.
    Idempotent: days are computed anew, and a day is told of once.
    """
    lock_account(tenant_id)
    today = today_at(now)
    first = min(today - DAY * LOOKS_BACK_DAYS, today_at(month_of(now, centre_zone().key).start))
    _refresh(tenant_id, first, today, now)
    kept = days_of(tenant_id, since=today - DAY * LOOKS_BACK_DAYS, until=today)
    for day in (today - DAY, today):
        _judge(tenant_id, day, kept, now)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=centre_zone()).astimezone(UTC)


def _refresh(tenant_id: UUID, first: date, today: date, now: datetime) -> None:
    """Write the days from ``first`` on; what no longer costs anything is set to nothing."""
    parts = spend_parts(
        tenant_id=tenant_id,
        drafted=draft(tenant_id=tenant_id, until=now),
        service=Period(_midnight(first), _midnight(today + DAY)),
        by_day=True,
    )
    budgets = {
        name: budget.pk
        for budget in Budget.objects.filter(
            tenant_id=tenant_id,
            removed_at__isnull=True,
            scope__in=[BudgetScope.KEY, BudgetScope.DEPLOYMENT],
        )
        for name in subjects_of(budget)
    }
    SpendDay.objects.filter(tenant_id=tenant_id, day__gte=first).exclude(net=0).update(
        net=Decimal(0), refreshed_at=now
    )
    SpendDay.objects.bulk_create(
        [
            SpendDay(
                tenant_id=tenant_id,
                project_id=project_id,
                budget_id=budget_id,
                day=day,
                net=in_micro(net),
                refreshed_at=now,
            )
            for ((project_id, budget_id), day), net in _sums(parts, budgets).items()
        ],
        update_conflicts=True,
        unique_fields=["tenant", "project", "budget", "day"],
        update_fields=["net", "refreshed_at"],
    )


def _sums(
    parts: tuple[SpendPart, ...], budgets: Mapping[tuple[str, str], UUID]
) -> dict[tuple[DaysKey, date], Fraction]:
    sums: dict[tuple[DaysKey, date], Fraction] = defaultdict(Fraction)
    for part in parts:
        # Asked for by day, every part has one.
        assert part.day is not None  # noqa: S101 - narrows the type
        sums[WHOLE, part.day] += part.net
        if part.project_id is not None:
            sums[(part.project_id, None), part.day] += part.net
        for name in (
            ("key", part.key),
            ("deployment", part.deployment),
            ("workload", part.workload),
        ):
            if name in budgets:
                sums[(None, budgets[name]), part.day] += part.net
    return sums


def _judge(
    tenant_id: UUID, day: date, kept: Mapping[DaysKey, Mapping[date, Decimal]], now: datetime
) -> None:
    whole = kept.get(WHOLE, {})
    found = unusual(net=whole.get(day, Decimal(0)), before=days_before(whole, day, USUAL_DAYS))
    if found is None:
        return
    row = SpendAnomaly(
        id=uuid7(),
        tenant_id=tenant_id,
        day=day,
        net=found.net,
        usual=found.usual,
        limit=found.limit,
        days=found.days,
        at=now,
    )
    SpendAnomaly.objects.bulk_create([row], ignore_conflicts=True)
    if not SpendAnomaly.objects.filter(pk=row.pk).exists():
        return
    name, net = _largest(tenant_id, day, kept)
    post(
        tenant_id=tenant_id,
        kind=UNUSUAL.code,
        key=f"spend.unusual:{day}",
        detail={
            "day": day.isoformat(),
            "net": f"{found.net:.2f}",
            "usual": f"{found.usual:.2f}",
            "limit": f"{found.limit:.2f}",
            "days": found.days,
            "project": name,
            "project_net": f"{net:.2f}",
            "currency": currency_of(tenant_id),
        },
        now=now,
    )


def _largest(
    tenant_id: UUID, day: date, kept: Mapping[DaysKey, Mapping[date, Decimal]]
) -> tuple[str, Decimal]:
    """The project that cost most on a day; a dash where the use had none."""
    of_projects = {
        project_id: days[day]
        for (project_id, _budget), days in kept.items()
        if project_id is not None and days.get(day)
    }
    if not of_projects:
        return "—", Decimal(0)
    largest = max(of_projects, key=lambda one: (of_projects[one], str(one)))
    name = Project.objects.values_list("name", flat=True).get(tenant_id=tenant_id, pk=largest)
    return name, of_projects[largest]
