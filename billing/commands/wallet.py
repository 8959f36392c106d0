"""Money in: top-ups, credit limits, and paying what is open from the wallet."""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from billing.commands.arrears import reassess
from billing.commands.ledger import book
from billing.locks import lock_account
from billing.models import (
    Account,
    Invoice,
    InvoicePayment,
    LedgerKind,
    LedgerTransaction,
    MoveCause,
)
from billing.money import FEN
from billing.queries.currencies import refuse_unknown
from billing.queries.dues import with_due
from billing.queries.wallet import Standing
from common.errors import DomainError
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import Actor, Permission, require

LARGEST_AMOUNT = Decimal("1000000000.00")


class AmountRefused(DomainError):
    """Not an amount of money that can be paid in or granted."""

    code = "amount_refused"
    status = 422
    message = _("Give an amount in whole fen, above zero and at most one billion.")


class CurrencyFixed(DomainError):
    """Money, credit, a contract, a budget or use stands in the old currency already."""

    code = "currency_fixed"
    status = 409
    message = _(
        "The account has money, use, a contract or a budget in %(currency)s, so its currency "
        "stays. A customer that is billed in two currencies is two tenants."
    )


def whole_fen(amount: Decimal, *, least: Decimal) -> Decimal:
    """The amount where it is one of money. Raises: AmountRefused."""
    if not amount.is_finite() or not least <= amount <= LARGEST_AMOUNT:
        raise AmountRefused
    if amount != amount.quantize(FEN):
        raise AmountRefused
    return amount.quantize(FEN)


@transaction.atomic
def top_up(
    *, actor: Actor, tenant_id: UUID, amount: Decimal, key: str, reference: str, now: datetime
) -> Standing:
    """Credit money received to the wallet, then pay open invoices from it, oldest first.

    Arrears that this pays end in the same transaction.
    Locks: the account.
    Raises: PermissionRefused, AmountRefused, AccountBusy, KeyUsedDifferently.
    Idempotent: by key; the second call changes nothing.
    """
    require(actor, Permission.WALLET_TOP_UP, tenant_id)
    amount = whole_fen(amount, least=FEN)

    lock_account(tenant_id)
    booking = book(
        tenant_id=tenant_id,
        kind="top_up",
        key=f"top_up:{key}",
        legs={LedgerKind.CASH: amount, LedgerKind.WALLET: -amount},
        reference=reference,
        booked_at=now,
    )
    if booking.is_new:
        record(
            actor,
            "billing.wallet.topped_up",
            subject=f"billing.ledger:{booking.transaction.pk}",
            tenant_id=tenant_id,
            detail={"amount": str(amount), "reference": reference},
        )
        settle_and_reassess(tenant_id=tenant_id, now=now)
    return Standing.of(Account.objects.get(tenant_id=tenant_id))


@transaction.atomic
def set_credit_limit(*, actor: Actor, tenant_id: UUID, amount: Decimal, now: datetime) -> Standing:
    """Say how far a tenant may go below its wallet. Zero means prepaid only.

    Locks: the account.
    Raises: PermissionRefused, AmountRefused, AccountBusy.
    """
    require(actor, Permission.WALLET_TOP_UP, tenant_id)
    amount = whole_fen(amount, least=Decimal(0))

    account = lock_account(tenant_id)
    Account.objects.filter(pk=account.pk).update(credit_limit=amount)
    record(
        actor,
        "billing.wallet.credit_limit_set",
        subject=f"billing.account:{account.pk}",
        tenant_id=tenant_id,
        detail={"from": str(account.credit_limit), "to": str(amount), "at": now.isoformat()},
    )
    reassess(tenant_id=tenant_id, now=now, cause=MoveCause.OPERATOR)
    account.credit_limit = amount
    return Standing.of(account)


