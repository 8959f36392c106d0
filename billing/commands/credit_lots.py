"""Giving credits and ending them: promotional credit, packages, and the lots of vouchers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.credit_money import book_ended, book_given
from billing.credit_days import end_of_day
from billing.credit_notices import GRANTED, said_end, said_unit
from billing.four_eyes import author_of, second_person
from billing.locks import lock_account
from billing.meters import get as meter_of
from billing.models import (
    Account,
    AfterExpiry,
    CreditKind,
    CreditLot,
    CreditScope,
    CreditState,
    Funder,
    TaxRate,
)
from billing.money import FEN, is_whole_fen, tax_on
from billing.queries.budgets import refuse_when_reached
from billing.queries.package_fit import refuse_useless
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.ids import uuid7
from tenants.audit import record
from tenants.models import Project
from tenants.notices import post
from tenants.permissions import Actor, Permission, require

LARGEST_FACE = Decimal("1000000000")
LARGEST_QUANTITY = 10**15
PREFIXES = {CreditKind.PACKAGE: "PK", CreditKind.VOUCHER: "VC", CreditKind.PROMO: "PR"}


class CreditRefused(DomainError):
    """These terms make no credit."""

    code = "credit_refused"
    status = 422
    message = _("These terms make no credit.")


class CreditEnded(DomainError):
    """The credit has already ended, or was paid for."""

    code = "credit_ended"
    status = 409
    message = _("This credit has ended already, or was bought and cannot be taken back.")


class CreditDecided(DomainError):
    """Somebody was first."""

    code = "credit_decided"
    status = 409
    message = _("This credit was decided on already.")


class PackageNotPaid(DomainError):
    """A package is paid from the wallet when it is sold."""

    code = "insufficient_funds"
    status = 402
    message = _("The package costs %(needed)s %(currency)s and %(available)s are in the wallet.")


@dataclass(frozen=True)
class LotTerms:
    """What a promotional credit or a package may pay for, and until when.

    Units: ``share`` of one line; ``min_spend`` in money with tax.
    Shape: ``expires_on`` is the last day of the centre it is valid on; None is without end.
    """

    title: str
    effective_at: datetime
    expires_on: date | None = None
    priority: int = 50
    scope: str = CreditScope.ANY
    scope_values: tuple[str, ...] = ()
    project_id: UUID | None = None
    share: Decimal = Decimal(1)
    min_spend: Decimal = Decimal(0)


@dataclass(frozen=True)
class PackageTerms:
    """What a package holds. Units: ``quantity`` in the meter's base units; ``price_net`` without
    tax, nothing where it is given free.
    """

    meter: str
    quantity: int
    match: Mapping[str, str] = field(default_factory=dict)
    price_net: Decimal = Decimal(0)
    tax_code: str = "it_service"


@transaction.atomic
def grant_promo(
    *, actor: Actor, tenant_id: UUID, amount: Decimal, terms: LotTerms, key: str, now: datetime
) -> CreditLot:
    """Give a tenant promotional credit once somebody else agrees; it reduces revenue when used.

    Locks: the account.
    Raises: PermissionRefused, CreditRefused, AccountBusy.
    Idempotent: by key; the second call gives the first lot back.
    """
    require(actor, Permission.CREDIT_GRANT, tenant_id)
    _check(tenant_id, terms, amount)

    account = lock_account(tenant_id)
    lot = _lot(account, CreditKind.PROMO, terms, key, actor, now)
    lot.funder, lot.face = Funder.CENTRE, amount.quantize(FEN)
    return _give(actor, lot, now)


@transaction.atomic
def grant_package(
    *,
    actor: Actor,
    tenant_id: UUID,
    package: PackageTerms,
    terms: LotTerms,
    key: str,
    now: datetime,
) -> CreditLot:
    """Sell a tenant a package from its wallet; one at no price is given once somebody else agrees.

    Locks: the account.
    Raises: PermissionRefused, CreditRefused, UnknownMeter, PackageCoversNothing, PackageNotPaid,
    BudgetReached, AccountBusy.
    Idempotent: by key; the second call gives the first lot back.
    """
    require(actor, Permission.CREDIT_GRANT, tenant_id)
    _check(tenant_id, terms, Decimal(package.quantity))
    tax = _tax(package, now)

    account = lock_account(tenant_id)
    lot = _lot(account, CreditKind.PACKAGE, terms, key, actor, now)
    lot.funder = Funder.TENANT if package.price_net else Funder.CENTRE
    lot.face, lot.meter, lot.match = Decimal(package.quantity), package.meter, dict(package.match)
    lot.price_net, lot.price_tax = package.price_net, tax
    known = CreditLot.objects.filter(tenant_id=tenant_id, key=key).exists()
    gross = package.price_net + tax
    if not known:
        refuse_useless(lot, now)
    if not known and gross:
        refuse_when_reached(tenant_id, None, now)
    if not known and gross > account.wallet:
        raise PackageNotPaid(
            needed=gross, available=account.wallet.quantize(FEN), currency=account.currency
        )
    return _give(actor, lot, now)


def _check(tenant_id: UUID, terms: LotTerms, face: Decimal) -> None:
    errors = []
    if not is_whole_fen(face) or not 0 < face <= LARGEST_QUANTITY:
        errors.append(FieldError("/amount", "amount", _("Give an amount above zero, in fen.")))
    if not (Decimal(0) < terms.share <= 1) or not terms.min_spend >= 0:
        errors.append(FieldError("/share", "share", _("A share is above 0 and at most 1.")))
    expires_at = _expires_at(terms)
    if expires_at is not None and expires_at <= terms.effective_at:
        errors.append(FieldError("/expires_on", "past", _("It ends after it begins.")))
    if terms.scope not in CreditScope.values or bool(terms.scope_values) == (
        terms.scope == CreditScope.ANY
    ):
        errors.append(FieldError("/scope", "scope", _("Say which things it may pay for.")))
    if errors:
        raise CreditRefused(errors=errors)
    if terms.project_id is not None:
        own = Project.objects.filter(tenant_id=tenant_id, pk=terms.project_id)
        if not own.exists():
            raise NotFound


def _tax(package: PackageTerms, now: datetime) -> Decimal:
    known = meter_of(package.meter)
    if not package.match.keys() <= set(known.shown_dimensions):
        wrong = FieldError("/match", "dimension", _("The meter shows no such dimension."))
        raise CreditRefused(errors=[wrong])
    price = package.price_net
    if not is_whole_fen(price) or not 0 <= price <= LARGEST_FACE:
        wrong = FieldError("/price_net", "amount", _("Give a price in whole fen."))
        raise CreditRefused(errors=[wrong])
    rate = TaxRate.objects.filter(tax_code=package.tax_code, during__contains=now).first()
    if price and rate is None:
        raise CreditRefused(
            errors=[FieldError("/tax_code", "tax_code", _("There is no such tax code."))]
        )
    return tax_on(price, rate.rate) if rate is not None else Decimal(0)


def _expires_at(terms: LotTerms) -> datetime | None:
    if terms.expires_on is None:
        return None
    return end_of_day(terms.expires_on, settings.CENTRE_TIME_ZONE)


def _lot(
    account: Account, kind: CreditKind, terms: LotTerms, key: str, actor: Actor, now: datetime
) -> CreditLot:
    """A lot that is not written yet; what tells the kinds apart is left to the caller."""
    return CreditLot(
        tenant_id=account.tenant_id,
        currency=account.currency,
        code=new_code(kind),
        kind=kind,
        state=state_at(terms.effective_at, now),
        title=terms.title[:150],
        priority=terms.priority,
        scope=terms.scope,
        scope_values=list(terms.scope_values),
        project_id=terms.project_id,
        share_domestic=terms.share,
        share_other=terms.share,
        min_spend=terms.min_spend,
        after_expiry=AfterExpiry.GRACE,
        effective_at=terms.effective_at,
        expires_at=_expires_at(terms),
        key=key,
        created_at=now,
        created_by=actor.name[:200],
    )


def new_code(kind: CreditKind) -> str:
    """What people call a lot: random, so that nobody counts a centre's vouchers."""
    return f"{PREFIXES[kind]}-{uuid7().hex[-12:].upper()}"


