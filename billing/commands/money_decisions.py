"""Money leaves a wallet, and debts end: one operator proposes it, another has it done.

See docs/algorithms/money-out.md for what each of the four does to the books.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.arrears import reassess
from billing.commands.ledger import book
from billing.commands.money_limits import (
    TopUpReversed,
    WrittenOff,
    refuse_beyond_free,
    refuse_fapiao_on_top_ups,
    refuse_recovery,
    refuse_reversal,
    refuse_write_off,
)
from billing.commands.wallet import whole_fen
from billing.four_eyes import author_of, second_person
from billing.locks import lock_account
from billing.models import (
    Account,
    DecisionKind,
    DecisionState,
    Invoice,
    LedgerKind,
    LedgerTransaction,
    MoneyDecision,
    MoveCause,
)
from billing.money import FEN
from billing.queries.dues import with_due
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.notices import JSON, post
from tenants.permissions import Actor, Permission, require

K = DecisionKind

# (debited, credited) of each: the movement is the amount, once on either side.
SIDES: Mapping[str, tuple[LedgerKind, LedgerKind]] = {
    K.TOP_UP_REVERSAL: (LedgerKind.WALLET, LedgerKind.CASH),
    K.PAY_OUT: (LedgerKind.WALLET, LedgerKind.CASH),
    K.WRITE_OFF: (LedgerKind.BAD_DEBT, LedgerKind.RECEIVABLE),
    K.RECOVERY: (LedgerKind.WALLET, LedgerKind.BAD_DEBT),
}
NOTICES: Mapping[str, str] = {
    K.TOP_UP_REVERSAL: "wallet.top_up_reversed",
    K.PAY_OUT: "wallet.paid_out",
    K.WRITE_OFF: "invoice.written_off",
    K.RECOVERY: "invoice.recovered",
}


class MoneyDecided(DomainError):
    """Somebody decided it already."""

    code = "money_decided"
    status = 409
    message = _("This was decided already.")


@dataclass(frozen=True)
class _Proposal:
    """What is proposed, before it is a row."""

    kind: DecisionKind
    amount: Decimal
    reason: str
    reference: str = ""
    top_up: LedgerTransaction | None = None
    invoice: Invoice | None = None
    write_off: MoneyDecision | None = None


@transaction.atomic
def reverse_top_up(
    *,
    actor: Actor,
    tenant_id: UUID,
    top_up_id: UUID,
    amount: Decimal | None = None,
    reason: str,
    now: datetime,
) -> MoneyDecision:
    """Propose to take a top-up back that was booked by mistake: all of it, or the part.

    Locks: the account.
    Raises: PermissionRefused, NotFound, AmountRefused, InvalidInput, TopUpReversed, TopUpSmaller,
    FapiaoStands, WalletLacksIt, AccountBusy.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE, tenant_id)
    top_up = LedgerTransaction.objects.filter(
        tenant_id=tenant_id, pk=top_up_id, kind="top_up"
    ).first()
    if top_up is None:
        raise NotFound
    if amount is None:
        amount = -top_up.entries.get(account__kind=LedgerKind.WALLET).amount
    return _propose(
        actor, tenant_id, _Proposal(K.TOP_UP_REVERSAL, amount, reason, top_up=top_up), now
    )


@transaction.atomic
def pay_out(
    *,
    actor: Actor,
    tenant_id: UUID,
    amount: Decimal,
    reference: str,
    reason: str,
    now: datetime,
) -> MoneyDecision:
    """Propose to pay money of the wallet back to the tenant; ``reference`` is the bank transfer's.

    Only what is free leaves: nothing that is held, used or owed, and no credit limit. Vouchers and
    promotional credit are never in the wallet.
    Locks: the account.
    Raises: PermissionRefused, AmountRefused, InvalidInput, NotFree, FapiaoStands, AccountBusy.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE, tenant_id)
    if not reference.strip():
        needed = _("Give the number of the bank transfer.")
        raise InvalidInput(errors=[FieldError("/reference", "required", str(needed))])
    told = _Proposal(K.PAY_OUT, amount, reason, reference=reference.strip()[:200])
    return _propose(actor, tenant_id, told, now)


@transaction.atomic
def write_off(
    *, actor: Actor, tenant_id: UUID, invoice_id: UUID, reason: str, now: datetime
) -> MoneyDecision:
    """Propose to book all that is open of an overdue invoice as lost.

    Locks: the account.
    Raises: PermissionRefused, NotFound, AmountRefused, InvalidInput, WrittenOff, NotOverdue,
    DebtChanged, AccountBusy.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE, tenant_id)
    mine = Invoice.objects.filter(tenant_id=tenant_id, pk=invoice_id)
    invoice = with_due(mine).first()
    if invoice is None:
        raise NotFound
    if MoneyDecision.objects.filter(invoice=invoice).exclude(state=DecisionState.REJECTED).exists():
        raise WrittenOff
    told = _Proposal(K.WRITE_OFF, invoice.outstanding, reason, invoice=invoice)
    return _propose(actor, tenant_id, told, now)