@transaction.atomic
def set_currency(*, actor: Actor, tenant_id: UUID, currency: str, now: datetime) -> Standing:
    """Say in which currency a tenant is billed, before anything of money or use happened to it.

    What may still be changed the database decides: it knows every row that counts on the old one.
    Locks: the account.
    Raises: PermissionRefused, CurrencyUnknown, CurrencyFixed, AccountBusy.
    Idempotent: the currency it has is always taken.
    """
    require(actor, Permission.WALLET_TOP_UP, tenant_id)
    refuse_unknown(currency)

    account = lock_account(tenant_id)
    if account.currency == currency:
        return Standing.of(account)
    try:
        with transaction.atomic():
            Account.objects.filter(pk=account.pk).update(currency=currency)
    except IntegrityError as error:
        raise CurrencyFixed(currency=account.currency) from error
    record(
        actor,
        "billing.account.currency_set",
        subject=f"billing.account:{account.pk}",
        tenant_id=tenant_id,
        detail={"from": account.currency, "to": currency, "at": now.isoformat()},
    )
    account.currency = currency
    return Standing.of(account)


def settle_and_reassess(
    *, tenant_id: UUID, now: datetime, cause: MoveCause = MoveCause.PAID
) -> None:
    """Let money that came into the wallet pay what is open, and end the arrears that this pays.

    Part of the transaction that booked the money: whoever sees it sees that the arrears are over.
    Locks: none of its own; the caller holds the account lock.
    """
    settle_open_invoices(tenant_id=tenant_id, now=now)
    reassess(tenant_id=tenant_id, now=now, cause=cause)


def settle_open_invoices(*, tenant_id: UUID, now: datetime) -> None:
    """Pay what is open from the wallet, oldest invoice first, in part where it does not suffice.

    What is owed on no invoice, because the city took back more than the wallet held, comes last.
    Locks: none of its own; the caller holds the account lock.
    """
    account = Account.objects.get(tenant_id=tenant_id)
    left = account.wallet.quantize(FEN, rounding=ROUND_DOWN)
    owed = account.receivable
    if owed <= 0 or left <= 0:
        return
    charged = Invoice.objects.filter(tenant_id=tenant_id, gross__gt=0)
    open_ones = (
        with_due(charged).annotate(times=Count("payments")).filter(outstanding__gt=Decimal(0))
    )
    for invoice in open_ones.order_by("period_end"):
        part = min(invoice.outstanding, left)
        if part <= 0:
            break
        movement = book(
            tenant_id=tenant_id,
            kind="settlement",
            # Its number names the payment: what was paid may come to the same sum twice, after a
            # refund gave part of it back.
            key=f"settlement:{invoice.pk}:{invoice.times}",
            legs={LedgerKind.WALLET: part, LedgerKind.RECEIVABLE: -part},
            reference=invoice.number,
            booked_at=now,
        )
        InvoicePayment.objects.create(
            tenant_id=tenant_id,
            invoice=invoice,
            transaction=movement.transaction,
            amount=part,
            paid_at=now,
        )
        left -= part
        owed -= part
        if part == invoice.outstanding:
            _tell_paid(invoice, now)
    _pay_shortfall(tenant_id, min(left, owed), now)


def _pay_shortfall(tenant_id: UUID, amount: Decimal, now: datetime) -> None:
    if amount <= 0:
        return
    before = LedgerTransaction.objects.filter(tenant_id=tenant_id, kind="shortfall_paid")
    book(
        tenant_id=tenant_id,
        kind="shortfall_paid",
        key=f"shortfall_paid:{before.count()}",
        legs={LedgerKind.WALLET: amount, LedgerKind.RECEIVABLE: -amount},
        reference="",
        booked_at=now,
    )


def _tell_paid(invoice: Invoice, now: datetime) -> None:
    post(
        tenant_id=invoice.tenant_id,
        kind="invoice.paid",
        key=f"invoice.paid:{invoice.pk}",
        detail={
            "number": invoice.number,
            "gross": str(invoice.gross),
            "currency": invoice.currency,
        },
        now=now,
    )