def state_at(effective_at: datetime, now: datetime) -> CreditState:
    return CreditState.ACTIVE if effective_at <= now else CreditState.ISSUED


def _give(actor: Actor, lot: CreditLot, now: datetime) -> CreditLot:
    known = CreditLot.objects.filter(tenant_id=lot.tenant_id, key=lot.key).first()
    if known is not None:
        if (known.kind, known.face, known.price_net) != (lot.kind, lot.face, lot.price_net):
            raise InvalidInput(
                errors=[FieldError("/key", "reused", _("This key made a different credit."))]
            )
        return known
    author = None if lot.price_net else author_of(actor)
    if author is None:
        return put_in(actor, lot, now)
    lot.state, lot.proposed_by_id = CreditState.PROPOSED, author
    lot.save(force_insert=True)
    lot.remaining = lot.face
    _record(actor, lot, f"billing.{lot.kind}.proposed")
    return lot


@transaction.atomic
def approve_credit(*, actor: Actor, tenant_id: UUID, lot_id: UUID, now: datetime) -> CreditLot:
    """Agree to a credit that somebody else proposed; it is there to use from now on.

    Locks: the account.
    Raises: PermissionRefused, NotFound, CreditDecided, FourEyesRequired, CreditRefused,
    AccountBusy.
    """
    require(actor, Permission.CREDIT_GRANT, tenant_id)

    lock_account(tenant_id)
    lot = _proposed(tenant_id, lot_id)
    second = second_person(actor, [lot.proposed_by_id] if lot.proposed_by_id else [])
    if lot.expires_at is not None and lot.expires_at <= now:
        told = _("Its last day is over.")
        raise CreditRefused(errors=[FieldError("/expires_on", "past", told)])
    moved = CreditLot.objects.filter(pk=lot.pk, state=CreditState.PROPOSED).update(
        state=state_at(lot.effective_at, now),
        approved_by=actor.name[:200],
        approved_by_id=second,
        approved_at=now,
    )
    if not moved:
        raise CreditDecided
    lot.refresh_from_db()
    _hand_out(actor, lot, now)
    return lot


