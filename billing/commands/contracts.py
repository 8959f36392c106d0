"""Contracts: drafted, agreed and ended; their terms move money, so they never change in between."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.accrual import refresh_unbilled
from billing.commands.contract_faults import period_faults, term_faults
from billing.contract_notices import ACTIVATED, ENDED, tell
from billing.four_eyes import author_of, second_person
from billing.locks import lock_account
from billing.models import (
    Contract,
    ContractState,
    ContractTerm,
)
from billing.pricing import Tier
from billing.pricing.stored import tier_rows
from billing.queries.contracts import open_from
from common.errors import DomainError, FieldError, NotFound
from common.period import floor_hour
from tenants.audit import record
from tenants.permissions import SYSTEM, Actor, Permission, require


@dataclass(frozen=True)
class TermLine:
    """One thing to agree on; which fields count depends on ``kind``.

    Units: ``discount_percent`` of the list price; ``amount`` net for each ``interval``.
    """

    kind: str
    starts_at: datetime
    ends_at: datetime
    meter: str = ""
    sku: str = ""
    match: Mapping[str, str] = field(default_factory=dict)
    discount_percent: Decimal | None = None
    model: str = ""
    unit_price: Decimal | None = None
    unit_quantity: int | None = None
    tiers: tuple[Tier, ...] = ()
    amount: Decimal | None = None
    interval: str = ""
    tax_code: str = ""


class ContractRefused(DomainError):
    """The contract or one of its terms cannot be agreed as it is."""

    code = "contract_refused"
    status = 422
    message = _("The contract cannot be kept as it is.")


class ContractNumberTaken(DomainError):
    """Another contract has this number."""

    code = "contract_number_taken"
    status = 409
    message = _("There is a contract with this number already.")


class ContractNotDraft(DomainError):
    """An agreed contract is ended, never edited."""

    code = "contract_not_draft"
    status = 409
    message = _("This contract is agreed, so it cannot be changed. End it and agree a new one.")


class ContractNotActive(DomainError):
    """Only an active contract can be ended."""

    code = "contract_not_active"
    status = 409
    message = _("This contract is not active.")


class TermsOverlap(DomainError):
    """Two agreed terms would hold for the same thing at the same time."""

    code = "contract_terms_overlap"
    status = 409
    message = _("Another agreed term holds for the same thing at the same time.")


class PeriodClosed(DomainError):
    """What an invoice has closed keeps its prices."""

    code = "billing_period_closed"
    status = 409
    message = _("A contract never reaches into hours that an invoice has closed.")


@transaction.atomic
def draft_contract(
    *,
    actor: Actor,
    tenant_id: UUID,
    number: str,
    title: str,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> Contract:
    """Open a contract in the tenant's currency; it counts once somebody else has activated it.

    Locks: the account, so that its currency is not changed meanwhile.
    Raises: PermissionRefused, ContractRefused, ContractNumberTaken, AccountBusy.
    """
    require(actor, Permission.CONTRACT_MANAGE, tenant_id)
    errors = period_faults(starts_at, ends_at)
    if not number.strip() or not title.strip():
        errors.append(FieldError("/number", "empty", _("A contract has a number and a title.")))
    if errors:
        raise ContractRefused(errors=errors)
    if Contract.objects.filter(number=number.strip()).exists():
        raise ContractNumberTaken
    account = lock_account(tenant_id)
    contract = Contract.objects.create(
        tenant_id=tenant_id,
        number=number.strip(),
        title=title.strip(),
        starts_at=starts_at,
        ends_at=ends_at,
        currency=account.currency,
        authors=_authors(actor),
        drafted_by=actor.name[:200],
        drafted_at=now,
    )
    _told(actor, "drafted", contract)
    return contract


@transaction.atomic
def add_term(*, actor: Actor, tenant_id: UUID, contract_id: UUID, term: TermLine) -> ContractTerm:
    """Write one term into a draft.

    Raises: PermissionRefused, NotFound, ContractNotDraft, ContractRefused.
    """
    require(actor, Permission.CONTRACT_MANAGE, tenant_id)
    contract = _edited(actor, tenant_id, contract_id)
    errors = term_faults(contract, term)
    if errors:
        raise ContractRefused(errors=errors)
    row = ContractTerm.objects.create(
        tenant_id=tenant_id,
        contract=contract,
        kind=term.kind,
        meter=term.meter,
        sku=term.sku,
        match=dict(term.match),
        discount_percent=term.discount_percent,
        model=term.model,
        unit_price=term.unit_price,
        unit_quantity=term.unit_quantity,
        tiers=tier_rows(term.tiers),
        amount=term.amount,
        interval=term.interval,
        tax_code=term.tax_code,
        starts_at=term.starts_at,
        ends_at=term.ends_at,
    )
    _told(actor, "changed", contract, added=term.kind)
    return row


@transaction.atomic
def remove_term(*, actor: Actor, tenant_id: UUID, contract_id: UUID, term_id: UUID) -> None:
    """Take a term out of a draft; taking it out twice is harmless.

    Raises: PermissionRefused, NotFound, ContractNotDraft.
    """
    require(actor, Permission.CONTRACT_MANAGE, tenant_id)
    contract = _edited(actor, tenant_id, contract_id)
    gone, _each = ContractTerm.objects.filter(contract=contract, pk=term_id).delete()
    if gone:
        _told(actor, "changed", contract, removed=str(term_id))


@transaction.atomic
def discard_contract(*, actor: Actor, tenant_id: UUID, contract_id: UUID) -> None:
    """Throw a draft away. Raises: PermissionRefused, NotFound, ContractNotDraft."""
    require(actor, Permission.CONTRACT_MANAGE, tenant_id)
    contract = _draft(tenant_id, contract_id)
    ContractTerm.objects.filter(contract=contract).delete()
    _told(actor, "discarded", contract)
    Contract.objects.filter(pk=contract.pk, state=ContractState.DRAFT).delete()


@transaction.atomic
def activate_contract(
    *, actor: Actor, tenant_id: UUID, contract_id: UUID, now: datetime
) -> Contract:
    """Let a contract that others wrote count from its own hours on, which no invoice has closed.

    Locks: the account, so that no invoice closes these hours meanwhile.
    Raises: PermissionRefused, NotFound, ContractNotDraft, FourEyesRequired, ContractRefused,
    PeriodClosed, TermsOverlap, AccountBusy.
    """
    require(actor, Permission.CONTRACT_MANAGE, tenant_id)
    lock_account(tenant_id)
    contract = _draft(tenant_id, contract_id)
    second = second_person(actor, contract.authors)
    starts = list(contract.terms.values_list("starts_at", flat=True))
    if not starts:
        raise ContractRefused(
            errors=[FieldError("/terms", "empty", _("A contract has at least one term."))]
        )
    closed_until = open_from(tenant_id)
    if closed_until is not None and min(starts) < closed_until:
        raise PeriodClosed
    with _overlap_refused():
        moved = Contract.objects.filter(pk=contract.pk, state=ContractState.DRAFT).update(
            state=ContractState.ACTIVE,
            activated_by=actor.name[:200],
            activated_by_id=second,
            activated_at=now,
        )
    if not moved:
        raise ContractNotDraft
    refresh_unbilled(tenant_id=tenant_id, now=now)
    _told(actor, "activated", contract)
    tell(contract, ACTIVATED, now)
    contract.refresh_from_db()
    return contract


@transaction.atomic
def end_contract(
    *, actor: Actor, tenant_id: UUID, contract_id: UUID, ends_at: datetime, now: datetime
) -> Contract:
    """End an active contract at a whole hour, before or at its agreed end.

    Locks: the account.
    Raises: PermissionRefused, NotFound, ContractNotActive, ContractRefused, PeriodClosed,
    AccountBusy.
    """
    require(actor, Permission.CONTRACT_MANAGE, tenant_id)
    lock_account(tenant_id)
    contract = _locked(tenant_id, contract_id)
    if contract.state != ContractState.ACTIVE:
        raise ContractNotActive
    if ends_at != floor_hour(ends_at) or not contract.starts_at <= ends_at <= contract.ends_at:
        raise ContractRefused(
            errors=[
                FieldError(
                    "/ends_at", "ends_at", _("A contract ends on a whole hour, within its period.")
                )
            ]
        )
    closed_until = open_from(tenant_id)
    if ends_at < contract.ends_at and closed_until is not None and ends_at < closed_until:
        raise PeriodClosed
    moved = Contract.objects.filter(pk=contract.pk, state=ContractState.ACTIVE).update(
        state=ContractState.ENDED, ends_at=ends_at, ended_by=actor.name[:200], ended_at=now
    )
    if not moved:
        raise ContractNotActive
    refresh_unbilled(tenant_id=tenant_id, now=now)
    _told(actor, "ended", contract, ends_at=ends_at.isoformat())
    contract.refresh_from_db()
    tell(contract, ENDED, now)
    return contract


@transaction.atomic
def end_run_out_contract(*, tenant_id: UUID, contract_id: UUID, now: datetime) -> bool:
    """End an active contract whose agreed time is over; False where somebody was first.

    Nothing is billed differently: its terms hold for their hours, whenever these are invoiced.
    Needs operator scope.
    Idempotent: an ended contract stays as it is.
    """
    require(SYSTEM, Permission.CONTRACT_MANAGE, tenant_id)
    run_out = Contract.objects.filter(
        tenant_id=tenant_id, pk=contract_id, state=ContractState.ACTIVE, ends_at__lte=now
    )
    if not run_out.update(state=ContractState.ENDED, ended_by=SYSTEM.name, ended_at=now):
        return False
    contract = Contract.objects.get(pk=contract_id)
    _told(SYSTEM, "ended", contract, ends_at=contract.ends_at.isoformat())
    tell(contract, ENDED, now)
    return True


@contextmanager
def _overlap_refused() -> Iterator[None]:
    """Say TermsOverlap where the database refuses two terms about one thing."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "no_overlap" in str(error):
            raise TermsOverlap from error
        raise


