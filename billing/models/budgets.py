"""Budgets: what a tenant wants to spend in a month, what it has spent, and what it was told."""

from decimal import Decimal
from functools import reduce
from operator import or_

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.budgeting import THRESHOLDS
from tenants.models import TenantOwned


class BudgetScope(models.TextChoices):
    TENANT = "tenant", _("The whole organisation")
    PROJECT = "project", _("One project")
    KEY = "key", _("One API key")
    DEPLOYMENT = "deployment", _("One deployment")


S = BudgetScope
_COLUMNS = ("project", "api_key", "deployment_id")
_SUBJECT = {S.PROJECT: "project", S.KEY: "api_key", S.DEPLOYMENT: "deployment_id"}


def _fits_its_scope() -> Q:
    """Exactly the column that the scope speaks of is filled."""
    return reduce(or_, (_fills(scope, _SUBJECT.get(scope, "")) for scope in BudgetScope))


def _fills(scope: BudgetScope, wanted: str) -> Q:
    filled = {f"{name}__isnull": name != wanted for name in _COLUMNS}
    return Q(scope=scope, **filled)


class Budget(TenantOwned):
    """How much one subject of a tenant may cost in each month of the centre's calendar.

    Shape: ``amount`` is net, as invoice lines are summed; ``name`` is what its subject was called
    when it was set. ``workload_id`` is the work behind a
    deployment, whose cards are counted with it. ``stops`` refuses what is new once the amount is
    reached; ``stops_running`` stops what runs on demand as well. A removed budget stays as a row,
    for what was said of it.
    """

    scope = models.CharField(max_length=12, choices=BudgetScope.choices)
    name = models.CharField(max_length=200)
    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True
    )
    api_key = models.ForeignKey(
        "tenants.ApiKey", on_delete=models.PROTECT, related_name="+", null=True
    )
    deployment_id = models.UUIDField(null=True)
    workload_id = models.UUIDField(null=True)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    stops = models.BooleanField(default=False)
    stops_running = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "scope", "project", "api_key", "deployment_id"],
                condition=Q(removed_at__isnull=True),
                nulls_distinct=False,
                name="billing_budget_one_per_subject",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="billing_budget_amount"),
            models.CheckConstraint(condition=_fits_its_scope(), name="billing_budget_subject"),
            models.CheckConstraint(
                condition=Q(stops_running=False) | (Q(stops=True) & ~Q(scope=S.KEY)),
                name="billing_budget_stopping",
            ),
            models.CheckConstraint(
                condition=Q(workload_id__isnull=True) | Q(scope=S.DEPLOYMENT),
                name="billing_budget_workload",
            ),
        ]


class BudgetMonth(TenantOwned):
    """What a budget's subject has cost in one month, as of the last accrual.

    Units: net, in the money of the draft invoice and of what was invoiced; parts of a charge are
    kept to a millionth.
    """

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="months")
    month_start = models.DateTimeField()
    spent = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    refreshed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "month_start"], name="billing_budgetmonth_once"
            ),
        ]


class BudgetAlert(TenantOwned):
    """That a budget's threshold was reached in a month; written once, for ever."""

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="alerts")
    month_start = models.DateTimeField()
    threshold = models.PositiveSmallIntegerField()
    spent = models.DecimalField(max_digits=24, decimal_places=6)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "month_start", "threshold"], name="billing_budgetalert_once"
            ),
            models.CheckConstraint(
                condition=Q(threshold__in=THRESHOLDS), name="billing_budgetalert_threshold"
            ),
            models.CheckConstraint(
                condition=Q(spent__gte=F("amount") * F("threshold") / Decimal(100)),
                name="billing_budgetalert_reached",
            ),
        ]


class SpendDay(TenantOwned):
    """What one day of the centre's calendar cost: all of it, one project's, or one budget's.

    Shape: a budget's days are kept for keys and deployments; the tenant's and its projects' days
    are kept for everybody. Units: net.
    """

    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True
    )
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="days", null=True)
    day = models.DateField()
    net = models.DecimalField(max_digits=24, decimal_places=6)
    refreshed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "project", "budget", "day"],
                nulls_distinct=False,
                name="billing_spendday_once",
            ),
            models.CheckConstraint(
                condition=Q(project__isnull=True) | Q(budget__isnull=True),
                name="billing_spendday_of_one",
            ),
        ]


class SpendAnomaly(TenantOwned):
    """That a day cost far more than the days before it; said once a day.

    Shape: ``usual`` is the median of the ``days`` before, ``limit`` what the day had to exceed.
    """

    day = models.DateField()
    net = models.DecimalField(max_digits=24, decimal_places=6)
    usual = models.DecimalField(max_digits=24, decimal_places=6)
    limit = models.DecimalField(max_digits=24, decimal_places=6)
    days = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "spend anomalies"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day"], name="billing_spendanomaly_once"),
            models.CheckConstraint(
                condition=Q(net__gt=F("limit"), limit__gte=F("usual")),
                name="billing_spendanomaly_exceeds",
            ),
        ]