@transaction.atomic
def reject_credit(
    *, actor: Actor, tenant_id: UUID, lot_id: UUID, reason: str, now: datetime
) -> CreditLot:
    """Refuse a proposed credit, or take one's own proposal back; nothing was given.

    Raises: PermissionRefused, NotFound, CreditDecided.
    """
    require(actor, Permission.CREDIT_GRANT, tenant_id)
    lot = _proposed(tenant_id, lot_id)
    moved = CreditLot.objects.filter(pk=lot.pk, state=CreditState.PROPOSED).update(
        state=CreditState.REJECTED, closed_at=now, closed_reason=reason[:500]
    )
    if not moved:
        raise CreditDecided
    _record(actor, lot, f"billing.{lot.kind}.rejected")
    lot.refresh_from_db()
    return lot


def _proposed(tenant_id: UUID, lot_id: UUID) -> CreditLot:
    lot = CreditLot.objects.filter(tenant_id=tenant_id, pk=lot_id).first()
    if lot is None:
        raise NotFound
    if lot.state != CreditState.PROPOSED:
        raise CreditDecided
    return lot


def put_in(actor: Actor, lot: CreditLot, now: datetime) -> CreditLot:
    """Write a lot, book what it means, tell the tenant; part of the caller's locked transaction."""
    lot.save(force_insert=True)
    lot.remaining = lot.face
    _hand_out(actor, lot, now)
    return lot


def _hand_out(actor: Actor, lot: CreditLot, now: datetime) -> None:
    book_given(lot, now)
    _record(actor, lot, f"billing.{lot.kind}.granted")
    post(
        tenant_id=lot.tenant_id,
        kind=GRANTED,
        key=f"credit.granted:{lot.pk}",
        detail={
            "code": lot.code,
            "face": str(lot.face),
            "expires": said_end(lot),
            **said_unit(lot),
        },
        now=now,
    )


def _record(actor: Actor, lot: CreditLot, action: str) -> None:
    record(
        actor,
        action,
        subject=f"billing.credit:{lot.pk}",
        tenant_id=lot.tenant_id,
        detail={"code": lot.code, "face": str(lot.face), "title": lot.title},
    )


@transaction.atomic
def revoke_credit(
    *, actor: Actor, tenant_id: UUID, lot_id: UUID, reason: str, now: datetime
) -> CreditLot:
    """Take back what is left of a voucher, a promotional credit or a free package.

    Locks: the account.
    Raises: PermissionRefused, NotFound, CreditEnded, AccountBusy.
    Idempotent: a lot already revoked is given back as it is.
    """
    require(actor, Permission.CREDIT_GRANT, tenant_id)

    lock_account(tenant_id)
    lot = CreditLot.objects.filter(tenant_id=tenant_id, pk=lot_id).first()
    if lot is None:
        raise NotFound
    if lot.state == CreditState.REVOKED:
        return lot
    if lot.price_net:
        raise CreditEnded
    if not end_lot(actor, lot, CreditState.REVOKED, reason, now):
        raise CreditEnded
    return lot


def end_lot(actor: Actor, lot: CreditLot, state: CreditState, reason: str, now: datetime) -> bool:
    """End a lot and book what lapses; False where it had ended. Part of a locked transaction."""
    changed = CreditLot.objects.filter(
        pk=lot.pk, state__in=[CreditState.ISSUED, CreditState.ACTIVE]
    ).update(state=state, closed_at=now, closed_reason=reason[:500])
    if not changed:
        return False
    lot.refresh_from_db()
    book_ended(lot, now)
    record(
        actor,
        f"billing.credit.{state}",
        subject=f"billing.credit:{lot.pk}",
        tenant_id=lot.tenant_id,
        detail={"code": lot.code, "left": str(lot.remaining), "reason": reason},
    )
    return True
