"""Asking for a fapiao: whom it is made out to, and which money it stands for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.fapiao.capital_words import in_capital_words
from billing.fapiao.credit_code import is_credit_code
from billing.fapiao.lines import FapiaoLineFact, Goods, line_of, spread, totals
from billing.locks import lock_account
from billing.models import (
    Fapiao,
    FapiaoBasis,
    FapiaoCover,
    FapiaoDirection,
    FapiaoKind,
    FapiaoLine,
    FapiaoState,
    TaxProfile,
)
from billing.money import CURRENCY
from billing.queries.invoiceable import (
    Invoiceable,
    gross_by_tax,
    invoiceable_invoices,
    invoiceable_top_ups,
)
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.ids import uuid7
from tenants.audit import record
from tenants.permissions import Actor, Permission, require

MOST_COVERED = 50


class NoTaxProfile(DomainError):
    """Nobody said whom the fapiao is made out to."""

    code = "no_tax_profile"
    status = 409
    message = _("Fill in the tax profile first.")


class FapiaoCurrency(DomainError):
    """The tax bureau's form is in yuan."""

    code = "fapiao_currency"
    status = 409
    message = _("A fapiao is in %(own)s, and this account is billed in %(currency)s.")


class FapiaoNotPossible(DomainError):
    """What was asked for stands on a fapiao already, was paid by vouchers, or was credited."""

    code = "fapiao_not_possible"
    status = 409
    message = _("%(label)s has nothing left that a fapiao may stand for.")


class FapiaoBasisRefused(DomainError):
    """A tenant's fapiao stand for what is paid in or for what is invoiced, never both."""

    code = "fapiao_basis_refused"
    status = 409
    message = _("Fapiao of this tenant stand for something else. Take those back first.")


class GoodsCodeMissing(DomainError):
    """The centre has not said what a tax code is called on a fapiao."""

    code = "goods_code_missing"
    status = 409
    message = _("The tax code %(tax_code)s has no goods code yet. Tell the centre.")


