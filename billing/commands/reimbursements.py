"""Vouchers that are paid first and claimed afterwards: what paid invoices entitle to."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Max, Sum

from billing.locks import lock_account
from billing.models import (
    CreditKind,
    CreditLot,
    CreditState,
    CreditUse,
    Invoice,
    InvoiceLine,
    UseKind,
    VoucherMode,
)
from billing.payment_order import LineFact, Payment, pay
from billing.queries.credit_order import MoneyLine, line_facts, lot_fact

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
        for invoice in _paid_invoices(tenant_id, until):
            _claim(invoice, own)


def _paid_invoices(tenant_id: UUID, until: datetime) -> list[Invoice]:
    """Invoices that money settled before the instant, the first paid first."""
    rows = Invoice.objects.filter(tenant_id=tenant_id, gross__gt=0).annotate(
        paid=Sum("payments__amount"), paid_at=Max("payments__paid_at")
    )
    return [
        row
        for row in rows.order_by("paid_at", "pk")
        if row.paid is not None and row.paid >= row.gross and row.paid_at < until
    ]


def _claim(invoice: Invoice, lots: dict[UUID, CreditLot]) -> None:
    lines = _lines(invoice)
    payments = pay(lines, [lot_fact(lot) for lot in lots.values()])
    paid_at: datetime = invoice.payments.aggregate(at=Max("paid_at"))["at"]
    sequence = _last_sequence(invoice)
    CreditUse.objects.bulk_create(
        _use(invoice, lots[part.lot_id], part, sequence, paid_at) for part in payments
    )
    for lot in lots.values():
        lot.refresh_from_db()
    for used_up in [lot.pk for lot in lots.values() if lot.state != CreditState.ACTIVE]:
        del lots[used_up]


def _lines(invoice: Invoice) -> tuple[LineFact, ...]:
    """What money paid of each line that no voucher of this kind has claimed."""
    rows = list(invoice.lines.order_by("position"))
    uses = CreditUse.objects.filter(invoice_line__in=rows).exclude(lot__kind=CreditKind.PACKAGE)
    by_credit = dict(uses.values_list("invoice_line_id").annotate(amount=Sum("amount")))
    claimed = set(uses.filter(kind=UseKind.CLAIM).values_list("invoice_line_id", flat=True))
    return line_facts(
        [
            _money_line(line, line.gross - by_credit.get(line.pk, NOTHING))
            for line in rows
            if line.pk not in claimed
        ]
    )


def _money_line(line: InvoiceLine, gross: Decimal) -> MoneyLine:
    return MoneyLine(
        id=line.pk,
        position=line.position,
        meter=line.meter,
        sku=line.sku,
        project_id=line.project_id,
        dimensions=line.dimensions,
        gross=gross,
        service_from=line.service_from,
        service_to=line.service_to,
    )


def _last_sequence(invoice: Invoice) -> int:
    uses = CreditUse.objects.filter(invoice_line__invoice=invoice)
    return uses.aggregate(last=Max("sequence"))["last"] or 0


def _use(
    invoice: Invoice, lot: CreditLot, part: Payment, after: int, paid_at: datetime
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
        used_at=paid_at,
    )
