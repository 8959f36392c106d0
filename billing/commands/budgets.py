"""Setting, changing and removing budgets."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.accrual import refresh_unbilled
from billing.commands.spend_days import watch_spend
from billing.locks import lock_account
from billing.models import Budget, BudgetScope
from billing.money import is_whole_fen
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.models import ApiKey, Organisation, Project
from tenants.permissions import Actor, Permission, require

LARGEST = Decimal("1000000000.00")


class BudgetExists(DomainError):
    """There is one budget for each subject."""

    code = "budget_exists"
    status = 409
    message = _("“%(name)s” has a budget already. Change that one.")


@dataclass(frozen=True)
class DeploymentSubject:
    """A deployment as billing knows it: its ids, what it is called, and whose it is."""

    id: UUID
    project_id: UUID
    name: str
    workload_id: UUID | None


@transaction.atomic
def set_budget(
    *,
    actor: Actor,
    tenant_id: UUID,
    scope: BudgetScope,
    subject: UUID | DeploymentSubject | None,
    amount: Decimal,
    stops: bool = False,
    stops_running: bool = False,
    now: datetime,
) -> Budget:
    """Begin a budget for the whole tenant, a project, a key or a deployment; it counts at once.

    Its days are reckoned with it: those of a key or a deployment are kept from now on only, and
    the task that keeps them passes over a tenant that uses nothing.
    Shape: ``subject`` is None for the whole tenant, and a deployment comes with its facts.
    Units: ``amount`` is net, for each month of the centre's calendar.
    Locks: the account.
    Raises: PermissionRefused, NotFound, InvalidInput, BudgetExists, AccountBusy.
    """
    require(actor, Permission.BUDGET_MANAGE, tenant_id)
    _check(amount, scope, stops=stops, stops_running=stops_running)
    row = Budget(
        tenant_id=tenant_id,
        scope=scope,
        amount=amount,
        stops=stops,
        stops_running=stops_running,
        created_at=now,
        changed_at=now,
    )
    _point_at(row, actor, subject)
    lock_account(tenant_id)
    try:
        with transaction.atomic():
            Budget.objects.bulk_create([row])
    except IntegrityError as error:
        if "billing_budget_one_per_subject" not in str(error):
            raise
        raise BudgetExists(name=row.name) from error
    _record(actor, row, "set", {"scope": row.scope, "name": row.name, **_said(row)})
    refresh_unbilled(tenant_id=tenant_id, now=now)
    watch_spend(tenant_id=tenant_id, now=now)
    return row


@transaction.atomic
def change_budget(
    *,
    actor: Actor,
    tenant_id: UUID,
    budget_id: UUID,
    now: datetime,
    amount: Decimal | None = None,
    stops: bool | None = None,
    stops_running: bool | None = None,
) -> Budget:
    """Change what is given and leave the rest; what was told this month is not told again.

    Locks: the account, so that whoever obeys the budget sees it before or after, not between.
    Raises: PermissionRefused, NotFound, InvalidInput, AccountBusy.
    """
    require(actor, Permission.BUDGET_MANAGE, tenant_id)
    lock_account(tenant_id)
    row = _own(actor, tenant_id, budget_id)
    before = _said(row)
    row.amount = row.amount if amount is None else amount
    row.stops = row.stops if stops is None else stops
    row.stops_running = row.stops_running if stops_running is None else stops_running
    _check(
        row.amount,
        BudgetScope(row.scope),
        stops=row.stops,
        stops_running=row.stops_running,
    )
    if _said(row) == before:
        return row
    row.changed_at = now
    row.save(update_fields=["amount", "stops", "stops_running", "changed_at"])
    _record(actor, row, "changed", {"from": before, "to": _said(row)})
    refresh_unbilled(tenant_id=tenant_id, now=now)
    return row


@transaction.atomic
def remove_budget(*, actor: Actor, tenant_id: UUID, budget_id: UUID, now: datetime) -> None:
    """End a budget at once: it stops and tells nothing any more.

    Locks: the account.
    Raises: PermissionRefused, NotFound, AccountBusy.
    """
    require(actor, Permission.BUDGET_MANAGE, tenant_id)
    lock_account(tenant_id)
    row = _own(actor, tenant_id, budget_id)
    Budget.objects.filter(pk=row.pk, removed_at__isnull=True).update(removed_at=now)
    _record(actor, row, "removed", {"name": row.name, **_said(row)})


def _own(actor: Actor, tenant_id: UUID, budget_id: UUID) -> Budget:
    row = Budget.objects.filter(tenant_id=tenant_id, pk=budget_id, removed_at__isnull=True).first()
    if row is None or actor.project_id not in {None, row.project_id}:
        raise NotFound
    return row


def _check(amount: Decimal, scope: BudgetScope, *, stops: bool, stops_running: bool) -> None:
    errors = []
    if not is_whole_fen(amount) or not 0 < amount <= LARGEST:
        errors.append(
            FieldError("/amount", "out_of_range", _("Give whole fen, above zero, up to a billion."))
        )
    if stops_running and not stops:
        errors.append(
            FieldError(
                "/stops_running", "needs_stops", _("Running work is stopped only with what is new.")
            )
        )
    if stops_running and scope == BudgetScope.KEY:
        errors.append(FieldError("/stops_running", "nothing_runs", _("Nothing runs under a key.")))
    if errors:
        raise InvalidInput(errors=errors)


def _point_at(row: Budget, actor: Actor, subject: UUID | DeploymentSubject | None) -> None:
    """Fill the column the scope speaks of. Raises: NotFound for what is not the tenant's."""
    narrowed = actor.project_id
    if row.scope == BudgetScope.TENANT and subject is None and narrowed is None:
        row.name = Organisation.objects.values_list("name", flat=True).get(pk=row.tenant_id)
    elif row.scope == BudgetScope.PROJECT and isinstance(subject, UUID):
        project = Project.objects.filter(tenant_id=row.tenant_id, pk=subject).first()
        if project is None or narrowed not in {None, project.pk}:
            raise NotFound
        row.project, row.name = project, project.name
    elif row.scope == BudgetScope.KEY and isinstance(subject, UUID) and narrowed is None:
        key = ApiKey.objects.filter(tenant_id=row.tenant_id, pk=subject).first()
        if key is None:
            raise NotFound
        row.api_key, row.name = key, key.name
    elif (
        row.scope == BudgetScope.DEPLOYMENT
        and isinstance(subject, DeploymentSubject)
        and narrowed is None
    ):
        row.deployment_id, row.name = subject.id, subject.name
        row.workload_id = subject.workload_id
    else:
        # A key of one project speaks of that project only; and a scope needs its own subject.
        raise NotFound


def _said(row: Budget) -> dict[str, str | bool]:
    return {
        "amount": f"{row.amount:.2f}",
        "stops": row.stops,
        "stops_running": row.stops_running,
    }


def _record(actor: Actor, row: Budget, what: str, detail: dict[str, object]) -> None:
    record(
        actor,
        f"billing.budget.{what}",
        subject=f"billing.budget:{row.pk}",
        tenant_id=row.tenant_id,
        detail=detail,
    )