@transaction.atomic
def recover_debt(
    *,
    actor: Actor,
    tenant_id: UUID,
    write_off_id: UUID,
    amount: Decimal,
    reason: str,
    now: datetime,
) -> MoneyDecision:
    """Propose to pay a debt that was written off from money that came into the wallet since.

    Locks: the account.
    Raises: PermissionRefused, NotFound, AmountRefused, InvalidInput, RecoveryExceeds, NotFree,
    AccountBusy.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE, tenant_id)
    lost = MoneyDecision.objects.filter(
        tenant_id=tenant_id, pk=write_off_id, kind=K.WRITE_OFF
    ).first()
    if lost is None:
        raise NotFound
    told = _Proposal(K.RECOVERY, amount, reason, write_off=lost)
    return _propose(actor, tenant_id, told, now)


def _propose(actor: Actor, tenant_id: UUID, told: _Proposal, now: datetime) -> MoneyDecision:
    author = author_of(actor)
    if not told.reason.strip():
        raise InvalidInput(errors=[FieldError("/reason", "required", str(_("Say why.")))])
    decision = MoneyDecision(
        tenant_id=tenant_id,
        kind=told.kind,
        amount=whole_fen(told.amount, least=FEN),
        reason=told.reason.strip()[:500],
        reference=told.reference,
        top_up=told.top_up,
        invoice=told.invoice,
        write_off=told.write_off,
        proposed_at=now,
        proposed_by_id=author,
        proposed_by=actor.name[:200],
    )
    _refuse(lock_account(tenant_id), decision, now)
    try:
        with transaction.atomic():
            decision.save(force_insert=True)
    except IntegrityError as error:
        # The one thing that may be taken back, or written off, once.
        raise (WrittenOff if told.invoice is not None else TopUpReversed) from error
    _record(actor, decision, "proposed")
    return decision


@transaction.atomic
def approve_money_decision(*, actor: Actor, decision_id: UUID, now: datetime) -> None:
    """Have done what somebody else proposed, if there still is what it takes.

    The tenant is told, and its standing is derived again in the same transaction.
    Locks: the account.
    Raises: PermissionRefused, NotFound, FourEyesRequired, MoneyDecided, AccountBusy, and whatever
    refused the proposal itself.
    """
    require(actor, Permission.MONEY_OUT_APPROVE)
    decision = _found(decision_id)
    author = decision.proposed_by_id
    second = second_person(actor, () if author is None else (author,))

    account = lock_account(decision.tenant_id)
    decision.refresh_from_db()
    if decision.state != DecisionState.PROPOSED:
        raise MoneyDecided
    _refuse(account, decision, now)
    debit, credit = SIDES[decision.kind]
    booking = book(
        tenant_id=decision.tenant_id,
        kind=decision.kind,
        key=f"{decision.kind}:{decision.pk}",
        legs={debit: decision.amount, credit: -decision.amount},
        reference=_reference(decision),
        booked_at=now,
    )
    _decide(actor, second, decision, DecisionState.DONE, now, booking.transaction)
    _tell(decision, account.currency, now)
    reassess(tenant_id=decision.tenant_id, now=now, actor=actor, cause=MoveCause.OPERATOR)


@transaction.atomic
def reject_money_decision(*, actor: Actor, decision_id: UUID, now: datetime) -> None:
    """Refuse what was proposed, or take one's own proposal back.

    Raises: PermissionRefused, NotFound, MoneyDecided.
    """
    require(actor, Permission.MONEY_OUT_APPROVE)
    decision = _found(decision_id)
    _decide(actor, author_of(actor), decision, DecisionState.REJECTED, now)


def _found(decision_id: UUID) -> MoneyDecision:
    rows = MoneyDecision.objects.select_related("top_up", "invoice", "write_off__invoice")
    decision = rows.filter(pk=decision_id).first()
    if decision is None:
        raise NotFound
    return decision


def _refuse(account: Account, decision: MoneyDecision, now: datetime) -> None:
    amount = decision.amount
    if decision.top_up is not None:
        refuse_reversal(account, decision.top_up, amount)
    elif decision.invoice_id is not None:
        refuse_write_off(account, decision.invoice_id, amount, now)
    else:
        if decision.write_off is not None:
            refuse_recovery(account, decision.write_off, amount)
        refuse_beyond_free(account, amount, now)
        if decision.kind == K.PAY_OUT:
            refuse_fapiao_on_top_ups(account.tenant_id, amount)


def _decide(
    actor: Actor,
    person: UUID | None,
    decision: MoneyDecision,
    state: DecisionState,
    now: datetime,
    movement: LedgerTransaction | None = None,
) -> None:
    open_ones = MoneyDecision.objects.filter(pk=decision.pk, state=DecisionState.PROPOSED)
    decided = open_ones.update(
        state=state,
        transaction=movement,
        decided_at=now,
        decided_by_id=person,
        decided_by=actor.name[:200],
    )
    if not decided:
        raise MoneyDecided
    _record(actor, decision, state.value)


def _reference(decision: MoneyDecision) -> str:
    """What the account statement says beside the movement."""
    if decision.top_up is not None:
        return decision.top_up.reference
    if decision.kind == K.PAY_OUT:
        return decision.reference
    return _number(decision)


def _number(decision: MoneyDecision) -> str:
    """The number of the invoice a debt stands on; empty where it is about none."""
    about = decision.write_off or decision
    return about.invoice.number if about.invoice is not None else ""


def _record(actor: Actor, decision: MoneyDecision, step: str) -> None:
    record(
        actor,
        f"billing.{decision.kind}.{step}",
        subject=f"billing.money_decision:{decision.pk}",
        tenant_id=decision.tenant_id,
        detail={
            "amount": str(decision.amount),
            "reason": decision.reason,
            "reference": _reference(decision),
        },
    )


def _tell(decision: MoneyDecision, currency: str, now: datetime) -> None:
    detail: dict[str, JSON] = {
        "amount": str(decision.amount),
        "currency": currency,
        "reference": _reference(decision),
        "number": _number(decision),
        # Why a debt is given up is the centre's own affair.
        "reason": decision.reason if decision.kind in {K.TOP_UP_REVERSAL, K.PAY_OUT} else "",
    }
    post(
        tenant_id=decision.tenant_id,
        kind=NOTICES[decision.kind],
        key=f"money_decision:{decision.pk}",
        detail=detail,
        now=now,
    )
