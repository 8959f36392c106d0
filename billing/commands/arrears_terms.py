"""What operators decide of arrears: terms, a whitelisting, more time, and a tier's figures."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.arrears import COVERED, Figures, put_off
from billing.commands.arrears import reassess
from billing.locks import lock_account
from billing.models import ArrearsFigures, ArrearsStanding, ArrearsTerms, ArrearsTier, MoveCause
from billing.queries.arrears import Arrears
from common.errors import DomainError, FieldError, InvalidInput
from tenants.audit import record
from tenants.permissions import Actor, Permission, require

LONGEST_EXEMPTION = timedelta(days=366)
LONGEST_DELAY_HOURS = 24 * 30
MOST_HOURS = 24 * 366
MOST_DAYS = 366
MOST_MINUTES = 24 * 60


class NotInArrears(DomainError):
    """There is no deadline to put off."""

    code = "not_in_arrears"
    status = 409
    message = _("The tenant is not in arrears; there is no deadline to put off.")


class FiguresDated(DomainError):
    """A tier has one set of figures from an instant on."""

    code = "figures_dated"
    status = 409
    message = _("The tier already has figures from this time on.")


@transaction.atomic
def set_terms(
    *, actor: Actor, tenant_id: UUID, tier: str, payment_days: int | None, now: datetime
) -> Arrears:
    """Put a tenant into a tier and say how long it has to pay an invoice.

    Shape: an empty tier is the default one; without ``payment_days`` the tier's hold. Deadlines
    that run already stay as they were told.
    Raises: PermissionRefused, InvalidInput, AccountBusy.
    """
    require(actor, Permission.ARREARS_MANAGE, tenant_id)
    faults = []
    if tier and not ArrearsTier.objects.filter(code=tier).exists():
        faults.append(FieldError("/tier", "unknown_tier", _("There is no such tier.")))
    if payment_days is not None and not 0 <= payment_days <= MOST_DAYS:
        faults.append(FieldError("/payment_days", "out_of_range", _("Use 0 to 366 days.")))
    if faults:
        raise InvalidInput(errors=faults)

    lock_account(tenant_id)
    own = _terms_row(tenant_id)
    ArrearsTerms.objects.filter(pk=own.pk).update(tier=tier or None, payment_days=payment_days)
    record(
        actor,
        "billing.arrears.terms_set",
        subject=f"billing.arrears_terms:{own.pk}",
        tenant_id=tenant_id,
        detail={
            "tier_before": own.tier_id,
            "tier": tier or None,
            "payment_days_before": own.payment_days,
            "payment_days": payment_days,
        },
    )
    return reassess(tenant_id=tenant_id, now=now, actor=actor, cause=MoveCause.OPERATOR)


@transaction.atomic
def exempt(
    *, actor: Actor, tenant_id: UUID, until: datetime, reason: str, now: datetime
) -> Arrears:
    """Keep a tenant out of arrears until an instant, whatever it owes. Ends by itself.

    Raises: PermissionRefused, InvalidInput, AccountBusy.
    """
    require(actor, Permission.ARREARS_MANAGE, tenant_id)
    faults = []
    if not now < until <= now + LONGEST_EXEMPTION:
        text = _("An exemption ends in the future, within a year.")
        faults.append(FieldError("/until", "out_of_range", text))
    if not reason.strip():
        faults.append(FieldError("/reason", "required", _("Give the reason.")))
    if faults:
        raise InvalidInput(errors=faults)

    lock_account(tenant_id)
    own = _terms_row(tenant_id)
    ArrearsTerms.objects.filter(pk=own.pk).update(
        exempt_from=now,
        exempt_until=until,
        exempt_reason=reason.strip()[:500],
        exempt_by=actor.name[:200],
    )
    record(
        actor,
        "billing.arrears.exempted",
        subject=f"billing.arrears_terms:{own.pk}",
        tenant_id=tenant_id,
        detail={"until": until.isoformat(), "reason": reason.strip()[:500]},
    )
    return reassess(tenant_id=tenant_id, now=now, actor=actor, cause=MoveCause.OPERATOR)


@transaction.atomic
def end_exemption(*, actor: Actor, tenant_id: UUID, now: datetime) -> Arrears:
    """Take a whitelisting back before it ends; the tenant stands as its money says.

    Idempotent: without one in force nothing changes.
    Raises: PermissionRefused, AccountBusy.
    """
    require(actor, Permission.ARREARS_MANAGE, tenant_id)

    lock_account(tenant_id)
    ended = ArrearsTerms.objects.filter(tenant_id=tenant_id, exempt_until__gt=now).update(
        exempt_from=None, exempt_until=None, exempt_reason="", exempt_by=""
    )
    if ended:
        record(
            actor,
            "billing.arrears.exemption_ended",
            subject=f"billing.account:{tenant_id}",
            tenant_id=tenant_id,
        )
    return reassess(tenant_id=tenant_id, now=now, actor=actor, cause=MoveCause.OPERATOR)


@transaction.atomic
def delay_deadlines(
    *, actor: Actor, tenant_id: UUID, hours: int, reason: str, now: datetime
) -> Arrears:
    """Give a tenant in arrears more time: every deadline still to come is put off.

    Raises: PermissionRefused, InvalidInput, NotInArrears, AccountBusy.
    """
    require(actor, Permission.ARREARS_MANAGE, tenant_id)
    faults = []
    if not 1 <= hours <= LONGEST_DELAY_HOURS:
        faults.append(FieldError("/hours", "out_of_range", _("Use 1 to 720 hours.")))
    if not reason.strip():
        faults.append(FieldError("/reason", "required", _("Give the reason.")))
    if faults:
        raise InvalidInput(errors=faults)

    lock_account(tenant_id)
    row = ArrearsStanding.objects.filter(tenant_id=tenant_id).exclude(state__in=COVERED).first()
    before = row.deadlines if row is not None else None
    if row is None or before is None:
        raise NotInArrears
    later = put_off(before, timedelta(hours=hours), now)
    ArrearsStanding.objects.filter(pk=row.pk, state=row.state).update(
        on_demand_freeze_at=later.on_demand_freeze_at,
        on_demand_release_at=later.on_demand_release_at,
        reserved_freeze_at=later.reserved_freeze_at,
        reserved_release_at=later.reserved_release_at,
    )
    record(
        actor,
        "billing.arrears.delayed",
        subject=f"billing.arrears:{row.pk}",
        tenant_id=tenant_id,
        detail={"hours": hours, "reason": reason.strip()[:500], "state": row.state},
    )
    return reassess(tenant_id=tenant_id, now=now, actor=actor, cause=MoveCause.OPERATOR)


@transaction.atomic
def date_figures(
    *,
    actor: Actor,
    tier: str,
    effective_at: datetime,
    figures: Figures,
    source: str,
    now: datetime,
) -> None:
    """Give a tier new figures from an instant on; arrears that run keep their deadlines.

    Raises: PermissionRefused, InvalidInput, FiguresDated.
    """
    require(actor, Permission.ARREARS_MANAGE)
    faults = _figure_faults(figures)
    if not ArrearsTier.objects.filter(code=tier).exists():
        faults.append(FieldError("/tier", "unknown_tier", _("There is no such tier.")))
    if effective_at < now:
        faults.append(FieldError("/effective_at", "past", _("Begin now or later.")))
    if faults:
        raise InvalidInput(errors=faults)
    values = vars(figures)
    try:
        with transaction.atomic():
            ArrearsFigures.objects.create(
                tier_id=tier, effective_at=effective_at, source=source[:200], **values
            )
    except IntegrityError as error:
        if "billing_arrearsfigures_key" not in str(error):
            raise
        raise FiguresDated from error
    record(
        actor,
        "billing.arrears.figures_dated",
        subject=f"billing.arrears_tier:{tier}",
        detail={"effective_at": effective_at.isoformat(), **values},
    )


def _figure_faults(figures: Figures) -> list[FieldError]:
    faults = []
    text = _("Ask for a sensible number.")
    for name, value in vars(figures).items():
        most = MOST_HOURS if name.endswith("hours") else MOST_DAYS
        most = MOST_MINUTES if name.endswith("minutes") else most
        least = 1 if name == "checkpoint_minutes" else 0
        if not least <= value <= most:
            faults.append(FieldError(f"/{name}", "out_of_range", text))
    if figures.urgent_days > figures.warning_days:
        text = _("Urgent is fewer days than warning.")
        faults.append(FieldError("/urgent_days", "out_of_range", text))
    return faults


def _terms_row(tenant_id: UUID) -> ArrearsTerms:
    """The tenant's row, made when first needed; the account's lock is held."""
    row, _made = ArrearsTerms.objects.get_or_create(tenant_id=tenant_id)
    return row
