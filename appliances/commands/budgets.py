"""Budgets where deployments are known: setting one of a deployment, and stopping what one stops."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from appliances.commands.deployments import begin_stopping
from appliances.models import Deployment
from appliances.queries.deployments import one as deployment_of
from appliances.queries.interruptions import to_stop
from billing.budget_notices import WORK_STOPPED
from billing.commands import budgets
from billing.commands.budgets import DeploymentSubject
from billing.locks import lock_account
from billing.models import Budget, BudgetScope
from billing.queries.budgets import StoppingBudget, stops_running
from billing.queries.currencies import currency_of
from common.errors import NotFound
from tenants.notices import post
from tenants.permissions import SYSTEM, Actor

TOLD = ("owner", "admin", "finance", "developer")


@transaction.atomic
def set_budget(
    *,
    actor: Actor,
    tenant_id: UUID,
    scope: str,
    subject_id: UUID | None,
    amount: Decimal,
    stops: bool,
    stops_running: bool,
    now: datetime,
) -> Budget:
    """Begin a budget of any scope; a deployment is looked up among those the actor may see.

    Raises: PermissionRefused, NotFound, InvalidInput, BudgetExists, AccountBusy.
    """
    subject: UUID | DeploymentSubject | None = subject_id
    if scope == BudgetScope.DEPLOYMENT:
        subject = _facts(actor, subject_id)
    return budgets.set_budget(
        actor=actor,
        tenant_id=tenant_id,
        scope=BudgetScope(scope),
        subject=subject,
        amount=amount,
        stops=stops,
        stops_running=stops_running,
        now=now,
    )


def _facts(actor: Actor, deployment_id: UUID | None) -> DeploymentSubject:
    if deployment_id is None:
        raise NotFound
    found = deployment_of(actor=actor, deployment_id=deployment_id)
    return DeploymentSubject(found.pk, found.project_id, found.name, found.workload_id)


@transaction.atomic
def obey_budgets(*, tenant_id: UUID, now: datetime) -> None:
    """Stop what runs on demand under a reached budget that says so, and tell the tenant.

    Work in a reservation goes on: its cards are paid for in any case.
    Locks: the account, so that a raised budget comes before all of it or after.
    Raises: AccountBusy.
    Idempotent: each deployment is stopped once.
    """
    lock_account(tenant_id)
    for budget in stops_running(tenant_id, now):
        rows = Deployment.objects.filter(
            _under(budget),
            tenant_id=tenant_id,
            state__in=to_stop(),
            reservation_id__isnull=True,
        )
        for deployment in rows.order_by("created_at", "pk"):
            _stop(deployment, budget, now)


def _under(budget: StoppingBudget) -> Q:
    if budget.scope == BudgetScope.PROJECT:
        return Q(project_id=budget.project_id)
    if budget.scope == BudgetScope.DEPLOYMENT:
        return Q(pk=budget.deployment_id)
    return Q()


def _stop(deployment: Deployment, budget: StoppingBudget, now: datetime) -> None:
    reason = _("Stopped: the budget “%(name)s” is reached.") % {"name": budget.name}
    stopping = begin_stopping(
        actor=SYSTEM, deployment=deployment, reason=reason, gave_up=False, now=now
    )
    if not stopping:
        return
    post(
        tenant_id=deployment.tenant_id,
        kind=WORK_STOPPED.code,
        key=f"budget:{budget.id}:{budget.month}:stopped:{deployment.pk}",
        detail={
            "budget": str(budget.id),
            "name": budget.name,
            "amount": f"{budget.amount:.2f}",
            "currency": currency_of(deployment.tenant_id),
            "month": budget.month,
            "deployment": deployment.name,
            "deployment_id": str(deployment.pk),
        },
        now=now,
        roles=TOLD,
    )
