"""Operators look into a tenant's console: with a reason, for an hour at most, seen by its owner."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.models import OperatorAccess, Organisation
from tenants.models.access import VISIT_LIMIT
from tenants.naming import clean_text
from tenants.permissions import Actor, Permission, require


@transaction.atomic
def begin_visit(
    *,
    actor: Actor,
    tenant_id: UUID,
    reason: str,
    ticket: str = "",
    length: timedelta = timedelta(minutes=30),
    now: datetime,
) -> OperatorAccess:
    """Open a tenant's console to one operator, for looking only.

    Units: ``length`` is at most an hour.
    Raises: PermissionRefused, InvalidInput, NotFound.
    """
    require(actor, Permission.TENANT_READ_ALL)
    why = clean_text(reason, pointer="/reason", limit=500)
    if not timedelta(0) < length <= VISIT_LIMIT:
        detail = _("A visit lasts at most 60 minutes.")
        raise InvalidInput(errors=[FieldError("/minutes", "out_of_range", detail)])
    if actor.id is None or not Organisation.objects.filter(pk=tenant_id).exists():
        raise NotFound
    visit = OperatorAccess.objects.create(
        tenant_id=tenant_id,
        operator_id=actor.id,
        reason=why,
        ticket=clean_text(ticket, pointer="/ticket", required=False),
        starts_at=now,
        ends_at=now + length,
    )
    record(
        actor,
        "tenants.visit.begun",
        subject=f"tenants.operatoraccess:{visit.pk}",
        tenant_id=tenant_id,
        detail={"reason": why, "ticket": visit.ticket, "ends_at": visit.ends_at.isoformat()},
    )
    return visit


@transaction.atomic
def end_visit(*, actor: Actor, visit_id: UUID, now: datetime) -> None:
    """Close one's own visit before its time; closing twice changes nothing.

    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.TENANT_READ_ALL)
    visit = OperatorAccess.objects.filter(pk=visit_id, operator_id=actor.id).first()
    if visit is None:
        raise NotFound
    # A visit has to last a moment, which the database checks too.
    end = max(now, visit.starts_at + timedelta(microseconds=1))
    if OperatorAccess.objects.filter(pk=visit_id, ends_at__gt=end).update(ends_at=end):
        record(
            actor,
            "tenants.visit.ended",
            subject=f"tenants.operatoraccess:{visit_id}",
            tenant_id=visit.tenant_id,
        )
