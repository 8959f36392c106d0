"""Counting an event that came too late, because an operator says why."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.usage import take_in
from billing.models import RejectedEvent
from billing.usage import EventResult, EventStatus, UsageEvent
from common.errors import DomainError, NotFound
from tenants import audit
from tenants.permissions import Actor, Permission, require

LATEST_FORCED = timedelta(days=400)
LONGEST_REASON = 500


class NotForced(DomainError):
    """The event was refused for another reason than its age, or cannot be counted even so."""

    code = "not_forced"
    status = 409
    message = _("This event cannot be counted: %(reason)s.")


class ReasonMissing(DomainError):
    """Nobody counts late usage without saying why."""

    code = "reason_missing"
    status = 422
    message = _("Say in at most 500 characters why this is counted.")


@transaction.atomic
def force_late_event(
    *, actor: Actor, tenant_id: UUID, rejected_id: UUID, reason: str, now: datetime
) -> EventResult:
    """Count an event that was refused as too old, up to 400 days back; the reason is audited.

    Locks: as ``record_usage``.
    Raises: PermissionRefused, NotFound, NotForced, ReasonMissing.
    Idempotent: a second time finds the event counted and changes nothing.
    """
    require(actor, Permission.USAGE_FORCE, tenant_id)
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise ReasonMissing
    row = RejectedEvent.objects.filter(tenant_id=tenant_id, pk=rejected_id).first()
    if row is None:
        raise NotFound
    if row.code != "too_old":
        raise NotForced(reason=row.code)
    (result,) = take_in(
        actor=actor,
        tenant_id=tenant_id,
        events=[_event(row.payload)],
        now=now,
        earliest=now - LATEST_FORCED,
    )
    if result.status is EventStatus.ACCEPTED:
        audit.record(
            actor,
            "billing.usage.forced",
            subject=f"billing.usageevent:{row.source}/{row.event_id}"[:200],
            tenant_id=tenant_id,
            detail={"reason": reason.strip()},
        )
    elif result.status is not EventStatus.DUPLICATE:
        raise NotForced(reason=result.code)
    return result


# What was kept is JSON, of the fields an event has; one that was merely too old is whole.
def _event(said: Any) -> UsageEvent:
    ids = {name: UUID(said[name]) if said[name] else None for name in ("project_id", "price_id")}
    return UsageEvent(**{**said, **ids, "at": datetime.fromisoformat(said["at"])})
