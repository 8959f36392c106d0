"""Applying for computing vouchers, and deciding: what is asked counts against the caps at once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from psycopg.errors import CheckViolation

from billing.commands.credit_lots import put_in
from billing.commands.voucher_lots import package_lot, voucher_lot
from billing.credit_days import day_of
from billing.credit_notices import DECIDED, said_end
from billing.four_eyes import author_of, second_person
from billing.locks import busy_when_waiting, lock_account
from billing.models import (
    ApplicationState,
    VoucherApplication,
    VoucherScheme,
)
from billing.money import CURRENCY, FEN, is_whole_fen
from common.errors import DomainError, FieldError, NotFound
from tenants.audit import record
from tenants.models import Organisation
from tenants.notices import post
from tenants.permissions import SYSTEM, Actor, Permission, require

LARGEST_AMOUNT = Decimal("1000000000.00")
CREDIT_CODE_LENGTH = 18


class ApplicationRefused(DomainError):
    """The scheme's rules do not allow this application."""

    code = "voucher_application_refused"
    status = 422
    message = _("The scheme's rules do not allow this application.")


class SchemeClosed(DomainError):
    """The scheme takes no applications now."""

    code = "voucher_scheme_closed"
    status = 409
    message = _("This scheme takes no applications at this time.")


class VoucherCurrency(DomainError):
    """A city gives yuan; an account in another currency has no use for them."""

    code = "voucher_currency"
    status = 409
    message = _("Vouchers are in %(own)s, and this account is billed in %(currency)s.")


class CapReached(DomainError):
    """What is redeemed and what is pending leave no room for this amount."""

    code = "voucher_cap_reached"
    status = 409
    message = _("What is redeemed and what is pending leave no room for this amount.")


class ApplicationDecided(DomainError):
    """Somebody was first."""

    code = "voucher_application_decided"
    status = 409
    message = _("This application is not waiting for this step any more.")


CAPS = frozenset(
    {
        "billing_vouchercap_kept",
        "billing_voucherscheme_budget_kept",
        "billing_voucherapplication_contract_cap",
        "billing_voucherapplication_one_per_contract",
    }
)


@contextmanager
def caps_kept() -> Iterator[None]:
    """Say CapReached where the database refused to go over one.

    Raises: CapReached; AccountBusy where the scheme's row was waited for in vain.
    """
    try:
        with busy_when_waiting(), transaction.atomic():
            yield
    except IntegrityError as error:
        cause = error.__cause__
        if isinstance(cause, CheckViolation) and cause.diag.constraint_name in CAPS:
            raise CapReached(cap=cause.diag.constraint_name) from error
        raise


@dataclass(frozen=True)
class Request:
    """What a tenant asks for. ``evidence`` maps each kind asked for to a document's reference."""

    scheme: str
    amount: Decimal
    contract: str = ""
    is_unrelated: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def apply_for_voucher(
    *, actor: Actor, tenant_id: UUID, request: Request, key: str, now: datetime
) -> VoucherApplication:
    """Draft and submit an application; a scheme without a review grants it at once.

    Locks: the account, then the caps of the scheme.
    Raises: PermissionRefused, NotFound, VoucherCurrency, SchemeClosed, ApplicationRefused,
    CapReached, AccountBusy.
    Idempotent: by key; the second call gives the first application back.
    """
    require(actor, Permission.VOUCHER_APPLY, tenant_id)
    scheme = VoucherScheme.objects.filter(code=request.scheme).first()
    if scheme is None:
        raise NotFound

    account = lock_account(tenant_id)
    if account.currency != CURRENCY:
        raise VoucherCurrency(own=CURRENCY, currency=account.currency)
    known = VoucherApplication.objects.filter(tenant_id=tenant_id, key=key).first()
    if known is not None:
        if (known.scheme_id, known.amount) != (scheme.pk, request.amount):
            wrong = FieldError("/key", "reused", _("This key made a different application."))
            raise ApplicationRefused(errors=[wrong])
        return known
    _check(tenant_id, scheme, request, now)
    application = VoucherApplication.objects.create(
        tenant_id=tenant_id,
        scheme=scheme,
        key=key,
        contract=request.contract,
        amount=request.amount,
        is_unrelated=request.is_unrelated,
        evidence=dict(request.evidence),
        cap_year=day_of(now, settings.CENTRE_TIME_ZONE).year,
        created_at=now,
    )
    with caps_kept():
        _move(actor, application, ApplicationState.SUBMITTED, now, submitted_at=now)
    if not scheme.needs_review:
        _move(SYSTEM, application, ApplicationState.REVIEWED, now, reviewed_at=now)
        _grant(SYSTEM, application, application.amount, now)
    application.refresh_from_db()
    return application


def _check(tenant_id: UUID, scheme: VoucherScheme, request: Request, now: datetime) -> None:
    start, end = scheme.applications_from, scheme.applications_until
    if not scheme.is_open or (start and now < start) or (end and now >= end):
        raise SchemeClosed
    if scheme.valid_until is not None and now >= scheme.valid_until:
        raise SchemeClosed
    errors = [*_request_faults(scheme, request), *_tenant_faults(tenant_id, scheme)]
    if errors:
        raise ApplicationRefused(errors=errors)


def _request_faults(scheme: VoucherScheme, request: Request) -> list[FieldError]:
    errors = []
    if not is_whole_fen(request.amount) or not FEN <= request.amount <= LARGEST_AMOUNT:
        errors.append(FieldError("/amount", "amount", _("Give an amount above zero, in fen.")))
    if (scheme.is_one_per_contract or scheme.cap_per_contract) and not request.contract.strip():
        errors.append(FieldError("/contract", "required", _("Name the contract.")))
    if scheme.needs_unrelated and not request.is_unrelated:
        told = _("The scheme excludes parties related to the centre.")
        errors.append(FieldError("/is_unrelated", "required", told))
    told = _("The scheme asks for this document.")
    errors.extend(
        FieldError(f"/evidence/{kind}", "required", told)
        for kind in scheme.evidence
        if not request.evidence.get(kind, "").strip()
    )
    return errors


