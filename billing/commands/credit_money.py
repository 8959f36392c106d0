"""How credits are booked: one template for each thing that happens to a lot.

Shape: the liability of vouchers is what the government's unused vouchers stand for; deferred
revenue is what paid packages have still to earn. Both are invariants.
"""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.commands.ledger import Booking, book
from billing.models import CreditKind, CreditLot, Funder, Invoice, LedgerKind, VoucherMode
from billing.money import round_to_fen

NOTHING = Decimal(0)


def is_subsidised(lot: CreditLot) -> bool:
    """Whether the government pays the centre for what this lot pays."""
    return (
        lot.kind == CreditKind.VOUCHER
        and lot.funder == Funder.GOVERNMENT
        and lot.mode == VoucherMode.INSTANT
    )


def paying_side(lot: CreditLot) -> LedgerKind:
    """What is debited when the lot pays: the voucher's liability, or revenue given away."""
    return LedgerKind.VOUCHER_LIABILITY if is_subsidised(lot) else LedgerKind.PROMOTION


def book_given(lot: CreditLot, now: datetime) -> None:
    """A subsidised voucher, or a package that was paid from the wallet; others book nothing."""
    legs: dict[LedgerKind, Decimal] = {}
    if is_subsidised(lot):
        legs = {
            LedgerKind.SUBSIDY_RECEIVABLE: lot.face,
            LedgerKind.VOUCHER_LIABILITY: -lot.face,
        }
    elif lot.kind == CreditKind.PACKAGE and lot.price_net:
        legs = {
            LedgerKind.WALLET: lot.price_net + lot.price_tax,
            LedgerKind.DEFERRED_REVENUE: -lot.price_net,
            LedgerKind.VAT_OUTPUT: -lot.price_tax,
        }
    if legs:
        book(
            tenant_id=lot.tenant_id,
            kind="package_sold" if lot.kind == CreditKind.PACKAGE else "voucher_granted",
            key=f"credit_given:{lot.pk}",
            legs=legs,
            reference=lot.code,
            booked_at=now,
        )


def book_used(lot: CreditLot, invoice: Invoice, amount: Decimal, now: datetime) -> Booking:
    """A money lot pays part of an invoice: what the tenant owes falls by it."""
    return book(
        tenant_id=lot.tenant_id,
        kind="credit",
        key=f"credit_used:{lot.pk}:{invoice.pk}",
        legs={paying_side(lot): amount, LedgerKind.RECEIVABLE: -amount},
        reference=invoice.number,
        booked_at=now,
    )


def book_restored(
    lot: CreditLot, invoice: Invoice, amount: Decimal, key: str, now: datetime
) -> Booking:
    """What a lot had paid is given back to it: the invoice is owed again, and then credited."""
    return book(
        tenant_id=lot.tenant_id,
        kind="credit_restored",
        key=f"credit_restored:{lot.pk}:{key}",
        legs={LedgerKind.RECEIVABLE: amount, paying_side(lot): -amount},
        reference=invoice.number,
        booked_at=now,
    )


def earned(lot: CreditLot, used: Decimal) -> Decimal:
    """The revenue of a package after this much use; rounded as a running total, so exact in sum."""
    if not lot.price_net:
        return NOTHING
    return round_to_fen(Fraction(lot.price_net) * Fraction(used) / Fraction(lot.face))


def book_earned(
    lot: CreditLot, invoice: Invoice, *, before: Decimal, after: Decimal, now: datetime
) -> Booking | None:
    """Part of a package has been used: that part of its price is revenue."""
    amount = earned(lot, after) - earned(lot, before)
    if not amount:
        return None
    return book(
        tenant_id=lot.tenant_id,
        kind="package_used",
        key=f"package_used:{lot.pk}:{invoice.pk}",
        legs={LedgerKind.DEFERRED_REVENUE: amount, LedgerKind.REVENUE: -amount},
        reference=invoice.number,
        booked_at=now,
    )


def book_ended(
    lot: CreditLot, now: datetime, *, amount: Decimal | None = None, key: str = ""
) -> None:
    """What is left of a lot lapses: the city owes it no more, or the centre keeps it.

    Shape: ``amount`` and ``key`` are for what came back to a lot that had ended before.
    """
    left = lot.remaining if amount is None else amount
    legs: dict[LedgerKind, Decimal] = {}
    if is_subsidised(lot):
        legs = {LedgerKind.VOUCHER_LIABILITY: left, LedgerKind.SUBSIDY_RECEIVABLE: -left}
    elif lot.kind == CreditKind.PACKAGE:
        unearned = lot.price_net - earned(lot, lot.face - left)
        legs = {LedgerKind.DEFERRED_REVENUE: unearned, LedgerKind.BREAKAGE: -unearned}
    if any(legs.values()):
        book(
            tenant_id=lot.tenant_id,
            kind="credit_lapsed",
            key=f"credit_lapsed:{lot.pk}:{key}",
            legs=legs,
            reference=lot.code,
            booked_at=now,
        )
