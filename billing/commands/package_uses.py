"""Recording what packages covered on an invoice, and earning their price by it."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Max, Sum

from billing.charging import COVERED
from billing.commands.credit_money import book_earned
from billing.models import (
    CreditKind,
    CreditLot,
    CreditRestore,
    CreditUse,
    Invoice,
    InvoiceLine,
    UseKind,
)
from billing.queries.drafts import Draft

NOTHING = Decimal(0)


def use_packages(invoice: Invoice, billed: Draft, now: datetime) -> None:
    """Take from each package what it covered of this invoice; its part of the price is earned.

    Use taken back below what packages had covered goes back to them, the last to cover first.
    Locks: none of its own; part of the issue's locked transaction.
    """
    if not any(line.portion == COVERED for line in billed.lines):
        return
    covered = invoice.lines.filter(portion=COVERED).select_related("charge")
    # A running total may have a charge on time and one that is late.
    lines = {(row.charge.key, row.is_late): row for row in covered if row.charge is not None}
    moved: dict[UUID, Decimal] = defaultdict(Decimal)
    sequence = 0
    for charge in billed.charges:
        digest = charge.key.running.digest
        line = lines.get((digest, charge.key.is_late))
        if line is None:
            continue
        for part in charge.covered:
            sequence += 1
            moved[part.lot_id] += part.quantity
            _use(line, part.lot_id, Decimal(part.quantity), sequence, now)
        if line.quantity < 0:
            for lot_id, amount in _give_back(line, digest, now).items():
                moved[lot_id] -= amount
    _earn(invoice, moved, now)


def _use(line: InvoiceLine, lot_id: UUID, amount: Decimal, sequence: int, now: datetime) -> None:
    CreditUse.objects.create(
        tenant_id=line.tenant_id,
        lot_id=lot_id,
        invoice_line=line,
        kind=UseKind.USE,
        sequence=sequence,
        amount=amount,
        used_at=now,
    )


def _give_back(line: InvoiceLine, key: UUID, now: datetime) -> dict[UUID, Decimal]:
    """Undo the newest uses of a running total's packages; gives what each lot got back."""
    owed = Decimal(-line.quantity)
    back: dict[UUID, Decimal] = defaultdict(Decimal)
    uses = CreditUse.objects.filter(
        tenant_id=line.tenant_id,
        kind=UseKind.USE,
        lot__kind=CreditKind.PACKAGE,
        invoice_line__charge__key=key,
    )
    for use in uses.select_related("invoice_line").order_by("-used_at", "-sequence", "-pk"):
        undone = CreditUse.objects.filter(restores=use).aggregate(sum=Sum("amount"))["sum"]
        part = min(owed, use.amount + (undone or NOTHING))
        if part <= 0:
            continue
        owed -= part
        back[use.lot_id] += part
        _restore(use, part, line, now)
    return back


def _restore(use: CreditUse, part: Decimal, line: InvoiceLine, now: datetime) -> None:
    restore = CreditRestore.objects.create(
        tenant_id=use.tenant_id,
        invoice_line=use.invoice_line,
        key=f"taken_back:{line.pk}:{use.pk}",
        credited=part,
        restored=part,
        restored_at=now,
    )
    of_line = CreditUse.objects.filter(invoice_line=use.invoice_line)
    CreditUse.objects.create(
        tenant_id=use.tenant_id,
        lot_id=use.lot_id,
        invoice_line=use.invoice_line,
        kind=UseKind.RESTORE,
        sequence=(of_line.aggregate(last=Max("sequence"))["last"] or 0) + 1,
        amount=-part,
        restores=use,
        restore=restore,
        used_at=now,
    )


def _earn(invoice: Invoice, moved: dict[UUID, Decimal], now: datetime) -> None:
    for lot in CreditLot.objects.filter(pk__in=list(moved)).order_by("pk"):
        used = lot.face - lot.remaining
        book_earned(lot, invoice, before=used - moved[lot.pk], after=used, now=now)