def _tenant_faults(tenant_id: UUID, scheme: VoucherScheme) -> list[FieldError]:
    tenant = Organisation.objects.get(pk=tenant_id)
    known = tenant.legal_name and len(tenant.credit_code) == CREDIT_CODE_LENGTH
    if not scheme.needs_verification or known:
        return []
    told = _("Your organisation's legal name and credit code must be known first.")
    return [FieldError("/scheme", "unverified", told)]


def _move(
    actor: Actor,
    application: VoucherApplication,
    state: ApplicationState,
    now: datetime,
    **values: object,
) -> None:
    """Raises: ApplicationDecided where it does not stand before this step."""
    before = {
        ApplicationState.SUBMITTED: [ApplicationState.DRAFTED],
        ApplicationState.REVIEWED: [ApplicationState.SUBMITTED],
        ApplicationState.GRANTED: [ApplicationState.REVIEWED],
        ApplicationState.REJECTED: [ApplicationState.SUBMITTED, ApplicationState.REVIEWED],
    }[state]
    rows = VoucherApplication.objects.filter(pk=application.pk, state__in=before)
    if not rows.update(state=state, **values):
        raise ApplicationDecided
    record(
        actor,
        f"billing.voucher_application.{state}",
        subject=f"billing.voucher_application:{application.pk}",
        tenant_id=application.tenant_id,
        detail={"scheme": application.scheme.code, "at": now.isoformat()},
    )


def _found(tenant_id: UUID, application_id: UUID) -> VoucherApplication:
    row = (
        VoucherApplication.objects.select_related("scheme")
        .filter(tenant_id=tenant_id, pk=application_id)
        .first()
    )
    if row is None:
        raise NotFound
    return row


@transaction.atomic
def review_application(
    *, actor: Actor, tenant_id: UUID, application_id: UUID, now: datetime
) -> VoucherApplication:
    """Say that the evidence was looked at and is complete.

    Raises: PermissionRefused, NotFound, ApplicationDecided.
    """
    require(actor, Permission.VOUCHER_REVIEW, tenant_id)
    application = _found(tenant_id, application_id)
    values = {
        "reviewed_at": now,
        "reviewed_by": actor.name[:200],
        "reviewed_by_id": author_of(actor),
    }
    _move(actor, application, ApplicationState.REVIEWED, now, **values)
    application.refresh_from_db()
    return application


@transaction.atomic
def grant_application(
    *, actor: Actor, tenant_id: UUID, application_id: UUID, amount: Decimal, now: datetime
) -> VoucherApplication:
    """Grant what somebody else reviewed, in whole or in part; the voucher is there to use.

    Locks: the account, then the caps of the scheme.
    Raises: PermissionRefused, NotFound, ApplicationDecided, FourEyesRequired, ApplicationRefused,
    CapReached, AccountBusy.
    """
    require(actor, Permission.VOUCHER_REVIEW, tenant_id)
    lock_account(tenant_id)
    application = _found(tenant_id, application_id)
    if application.state != ApplicationState.REVIEWED:
        raise ApplicationDecided
    reviewer = application.reviewed_by_id
    second_person(actor, [] if reviewer is None else [reviewer])
    if not is_whole_fen(amount) or not FEN <= amount <= application.amount:
        wrong = FieldError("/amount", "amount", _("Grant at most what was asked, in fen."))
        raise ApplicationRefused(errors=[wrong])
    with caps_kept():
        _grant(actor, application, amount, now)
    application.refresh_from_db()
    return application


def _grant(actor: Actor, application: VoucherApplication, amount: Decimal, now: datetime) -> None:
    scheme = application.scheme
    # The application lets go of what it held before the lot takes it, in one locked transaction.
    values = {
        "granted_amount": amount,
        "decided_at": now,
        "decided_by": actor.name[:200],
        "decided_by_id": author_of(actor),
    }
    _move(actor, application, ApplicationState.GRANTED, now, **values)
    lot = voucher_lot(application, amount, actor, now)
    put_in(actor, lot, now)
    if scheme.package_quantity:
        put_in(actor, package_lot(application, lot, actor, now), now)
    _tell(application, now, decision="granted", amount=f"{amount:.2f}", expires=said_end(lot))


@transaction.atomic
def reject_application(
    *, actor: Actor, tenant_id: UUID, application_id: UUID, reason: str, now: datetime
) -> VoucherApplication:
    """Refuse an application; what it held of the caps is free again.

    Raises: PermissionRefused, NotFound, ApplicationDecided.
    """
    require(actor, Permission.VOUCHER_REVIEW, tenant_id)
    application = _found(tenant_id, application_id)
    values = {
        "reason": reason[:500],
        "decided_at": now,
        "decided_by": actor.name[:200],
        "decided_by_id": actor.id,
    }
    _move(actor, application, ApplicationState.REJECTED, now, **values)
    application.refresh_from_db()
    _tell(application, now, decision="rejected", amount="0.00", reason=reason.strip())
    return application


def _tell(application: VoucherApplication, now: datetime, **said: str) -> None:
    post(
        tenant_id=application.tenant_id,
        kind=DECIDED,
        key=f"voucher_application.decided:{application.pk}",
        detail={
            "scheme": application.scheme.code,
            "currency": CURRENCY,
            "reason": "",
            **said,
        },
        now=now,
    )
