"""Vouchers that are paid first and claimed afterwards: what paid invoices entitle to."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Greatest

from billing.locks import lock_account
from billing.models import (
    CreditKind,
    CreditLot,
    CreditNoteLine,
    CreditState,
    CreditUse,
    Invoice,
    UseKind,
    VoucherMode,
)
from billing.payment_order import Payment
from billing.queries.credit_draft import invoice_payments
from billing.queries.dues import with_due

NOTHING = Decimal(0)


def claim_paid(*, scheme_id: UUID, until: datetime) -> None:
    """Claim what tenants have paid in full before an instant; part of the caller's transaction.

    Needs operator scope. Locks: the account of each tenant with a voucher to claim, in order.
    Raises: AccountBusy.
    Idempotent: a line is claimed once under one voucher.
    """
    lots = CreditLot.objects.filter(
        scheme_id=scheme_id, state=CreditState.ACTIVE, mode=VoucherMode.REIMBURSE
    )
    for tenant_id in sorted(set(lots.values_list("tenant_id", flat=True))):
        lock_account(tenant_id)
        own = {lot.pk: lot for lot in lots.filter(tenant_id=tenant_id)}
        for invoice, settled_at in _paid_invoices(tenant_id, until):
            _claim(invoice, settled_at, own)


def _paid_invoices(tenant_id: UUID, until: datetime) -> list[tuple[Invoice, datetime]]:
    """Invoices of which nothing is open since before the instant, and since when, in that order.

    What a credit note took off before it was paid is owed no more, so the rest is all of it. One
    that was never paid at all claims nothing.
    """
    rows = with_due(Invoice.objects.filter(tenant_id=tenant_id, gross__gt=0)).annotate(
        paid_at=Max("payments__paid_at", filter=Q(payments__amount__gt=0)),
        # What a note gives back to credits is open for no longer than the note takes.
        lowered_at=Max(
            "credit_notes__issued_at",
            filter=Q(credit_notes__from_due__gt=F("credit_notes__to_credits")),
        ),
        settled_at=Greatest("paid_at", "lowered_at"),
    )
    found = rows.filter(outstanding=NOTHING, paid_at__isnull=False, settled_at__lt=until)
    return [(row, row.settled_at) for row in found.order_by("settled_at", "pk")]


def _claim(invoice: Invoice, settled_at: datetime, lots: dict[UUID, CreditLot]) -> None:
    payments = invoice_payments(invoice, tuple(lots.values()), _unclaimed(invoice))
    sequence = _last_sequence(invoice)
    CreditUse.objects.bulk_create(
        _use(invoice, lots[part.lot_id], part, sequence, settled_at) for part in payments
    )
    for lot in lots.values():
        lot.refresh_from_db()
    for used_up in [lot.pk for lot in lots.values() if lot.state != CreditState.ACTIVE]:
        del lots[used_up]


def _unclaimed(invoice: Invoice) -> dict[UUID, Decimal]:
    """What money paid, and was not paid back, of each line that no such voucher has claimed."""
    rows = list(invoice.lines.all())
    uses = CreditUse.objects.filter(invoice_line__in=rows).exclude(lot__kind=CreditKind.PACKAGE)
    by_credit = dict(uses.values_list("invoice_line_id").annotate(amount=Sum("amount")))
    notes = CreditNoteLine.objects.filter(invoice_line__in=rows)
    credited = dict(notes.values_list("invoice_line_id").annotate(amount=Sum("gross")))
    claimed = set(uses.filter(kind=UseKind.CLAIM).values_list("invoice_line_id", flat=True))
    return {
        line.pk: line.gross - by_credit.get(line.pk, NOTHING) - credited.get(line.pk, NOTHING)
        for line in rows
        if line.pk not in claimed
    }


def _last_sequence(invoice: Invoice) -> int:
    uses = CreditUse.objects.filter(invoice_line__invoice=invoice)
    return uses.aggregate(last=Max("sequence"))["last"] or 0


def _use(
    invoice: Invoice, lot: CreditLot, part: Payment, after: int, settled_at: datetime
) -> CreditUse:
    return CreditUse(
        tenant_id=invoice.tenant_id,
        lot=lot,
        invoice_line_id=part.line_id,
        kind=UseKind.CLAIM,
        sequence=after + part.sequence,
        amount=part.amount,
        share=part.share,
        origin=part.origin,
        used_at=settled_at,
    )
