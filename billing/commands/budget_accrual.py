"""Keeping what each budget's subject has cost in a row, and telling when a threshold is reached."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.conf import settings

from billing.budget_notices import of_threshold
from billing.budgeting import BudgetFigures
from billing.models import Budget, BudgetAlert, BudgetMonth, BudgetScope
from billing.queries.currencies import currency_of
from billing.queries.drafts import Draft
from billing.queries.spend import by_subject, drafted_net, in_micro, invoiced_net, spend_parts
from common.ids import uuid7
from common.period import Period, month_of
from common.zone import centre_zone
from tenants.notices import post


def refresh_budgets(*, tenant_id: UUID, drafted: Draft, now: datetime) -> None:
    """Write what the month has cost into the tenant's budgets; part of the locked transaction.

    One statement where there is no budget; with budgets of parts three more than with the whole.
    Idempotent: computed anew each time, and each threshold is told once a month.
    """
    budgets = list(Budget.objects.filter(tenant_id=tenant_id, removed_at__isnull=True))
    if not budgets:
        return
    month = month_of(now, settings.CENTRE_TIME_ZONE)
    spent = _spent(tenant_id, budgets, drafted, month)
    BudgetMonth.objects.bulk_create(
        [
            BudgetMonth(
                tenant_id=tenant_id,
                budget=budget,
                month_start=month.start,
                spent=spent[budget.pk],
                refreshed_at=now,
            )
            for budget in budgets
        ],
        update_conflicts=True,
        unique_fields=["budget", "month_start"],
        update_fields=["spent", "refreshed_at"],
    )
    due = [
        BudgetAlert(
            id=uuid7(),
            tenant_id=tenant_id,
            budget=budget,
            month_start=month.start,
            threshold=threshold,
            spent=spent[budget.pk],
            amount=budget.amount,
            at=now,
        )
        for budget in budgets
        for threshold in BudgetFigures(budget.amount, spent[budget.pk]).reached()
    ]
    if due:
        _tell(tenant_id, due, month, now)


def _spent(
    tenant_id: UUID, budgets: Sequence[Budget], drafted: Draft, month: Period
) -> dict[UUID, Decimal]:
    spent: dict[UUID, Decimal] = {}
    if any(budget.scope == BudgetScope.TENANT for budget in budgets):
        whole = drafted_net(drafted, month) + invoiced_net(tenant_id=tenant_id, service=month)
        spent = {one.pk: whole for one in budgets if one.scope == BudgetScope.TENANT}
    partial = [budget for budget in budgets if budget.pk not in spent]
    if partial:
        parts = spend_parts(tenant_id=tenant_id, drafted=drafted, service=month, by_day=False)
        sums = by_subject(parts)
        for budget in partial:
            net = sum((sums.get(name, Fraction(0)) for name in subjects_of(budget)), Fraction(0))
            spent[budget.pk] = in_micro(net)
    return spent


def subjects_of(budget: Budget) -> tuple[tuple[str, str], ...]:
    """Which parts of the spend a budget counts; a deployment's calls and its cards are two."""
    if budget.scope == BudgetScope.PROJECT:
        return (("project", str(budget.project_id)),)
    if budget.scope == BudgetScope.KEY:
        return (("key", str(budget.api_key_id)),)
    cards = () if budget.workload_id is None else (("workload", str(budget.workload_id)),)
    return (("deployment", str(budget.deployment_id)), *cards)


def _tell(tenant_id: UUID, due: Sequence[BudgetAlert], month: Period, now: datetime) -> None:
    """Write the alerts that are new, and post a notice for each of those."""
    known = set(
        BudgetAlert.objects.filter(tenant_id=tenant_id, month_start=month.start).values_list(
            "budget_id", "threshold"
        )
    )
    fresh = [alert for alert in due if (alert.budget_id, alert.threshold) not in known]
    if not fresh:
        return
    # Somebody without the lock may have been first: the database keeps one of the two.
    BudgetAlert.objects.bulk_create(fresh, ignore_conflicts=True)
    written = set(
        BudgetAlert.objects.filter(pk__in=[alert.pk for alert in fresh]).values_list(
            "pk", flat=True
        )
    )
    zone, currency = centre_zone(), currency_of(tenant_id)
    for alert in fresh:
        if alert.pk not in written:
            continue
        said = f"{month.start.astimezone(zone):%Y-%m}"
        post(
            tenant_id=tenant_id,
            kind=of_threshold(alert.threshold, stops=alert.budget.stops).code,
            key=f"budget:{alert.budget_id}:{said}:{alert.threshold}",
            detail={
                "budget": str(alert.budget_id),
                "scope": alert.budget.scope,
                "name": alert.budget.name,
                "month": said,
                "threshold": alert.threshold,
                "spent": f"{alert.spent:.2f}",
                "amount": f"{alert.amount:.2f}",
                "currency": currency,
                "stops": alert.budget.stops,
                "stops_running": alert.budget.stops_running,
            },
            now=now,
        )
