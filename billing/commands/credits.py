"""Using credits when an invoice is issued, and giving them back when a line is credited."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Sum
from django.utils.translation import gettext_lazy as _

from billing.commands.credit_lots import end_lot, new_code, put_in
from billing.commands.credit_money import book_ended, book_restored, book_used
from billing.credit_days import day_of, end_of_day
from billing.models import (
    AfterExpiry,
    CreditKind,
    CreditLot,
    CreditRestore,
    CreditState,
    CreditUse,
    Invoice,
    InvoiceLine,
    InvoicePayment,
    UseKind,
)
from billing.money import FEN
from billing.payment_order import Payment
from billing.queries.credit_draft import invoice_payments
from billing.queries.credit_order import active_lots
from common.errors import DomainError, NotFound
from tenants.permissions import SYSTEM

GRACE_DAYS = 30


class RestoreRefused(DomainError):
    """More was credited of a line than it cost."""

    code = "restore_refused"
    status = 409
    message = _("More would be credited of this line than it cost.")


def apply_credits(*, tenant_id: UUID, invoice_id: UUID, now: datetime) -> Decimal:
    """Pay an invoice from vouchers, then from promotional credit, as it is issued.

    Gives what was paid. Locks: none of its own; the caller holds the account lock and has booked
    the invoice in this transaction: credits never pay one that was issued before.
    Idempotent: what was paid already is found under its ledger key.
    """
    lots = {lot.pk: lot for lot in active_lots(tenant_id)}
    if not lots:
        return Decimal(0)
    invoice = Invoice.objects.get(tenant_id=tenant_id, pk=invoice_id)
    known = CreditUse.objects.filter(invoice_line__invoice_id=invoice_id)
    if known.exclude(lot__kind=CreditKind.PACKAGE).exists():
        return Decimal(0)
    payments = invoice_payments(invoice, tuple(lots.values()))
    by_lot: dict[UUID, list[Payment]] = defaultdict(list)
    for payment in payments:
        by_lot[payment.lot_id].append(payment)
    for lot_id, parts in by_lot.items():
        _pay(lots[lot_id], invoice, parts, now)
    return sum((payment.amount for payment in payments), Decimal(0))


def _pay(lot: CreditLot, invoice: Invoice, parts: list[Payment], now: datetime) -> None:
    amount = sum((part.amount for part in parts), Decimal(0))
    movement = book_used(lot, invoice, amount, now).transaction
    InvoicePayment.objects.create(
        tenant_id=lot.tenant_id,
        invoice=invoice,
        transaction=movement,
        amount=amount,
        paid_at=now,
    )
    CreditUse.objects.bulk_create(
        CreditUse(
            tenant_id=lot.tenant_id,
            lot=lot,
            invoice_line_id=part.line_id,
            kind=UseKind.USE,
            sequence=part.sequence,
            amount=part.amount,
            share=part.share,
            origin=part.origin,
            transaction=movement,
            used_at=now,
        )
        for part in parts
    )


def restore_credits(
    *, tenant_id: UUID, invoice_line_id: UUID, amount: Decimal, now: datetime, key: str = ""
) -> Decimal:
    """Tell the credits that paid for a line that ``amount`` (gross) of it is credited.

    Gives what went back to them; the rest is the tenant's money. Call it before the credit is
    booked: what a credit had paid is owed again first. The credits' part of a line stays the
    same share of what is left of it, so a partial refund never lifts a scheme's share; among the
    credits the last to pay is the first to get back.
    Locks: none of its own; the caller holds the account lock.
    Raises: NotFound, RestoreRefused.
    Idempotent: by key, where one is given.
    """
    known = CreditRestore.objects.filter(tenant_id=tenant_id, key=key).first() if key else None
    if known is not None:
        return known.restored
    line = InvoiceLine.objects.filter(tenant_id=tenant_id, pk=invoice_line_id).first()
    if line is None:
        raise NotFound
    before = CreditRestore.objects.filter(tenant_id=tenant_id, invoice_line=line)
    told = before.aggregate(credited=Sum("credited"), restored=Sum("restored"))
    credited = (told["credited"] or Decimal(0)) + amount
    if amount <= 0 or credited > line.gross:
        raise RestoreRefused
    uses = _standing(tenant_id, line, UseKind.USE)
    used = sum((use.amount for use, _left in uses), Decimal(0))
    share = Fraction(credited) / Fraction(line.gross)
    target = _ceil_fen(Fraction(used) * share)
    back = target - (told["restored"] or Decimal(0))
    restore = CreditRestore.objects.create(
        tenant_id=tenant_id,
        invoice_line=line,
        key=key or f"line:{line.pk}:{before.count() + 1}",
        credited=amount,
        restored=back,
        restored_at=now,
    )
    _give_back(line, restore, uses, back, now)
    _lower_claims(line, restore, line.gross - credited + amount, now)
    return back


def _lower_claims(
    line: InvoiceLine, restore: CreditRestore, left_before: Decimal, now: datetime
) -> None:
    """Ask the city for less of a line that was paid first; the tenant's own money is all of it.

    What stands of a claim falls as what is left of the line does: some of it may have been
    credited before the claim was made, and was never part of it.
    """
    sequence = _last_sequence(line)
    share = Fraction(restore.credited) / Fraction(left_before)
    for claim, left in _standing(line.tenant_id, line, UseKind.CLAIM):
        part = _ceil_fen(Fraction(left) * share)
        if part <= 0:
            continue
        sequence += 1
        CreditUse.objects.create(
            **_returned(claim, restore, part, sequence), transaction=None, used_at=now
        )


def _last_sequence(line: InvoiceLine) -> int:
    of_line = CreditUse.objects.filter(tenant_id=line.tenant_id, invoice_line=line)
    return of_line.aggregate(last=Max("sequence"))["last"] or 0


# Columns' values are as various as their types.
def _returned(
    use: CreditUse, restore: CreditRestore, part: Decimal, sequence: int
) -> dict[str, Any]:
    return {
        "tenant_id": use.tenant_id,
        "lot": use.lot,
        "invoice_line_id": use.invoice_line_id,
        "kind": UseKind.RESTORE,
        "sequence": sequence,
        "amount": -part,
        "share": use.share,
        "origin": use.origin,
        "restores": use,
        "restore": restore,
    }


def _standing(tenant_id: UUID, line: InvoiceLine, kind: UseKind) -> list[tuple[CreditUse, Decimal]]:
    """The uses of a line by money credits, the last first, and what of each stands."""
    rows = list(
        CreditUse.objects.filter(tenant_id=tenant_id, invoice_line=line, kind=kind)
        .exclude(lot__kind=CreditKind.PACKAGE)
        .select_related("lot")
        .order_by("-sequence")
    )
    back = dict(
        CreditUse.objects.filter(tenant_id=tenant_id, restores__in=rows)
        .values_list("restores_id")
        .annotate(amount=Sum("amount"))
    )
    return [(use, use.amount + back.get(use.pk, Decimal(0))) for use in rows]


def _ceil_fen(amount: Fraction) -> Decimal:
    return Decimal(-(-amount.numerator * 100 // amount.denominator)) * FEN


def _give_back(
    line: InvoiceLine,
    restore: CreditRestore,
    uses: list[tuple[CreditUse, Decimal]],
    back: Decimal,
    now: datetime,
) -> None:
    sequence = _last_sequence(line)
    for use, left in uses:
        part = min(left, back)
        if part <= 0:
            continue
        back -= part
        sequence += 1
        movement = book_restored(use.lot, line.invoice, part, str(restore.pk), now).transaction
        InvoicePayment.objects.create(
            tenant_id=line.tenant_id,
            invoice_id=line.invoice_id,
            transaction=movement,
            amount=-part,
            paid_at=now,
        )
        CreditUse.objects.create(
            **_returned(use, restore, part, sequence), transaction=movement, used_at=now
        )
        _after_expiry(use.lot, restore, part, now)


def _after_expiry(lot: CreditLot, restore: CreditRestore, part: Decimal, now: datetime) -> None:
    """What came back to a lot that has ended lapses, or goes on in a lot of its own."""
    lot.refresh_from_db()
    is_over = lot.expires_at is not None and lot.expires_at <= now
    if lot.state in (CreditState.EXPIRED, CreditState.REVOKED):
        book_ended(lot, now, amount=part, key=str(restore.pk))
    elif is_over and lot.remaining == part:
        end_lot(SYSTEM, lot, CreditState.EXPIRED, "refund after the last day", now)
    else:
        return
    if lot.state == CreditState.REVOKED or lot.after_expiry != AfterExpiry.GRACE:
        return
    zone = settings.CENTRE_TIME_ZONE
    ends_at = end_of_day(day_of(now + timedelta(days=GRACE_DAYS), zone), zone)
    put_in(SYSTEM, _grace_of(lot, restore, part, ends_at, now), now)


def _grace_of(
    lot: CreditLot, restore: CreditRestore, face: Decimal, expires_at: datetime, now: datetime
) -> CreditLot:
    """A lot with the same terms for what was given back, for some days more."""
    return CreditLot(
        tenant_id=lot.tenant_id,
        code=new_code(CreditKind(lot.kind)),
        kind=lot.kind,
        state=CreditState.ACTIVE,
        funder=lot.funder,
        mode=lot.mode,
        currency=lot.currency,
        scheme_id=lot.scheme_id,
        application_id=lot.application_id,
        grace_of=lot,
        cap_year=lot.cap_year,
        title=lot.title,
        face=face,
        priority=lot.priority,
        scope=lot.scope,
        scope_values=lot.scope_values,
        excluded_services=lot.excluded_services,
        eligible_pools=lot.eligible_pools,
        project_id=lot.project_id,
        share_domestic=lot.share_domestic,
        share_other=lot.share_other,
        min_spend=lot.min_spend,
        is_stackable=lot.is_stackable,
        after_expiry=AfterExpiry.LAPSE,
        effective_at=now,
        expires_at=expires_at,
        key=f"grace:{restore.pk}:{lot.pk}",
        created_at=now,
        created_by=SYSTEM.name,
    )