@transaction.atomic
def save_tax_profile(
    *,
    actor: Actor,
    tenant_id: UUID,
    buyer_name: str,
    kind: str,
    tax_number: str = "",
    address_phone: str = "",
    bank_account: str = "",
    now: datetime,
) -> TaxProfile:
    """Say whom fapiao are made out to from now on; those already asked for keep what they say.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.FAPIAO_REQUEST, tenant_id)

    tax_number = tax_number.strip().upper()
    errors = []
    if not buyer_name.strip():
        errors.append(FieldError("/buyer_name", "required", str(_("Give the buyer's name."))))
    if kind not in FapiaoKind.values:
        errors.append(FieldError("/kind", "unknown", str(_("There is no such kind."))))
    if tax_number and not is_credit_code(tax_number):
        wrong = _("This is no unified social credit code: a character is wrong.")
        errors.append(FieldError("/tax_number", "invalid", str(wrong)))
    if kind == FapiaoKind.SPECIAL and not tax_number:
        needed = _("A special VAT fapiao needs the buyer's tax number.")
        errors.append(FieldError("/tax_number", "required", str(needed)))
    if errors:
        raise InvalidInput(errors=errors)
    said = {
        "buyer_name": buyer_name.strip(),
        "kind": kind,
        "tax_number": tax_number,
        "address_phone": address_phone.strip(),
        "bank_account": bank_account.strip(),
        "updated_at": now,
    }
    profile, _is_new = TaxProfile.objects.update_or_create(tenant_id=tenant_id, defaults=said)
    record(
        actor,
        "billing.tax_profile.saved",
        subject=f"billing.tax_profile:{profile.pk}",
        tenant_id=tenant_id,
        detail={"kind": kind, "tax_number": tax_number},
    )
    return profile


@transaction.atomic
def set_fapiao_basis(*, actor: Actor, tenant_id: UUID, basis: str, now: datetime) -> TaxProfile:
    """Say what a tenant's fapiao stand for, as long as none stands for the other thing.

    Raises: PermissionRefused, InvalidInput, NoTaxProfile, FapiaoBasisRefused.
    """
    require(actor, Permission.FAPIAO_ISSUE, tenant_id)

    if basis not in FapiaoBasis.values:
        raise InvalidInput(errors=[FieldError("/basis", "unknown", basis[:40])])
    lock_account(tenant_id)
    profile = _profile(tenant_id)
    live = Fapiao.objects.filter(tenant_id=tenant_id).exclude(state=FapiaoState.FAILED)
    standing = sum(live.exclude(basis=basis).values_list("gross", flat=True), Decimal(0))
    if standing:
        raise FapiaoBasisRefused
    TaxProfile.objects.filter(pk=profile.pk).update(basis=basis, updated_at=now)
    record(
        actor,
        "billing.tax_profile.basis_set",
        subject=f"billing.tax_profile:{profile.pk}",
        tenant_id=tenant_id,
        detail={"from": profile.basis, "to": basis},
    )
    profile.basis = basis
    return profile


@transaction.atomic
def request_fapiao(
    *, actor: Actor, tenant_id: UUID, wanted: Sequence[UUID], remark: str = "", now: datetime
) -> Fapiao:
    """Ask for one fapiao over all that is left of some invoices, or of some top-ups.

    Which of the two follows from the tenant's basis. Everything its face says is copied now.
    Locks: the account, so that two requests of one tenant queue; the database refuses by itself
    more than is left.
    Raises: PermissionRefused, InvalidInput, NotFound, FapiaoCurrency, NoTaxProfile,
    FapiaoNotPossible, GoodsCodeMissing, AccountBusy.
    """
    require(actor, Permission.FAPIAO_REQUEST, tenant_id)
    asked = list(dict.fromkeys(wanted))
    if not 1 <= len(asked) <= MOST_COVERED:
        raise InvalidInput(errors=[FieldError("/invoices", "out_of_range", str(len(asked)))])

    account = lock_account(tenant_id)
    if account.currency != CURRENCY:
        raise FapiaoCurrency(own=CURRENCY, currency=account.currency)
    profile = _profile(tenant_id)
    covered = _asked_for(profile, asked)
    lines = _lines(profile, covered)
    made = _write(profile, lines, {one.id: one.left for one in covered}, actor, remark, now)
    record(
        actor,
        "billing.fapiao.requested",
        subject=f"billing.fapiao:{made.pk}",
        tenant_id=tenant_id,
        detail={"serial": made.serial, "gross": str(made.gross)},
    )
    return made


def _profile(tenant_id: UUID) -> TaxProfile:
    profile = TaxProfile.objects.filter(tenant_id=tenant_id).first()
    if profile is None:
        raise NoTaxProfile
    return profile


def _asked_for(profile: TaxProfile, asked: Sequence[UUID]) -> tuple[Invoiceable, ...]:
    on_top_up = profile.basis == FapiaoBasis.ON_TOP_UP
    find = invoiceable_top_ups if on_top_up else invoiceable_invoices
    covered = find(tenant_id=profile.tenant_id, wanted=asked)
    if len(covered) < len(asked):
        raise NotFound
    for one in covered:
        if one.left <= 0:
            raise FapiaoNotPossible(label=one.label)
    return covered


def _lines(profile: TaxProfile, covered: Sequence[Invoiceable]) -> tuple[FapiaoLineFact, ...]:
    """One line for each tax code and rate; money paid in is not taxed before it is used."""
    if profile.basis == FapiaoBasis.ON_TOP_UP:
        gross = sum((one.left for one in covered), Decimal(0))
        return (line_of(_goods("prepayment"), Decimal(0), gross),)
    sums: dict[tuple[str, Decimal], Decimal] = {}
    for one in covered:
        parts = gross_by_tax(tenant_id=profile.tenant_id, invoice_id=one.id)
        names = {f"{code}|{rate}": (code, rate) for code, rate in parts}
        sizes = {name: parts[key] for name, key in names.items()}
        for name, share in spread(one.left, sizes).items():
            sums[names[name]] = sums.get(names[name], Decimal(0)) + share
    return tuple(line_of(_goods(code), rate, gross) for (code, rate), gross in sorted(sums.items()))


def _goods(tax_code: str) -> Goods:
    told: Mapping[str, tuple[str, str, str, str]] = settings.FAPIAO_GOODS
    if tax_code not in told:
        raise GoodsCodeMissing(tax_code=tax_code)
    return Goods(*told[tax_code])


def _write(
    profile: TaxProfile,
    lines: Sequence[FapiaoLineFact],
    covers: Mapping[UUID, Decimal],
    actor: Actor,
    remark: str,
    now: datetime,
) -> Fapiao:
    net, tax, gross = totals(lines)
    made = Fapiao.objects.create(
        tenant_id=profile.tenant_id,
        serial=new_serial(now),
        kind=profile.kind,
        basis=profile.basis,
        direction=FapiaoDirection.BLUE,
        state=FapiaoState.REQUESTED,
        buyer_name=profile.buyer_name,
        buyer_tax_number=profile.tax_number,
        buyer_address_phone=profile.address_phone,
        buyer_bank_account=profile.bank_account,
        seller_name=settings.INVOICE_SELLER_NAME,
        seller_tax_number=settings.INVOICE_SELLER_CREDIT_CODE,
        seller_address_phone=settings.FAPIAO_SELLER_ADDRESS_PHONE,
        seller_bank_account=settings.FAPIAO_SELLER_BANK_ACCOUNT,
        drawer=settings.FAPIAO_DRAWER,
        net=net,
        tax=tax,
        gross=gross,
        gross_words=in_capital_words(gross),
        remark=remark.strip()[:200],
        requested_at=now,
        requested_by=actor.name[:200],
    )
    write_lines(made, lines)
    column = "top_up_id" if profile.basis == FapiaoBasis.ON_TOP_UP else "invoice_id"
    FapiaoCover.objects.bulk_create(
        FapiaoCover(tenant_id=profile.tenant_id, fapiao=made, amount=amount, **{column: of})
        for of, amount in covers.items()
    )
    return made


def write_lines(fapiao: Fapiao, lines: Sequence[FapiaoLineFact]) -> None:
    """The face's lines; frozen from here on."""
    FapiaoLine.objects.bulk_create(
        FapiaoLine(
            tenant_id=fapiao.tenant_id,
            fapiao=fapiao,
            position=position,
            goods_code=line.goods.code,
            item=line.goods.item,
            unit=line.goods.unit,
            quantity=line.quantity,
            price=line.price,
            net=line.net,
            tax_rate=line.tax_rate,
            tax=line.tax,
            gross=line.gross,
            zero_rate=line.goods.zero_rate,
        )
        for position, line in enumerate(lines, start=1)
    )


def new_serial(now: datetime) -> str:
    """Our own number for a fapiao in the tax software: never used twice, guessed by nobody."""
    return f"F{now:%Y%m%d}{uuid7().hex[-12:].upper()}"
