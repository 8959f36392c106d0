"""Adjustments: an operator changes a tenant's next invoice by an amount; two above a limit."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.locks import lock_account
from billing.models import (
    ADJUSTMENT_TRANSITIONS,
    Adjustment,
    AdjustmentState,
    CreditNoteLine,
    TaxRate,
)
from billing.money import FEN
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.models import Organisation
from tenants.permissions import Actor, Permission, require

LARGEST = Decimal("100000000.00")


class AdjustmentDecided(DomainError):
    """Somebody decided it, or it stands on an invoice."""

    code = "adjustment_decided"
    status = 409
    message = _("This adjustment is decided already.")


class SecondPersonNeeded(DomainError):
    """An amount above the limit needs somebody else's agreement."""

    code = "second_person_needed"
    status = 403
    message = _("Somebody else has to approve an adjustment of this size.")


class RebilledAlready(DomainError):
    """What was credited is charged again at most once."""

    code = "rebilled_already"
    status = 409
    message = _("This credited line was charged again before.")


@transaction.atomic
def propose_adjustment(
    *,
    actor: Actor,
    tenant_id: UUID,
    net: Decimal,
    tax_code: str,
    title_en: str,
    title_zh: str,
    reason: str,
    rebills: UUID | None = None,
    now: datetime,
) -> Adjustment:
    """Put an amount on the tenant's next invoice; above the limit once somebody else agrees.

    Shape: ``rebills`` names the credit note line whose amount is charged again, which is the only
    way that credited usage is billed a second time.
    Locks: the account, whose currency the amount is in.
    Raises: PermissionRefused, NotFound, InvalidInput, RebilledAlready, AccountBusy.
    """
    require(actor, Permission.ADJUSTMENT_PROPOSE, tenant_id)
    errors = []
    if not net.is_finite() or not net or abs(net) > LARGEST or net != net.quantize(FEN):
        wrong = _("Give an amount in whole fen, not zero and at most one hundred million.")
        errors.append(FieldError("/net", "out_of_range", str(wrong)))
    for name, text in (("title_en", title_en), ("title_zh", title_zh), ("reason", reason)):
        if not text.strip():
            errors.append(FieldError(f"/{name}", "required", str(_("Say what it is for."))))
    if not TaxRate.objects.filter(tax_code=tax_code).exists():
        errors.append(FieldError("/tax_code", "unknown", tax_code[:40]))
    if errors:
        raise InvalidInput(errors=errors)
    if not Organisation.objects.filter(pk=tenant_id).exists():
        raise NotFound
    if rebills is not None and not _credited_line(tenant_id, rebills):
        raise NotFound
    lock_account(tenant_id)
    needs_two = abs(net) > settings.ADJUSTMENT_TWO_PERSON_ABOVE
    try:
        with transaction.atomic():
            made = Adjustment.objects.create(
                tenant_id=tenant_id,
                state=AdjustmentState.PROPOSED if needs_two else AdjustmentState.APPROVED,
                title_en=title_en.strip()[:150],
                title_zh=title_zh.strip()[:150],
                reason=reason.strip()[:500],
                net=net.quantize(FEN),
                tax_code=tax_code,
                needs_two=needs_two,
                proposed_at=now,
                proposed_by=actor.id,
                proposer_name=actor.name[:200],
                decided_at=None if needs_two else now,
                rebills_id=rebills,
            )
    except IntegrityError as error:
        raise RebilledAlready from error
    _record(actor, made, "proposed")
    return made


@transaction.atomic
def approve_adjustment(*, actor: Actor, adjustment_id: UUID, now: datetime) -> None:
    """Agree to an adjustment of somebody else's.

    Raises: PermissionRefused, NotFound, SecondPersonNeeded, AdjustmentDecided.
    """
    require(actor, Permission.ADJUSTMENT_APPROVE)
    adjustment = _found(adjustment_id)
    if adjustment.needs_two and (actor.id is None or actor.id == adjustment.proposed_by):
        raise SecondPersonNeeded
    _decide(actor, adjustment, AdjustmentState.APPROVED, now)


@transaction.atomic
def reject_adjustment(*, actor: Actor, adjustment_id: UUID, now: datetime) -> None:
    """Refuse an adjustment, or take it back before it stands on an invoice.

    Raises: PermissionRefused, NotFound, AdjustmentDecided.
    """
    require(actor, Permission.ADJUSTMENT_APPROVE)
    _decide(actor, _found(adjustment_id), AdjustmentState.REJECTED, now)


def _found(adjustment_id: UUID) -> Adjustment:
    adjustment = Adjustment.objects.filter(pk=adjustment_id).first()
    if adjustment is None:
        raise NotFound
    return adjustment


def _credited_line(tenant_id: UUID, line_id: UUID) -> bool:
    return CreditNoteLine.objects.filter(tenant_id=tenant_id, pk=line_id).exists()


def _decide(actor: Actor, adjustment: Adjustment, to: str, now: datetime) -> None:
    decided = Adjustment.objects.filter(
        pk=adjustment.pk, state__in=ADJUSTMENT_TRANSITIONS[to]
    ).update(state=to, decided_at=now, decided_by=actor.id, decider_name=actor.name[:200])
    if not decided:
        raise AdjustmentDecided
    _record(actor, adjustment, str(to))


def _record(actor: Actor, adjustment: Adjustment, verb: str) -> None:
    record(
        actor,
        f"billing.adjustment.{verb}",
        subject=f"billing.adjustment:{adjustment.pk}",
        tenant_id=adjustment.tenant_id,
        detail={"net": str(adjustment.net), "reason": adjustment.reason},
    )
