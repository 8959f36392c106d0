"""Tax rates: one person proposes what changes from an hour on, another one approves."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.prices import serialise_publishing
from billing.four_eyes import FourEyesRequired
from billing.models import TaxChange, TaxChangeState, TaxRate
from common.errors import DomainError, FieldError, NotFound
from common.period import floor_hour
from tenants.audit import record
from tenants.permissions import Actor, Permission, PermissionRefused, require

RATE_PLACES = Decimal("0.00001")


class TaxChangeRefused(DomainError):
    """The proposed rate cannot come into force."""

    code = "tax_change_refused"
    status = 422
    message = _("This tax rate cannot be proposed.")


class TaxChangeDecided(DomainError):
    """Somebody has decided already."""

    code = "tax_change_decided"
    status = 409
    message = _("This tax rate has been decided already.")


@transaction.atomic
def propose_tax_rate(
    *,
    actor: Actor,
    tax_code: str,
    rate: Decimal,
    starts_at: datetime,
    title_en: str,
    title_zh: str,
    reason: str,
    now: datetime,
) -> TaxChange:
    """Propose that a code has this rate from a whole hour to come on; a new code may begin so.

    Raises: PermissionRefused, TaxChangeRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    if actor.id is None:
        raise PermissionRefused
    errors = _faults(tax_code, rate, starts_at, now)
    if not reason.strip() or not title_en.strip() or not title_zh.strip():
        text = _("Say why, and name the rate in both languages.")
        errors.append(FieldError("/reason", "reason", text))
    if errors:
        raise TaxChangeRefused(errors=errors)
    change = TaxChange.objects.create(
        tax_code=tax_code,
        rate=rate,
        starts_at=starts_at,
        title_en=title_en.strip(),
        title_zh=title_zh.strip(),
        reason=reason.strip(),
        proposed_by_id=actor.id,
        proposed_by=actor.name[:200],
        proposed_at=now,
    )
    _told(actor, "proposed", change)
    return change


@transaction.atomic
def approve_tax_rate(*, actor: Actor, change_id: UUID, now: datetime) -> TaxRate:
    """End the rate in force at the proposed hour and begin the new one.

    Locks: all publishers queue, then the proposal.
    Raises: PermissionRefused, NotFound, FourEyesRequired, TaxChangeDecided, TaxChangeRefused.
    """
    require(actor, Permission.PRICE_PUBLISH)
    serialise_publishing()
    change = _locked(change_id)
    if actor.id is None:
        raise PermissionRefused
    if change.state != TaxChangeState.PROPOSED:
        raise TaxChangeDecided
    if change.proposed_by_id == actor.id:
        raise FourEyesRequired
    errors = _faults(change.tax_code, change.rate, change.starts_at, now)
    if errors:
        raise TaxChangeRefused(errors=errors)
    _decide(actor, change, TaxChangeState.APPROVED, now)
    current = TaxRate.objects.filter(tax_code=change.tax_code, during__contains=change.starts_at)
    for rate in current:
        TaxRate.objects.filter(pk=rate.pk).update(during=(rate.during.lower, change.starts_at))
    made = TaxRate.objects.create(
        tax_code=change.tax_code,
        rate=change.rate,
        during=(change.starts_at, None),
        title_en=change.title_en,
        title_zh=change.title_zh,
        change=change,
    )
    _told(actor, "approved", change)
    return made


@transaction.atomic
def reject_tax_rate(*, actor: Actor, change_id: UUID, now: datetime) -> None:
    """Put a proposal aside; its own author may take it back so.

    Raises: PermissionRefused, NotFound, TaxChangeDecided.
    """
    require(actor, Permission.PRICE_PUBLISH)
    change = _locked(change_id)
    _decide(actor, change, TaxChangeState.REJECTED, now)
    _told(actor, "rejected", change)


def _decide(actor: Actor, change: TaxChange, state: TaxChangeState, now: datetime) -> None:
    moved = TaxChange.objects.filter(pk=change.pk, state=TaxChangeState.PROPOSED).update(
        state=state, decided_by_id=actor.id, decided_by=actor.name[:200], decided_at=now
    )
    if not moved:
        raise TaxChangeDecided


def _faults(tax_code: str, rate: Decimal, starts_at: datetime, now: datetime) -> list[FieldError]:
    errors = []
    if not tax_code.replace("_", "").isalnum() or not tax_code.isascii():
        text = _("A tax code has letters, digits and underscores.")
        errors.append(FieldError("/tax_code", "tax_code", text))
    if not rate.is_finite() or not 0 <= rate < 1 or rate != rate.quantize(RATE_PLACES):
        errors.append(FieldError("/rate", "rate", _("A rate is from 0 to below 100 per cent.")))
    if starts_at != floor_hour(starts_at) or starts_at < now:
        text = _("A tax rate starts on a whole hour to come.")
        errors.append(FieldError("/starts_at", "starts_at", text))
    later = TaxRate.objects.filter(tax_code=tax_code, during__startswith__gte=starts_at)
    if later.exists():
        text = _("A later rate of this code is agreed already.")
        errors.append(FieldError("/starts_at", "later", text))
    return errors


def _locked(change_id: UUID) -> TaxChange:
    change = TaxChange.objects.select_for_update().filter(pk=change_id).first()
    if change is None:
        raise NotFound
    return change


def _told(actor: Actor, verb: str, change: TaxChange) -> None:
    record(
        actor,
        f"billing.tax_rate.{verb}",
        subject=f"billing.tax_change:{change.pk}",
        detail={
            "tax_code": change.tax_code,
            "rate": str(change.rate),
            "starts_at": change.starts_at.isoformat(),
        },
    )
