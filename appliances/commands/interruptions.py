"""Stopping a tenant's endpoints for arrears, last of all, and starting them again after payment."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from appliances.commands.deployments import begin_stopping, chosen_class, deploy
from appliances.models import LIVE_STATES, Deployment, Interruption
from appliances.models.interruption import INTERRUPTION_TRANSITIONS, InterruptionState
from appliances.queries.interruptions import is_over, running, waiting
from billing.arrears import ResourceClass
from billing.locks import lock_account
from billing.queries.arrears import Arrears, standing_of
from common.errors import DomainError
from compute.queries.freezes import frozen_classes
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import SYSTEM

S = InterruptionState
TOLD = ("owner", "admin", "finance", "developer")


@transaction.atomic
def obey(*, tenant_id: UUID, now: datetime) -> None:
    """Stop what must not run any more, start again what was paid for, give up what was released.

    Locks: the account, so that a payment comes before all of it or after.
    Raises: AccountBusy.
    Idempotent: each deployment is stopped once and started again once.
    """
    lock_account(tenant_id)
    arrears = standing_of(tenant_id, now)
    # A payment may have come since compute's last look: what it says now holds.
    for deployment in running(tenant_id, frozen_classes(tenant_id) & arrears.must_freeze):
        _interrupt(deployment, now)
    for interruption in waiting(tenant_id):
        if interruption.resource_class in arrears.released:
            _settle(interruption, S.GIVEN_UP, now)
        elif _may_resume(interruption, arrears):
            _resume(interruption, now)


def _interrupt(deployment: Deployment, now: datetime) -> None:
    reason = _("Stopped: the account is in arrears.")
    stopping = begin_stopping(
        actor=SYSTEM, deployment=deployment, reason=reason, gave_up=False, now=now
    )
    if stopping:
        reserved = deployment.reservation_id is not None
        Interruption.objects.create(
            tenant_id=deployment.tenant_id,
            deployment=deployment,
            resource_class=ResourceClass.RESERVED if reserved else ResourceClass.ON_DEMAND,
            stopped_at=now,
        )


def _may_resume(interruption: Interruption, arrears: Arrears) -> bool:
    """Paid, and its old self has ended: two of one name cannot be live at a time."""
    return arrears.may_create and interruption.deployment.state not in LIVE_STATES


def _resume(interruption: Interruption, now: datetime) -> None:
    """Deploy once more in its place; where that is refused, the tenant is told why."""
    old = interruption.deployment
    if is_over(old, now):
        _failed(interruption, _("Its time was over before the payment."), now)
        return
    try:
        with transaction.atomic():
            made = deploy(
                actor=SYSTEM,
                project_id=old.project_id,
                appliance_code=old.version.appliance.code,
                name=old.name,
                served_model_name=old.served_model_name,
                pool_code="" if old.reservation_id else old.pool_code,
                reservation_id=old.reservation_id,
                until=old.until,
                service_class=chosen_class(old),
                now=now,
            )
    except DomainError as refusal:
        if refusal.retryable:
            # Somebody else was at it; the next sweep tries again.
            return
        _failed(interruption, str(refusal), now)
        return
    _settle(interruption, S.RESUMED, now, resumed_as=made)
    post(
        tenant_id=old.tenant_id,
        kind="deployment.resumed",
        key=f"interruption:{interruption.pk}",
        detail={"name": old.name, "model": old.served_model_name, "deployment": str(made.pk)},
        now=now,
        roles=TOLD,
    )


def _failed(interruption: Interruption, reason: str, now: datetime) -> None:
    old = interruption.deployment
    _settle(interruption, S.FAILED, now, reason=reason[:500])
    post(
        tenant_id=old.tenant_id,
        kind="deployment.resume_failed",
        key=f"interruption:{interruption.pk}",
        detail={"name": old.name, "reason": reason[:500], "deployment": str(old.pk)},
        now=now,
        roles=TOLD,
    )


def _settle(
    interruption: Interruption, to: InterruptionState, now: datetime, **fields: object
) -> None:
    sources = [state for state, nexts in INTERRUPTION_TRANSITIONS.items() if to in nexts]
    settled = Interruption.objects.filter(pk=interruption.pk, state__in=sources).update(
        state=to, settled_at=now, **fields
    )
    if settled:
        record(
            SYSTEM,
            f"appliances.interruption.{to.value}",
            subject=f"appliances.deployment:{interruption.deployment_id}",
            tenant_id=interruption.tenant_id,
            detail={"reason": str(fields.get("reason", ""))},
        )
