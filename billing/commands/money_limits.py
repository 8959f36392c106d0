"""What may leave a wallet and which debt may end, asked when it is proposed and when it is done.

All of it is asked under the account's lock. The database refuses the same by itself; what is asked
here is asked for the better answer.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from billing.commands.accrual import refresh_unbilled
from billing.commands.holds import expire_holds
from billing.commands.wallet import settle_open_invoices
from billing.models import (
    Account,
    DecisionKind,
    DecisionState,
    Invoice,
    LedgerTransaction,
    MoneyDecision,
)
from billing.queries.dues import with_due
from billing.queries.invoiceable import invoiceable_top_ups, paid_in
from billing.queries.wallet import standing
from common.errors import DomainError, NotFound

NOTHING = Decimal(0)


class TopUpReversed(DomainError):
    """A top-up is taken back once."""

    code = "top_up_reversed"
    status = 409
    message = _("This top-up was taken back already, or somebody has proposed it.")


class TopUpSmaller(DomainError):
    """More would be taken back than was paid in."""

    code = "top_up_smaller"
    status = 409
    message = _("This top-up was of %(amount)s %(currency)s.")


class WalletLacksIt(DomainError):
    """What was booked by mistake has been spent meanwhile."""

    code = "wallet_lacks_it"
    status = 409
    message = _(
        "The wallet holds %(wallet)s %(currency)s: the rest has paid invoices. Take back what is "
        "there, or credit those invoices first."
    )


class FapiaoStands(DomainError):
    """A tax document stands for the money that would leave."""

    code = "fapiao_stands"
    status = 409
    message = _("A fapiao stands for this money. Issue a red letter over it first.")


class NotFree(DomainError):
    """Money of the wallet that is held, used or owed stays in it."""

    code = "not_free"
    status = 409
    message = _(
        "%(free)s %(currency)s of the wallet are free; the rest is held for reservations and work, "
        "used, or owed."
    )


class DebtChanged(DomainError):
    """What is open of the invoice is not what was to be written off."""

    code = "debt_changed"
    status = 409
    message = _("%(due)s %(currency)s of invoice %(number)s are open.")


class NotOverdue(DomainError):
    """Only a debt whose day has passed is written off."""

    code = "not_overdue"
    status = 409
    message = _("Invoice %(number)s is not overdue.")


class WrittenOff(DomainError):
    """An invoice is written off once."""

    code = "written_off"
    status = 409
    message = _("This invoice was written off already, or somebody has proposed it.")


class RecoveryExceeds(DomainError):
    """More would be recovered than was written off."""

    code = "recovery_exceeds"
    status = 409
    message = _("%(left)s %(currency)s of this debt are written off and not recovered.")


def refuse_reversal(account: Account, top_up: LedgerTransaction, amount: Decimal) -> None:
    """Raises: TopUpSmaller, FapiaoStands, WalletLacksIt."""
    (found,) = invoiceable_top_ups(tenant_id=account.tenant_id, wanted=[top_up.pk])
    if amount > found.gross:
        raise TopUpSmaller(amount=found.gross, currency=account.currency)
    if found.covered > found.gross - amount:
        raise FapiaoStands
    if amount > account.wallet:
        raise WalletLacksIt(wallet=account.wallet, currency=account.currency)


def refuse_beyond_free(account: Account, amount: Decimal, now: datetime) -> None:
    """Count what is used and held up to now, and refuse more than is left then.

    A credit limit is nobody's money: it is not paid out.
    Raises: NotFree.
    """
    tenant_id = account.tenant_id
    settle_open_invoices(tenant_id=tenant_id, now=now)
    expire_holds(tenant_id=tenant_id, now=now)
    refresh_unbilled(tenant_id=tenant_id, now=now)
    stands = standing(tenant_id)
    free = stands.available - stands.credit_limit
    if amount > free:
        raise NotFree(free=max(free, NOTHING), currency=stands.currency)


def refuse_fapiao_on_top_ups(tenant_id: UUID, amount: Decimal) -> None:
    """Raises: FapiaoStands where what is left of all top-ups would be less than fapiao say."""
    amount_in, covered = paid_in(tenant_id)
    if covered and covered > amount_in - _done(tenant_id, DecisionKind.PAY_OUT) - amount:
        raise FapiaoStands


def refuse_write_off(account: Account, invoice_id: UUID, amount: Decimal, now: datetime) -> None:
    """Raises: DebtChanged, NotOverdue."""
    # What came in from elsewhere meanwhile pays the debt first.
    settle_open_invoices(tenant_id=account.tenant_id, now=now)
    invoice = with_due(Invoice.objects.filter(pk=invoice_id)).get()
    if invoice.due_at > now:
        raise NotOverdue(number=invoice.number)
    if amount != invoice.outstanding:
        raise DebtChanged(
            number=invoice.number, due=max(invoice.outstanding, NOTHING), currency=invoice.currency
        )


def refuse_recovery(account: Account, write_off: MoneyDecision, amount: Decimal) -> None:
    """Raises: NotFound, RecoveryExceeds."""
    if write_off.state != DecisionState.DONE:
        raise NotFound
    recovered = write_off.recoveries.filter(state=DecisionState.DONE).aggregate(sum=Sum("amount"))
    left = write_off.amount - (recovered["sum"] or NOTHING)
    if amount > left:
        raise RecoveryExceeds(left=left, currency=account.currency)


def _done(tenant_id: UUID, kind: DecisionKind) -> Decimal:
    rows = MoneyDecision.objects.filter(tenant_id=tenant_id, kind=kind, state=DecisionState.DONE)
    return rows.aggregate(sum=Sum("amount"))["sum"] or NOTHING