def _draft(tenant_id: UUID, contract_id: UUID) -> Contract:
    contract = _locked(tenant_id, contract_id)
    if contract.state != ContractState.DRAFT:
        raise ContractNotDraft
    return contract


def _authors(actor: Actor) -> list[UUID]:
    author = author_of(actor)
    return [] if author is None else [author]


def _edited(actor: Actor, tenant_id: UUID, contract_id: UUID) -> Contract:
    """The draft under lock, with the actor among those who wrote it."""
    contract = _draft(tenant_id, contract_id)
    missing = [author for author in _authors(actor) if author not in contract.authors]
    if missing:
        contract.authors = [*contract.authors, *missing]
        contract.save(update_fields=["authors"])
    return contract


def _locked(tenant_id: UUID, contract_id: UUID) -> Contract:
    found = Contract.objects.select_for_update(of=("self",)).filter(
        pk=contract_id, tenant_id=tenant_id
    )
    contract = found.first()
    if contract is None:
        raise NotFound
    return contract


def _told(actor: Actor, verb: str, contract: Contract, **detail: object) -> None:
    record(
        actor,
        f"billing.contract.{verb}",
        subject=f"billing.contract:{contract.pk}",
        tenant_id=contract.tenant_id,
        detail={"number": contract.number, **detail},
    )
