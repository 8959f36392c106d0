"""An operator's correction of one event, also of the product's own measurements."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.corrections import Correction, CorrectionResult, correct_usage
from billing.sources import OPERATORS
from billing.usage import EventStatus
from common.errors import DomainError
from tenants import audit
from tenants.permissions import Actor, Permission, require


class NotCorrected(DomainError):
    """What was said of the event cannot be; nothing was changed."""

    code = "not_corrected"
    status = 409
    message = _("This event cannot be corrected: %(reason)s.")


@transaction.atomic
def correct_event(
    *,
    actor: Actor,
    tenant_id: UUID,
    source: str,
    event_id: str,
    quantity: int | None,
    reason: str,
    key: UUID,
    now: datetime,
) -> CorrectionResult:
    """Book what one event should have said, or with no ``quantity`` that it never was; audited.

    Units: ``quantity`` in base units of the event's meter.
    Locks: as ``correct_usage``.
    Raises: PermissionRefused, NotCorrected.
    Idempotent: by ``key``; a second time changes nothing.
    """
    require(actor, Permission.USAGE_CORRECT, tenant_id)
    said = Correction(
        id=str(key),
        source=OPERATORS,
        ref_source=source,
        ref_id=event_id,
        kind="void" if quantity is None else "correct",
        quantity=quantity,
        reason=reason.strip(),
    )
    (result,) = correct_usage(actor=actor, tenant_id=tenant_id, corrections=[said], now=now)
    if result.status is EventStatus.ACCEPTED:
        audit.record(
            actor,
            "billing.usage.corrected",
            subject=f"billing.usageevent:{source}/{event_id}"[:200],
            tenant_id=tenant_id,
            detail={
                "kind": said.kind,
                "quantity": quantity,
                "difference": result.difference,
                "reason": said.reason,
            },
        )
    elif result.status is not EventStatus.DUPLICATE:
        raise NotCorrected(reason=result.code)
    return result
