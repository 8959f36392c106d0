"""What FOCUS exports are made of: a tenant's bills of one month, read as facts and made rows.

A bill of a month is an invoice whose period ends within it, a credit note that was issued in it,
and, while the month is open, the draft of what belongs to it and stands on no invoice yet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.focus.datasets import invoice_detail_rows, note_detail_rows
from billing.focus.facts import Bill, CreditFact, PeriodFact, Row
from billing.focus.notes import note_rows
from billing.focus.rows import bill_rows
from billing.models import (
    Adjustment,
    AdjustmentState,
    BillingPeriod,
    ContractTerm,
    CreditNote,
    Invoice,
    TermKind,
)
from billing.queries.focus_credits import credits_paid, credits_returned
from billing.queries.focus_draws import invoice_draws, rates_of, settled_so_far
from billing.queries.focus_lines import issued_lines
from billing.queries.focus_notes import credited_lines, notes_issued, used_shares
from billing.queries.focus_open import OpenUse, open_lines, open_use
from common.errors import DomainError
from common.period import Period
from tenants.models import Organisation

TRIES = 5
SPENDS = (TermKind.MINIMUM, TermKind.COMMITMENT)


class ExportBusy(DomainError):
    """Invoices of the month were issued all the while it was read."""

    code = "export_busy"
    status = 503
    retryable = True
    message = _("This month is being billed or counted just now. Try again in a minute.")


@dataclass(frozen=True)
class MonthBills:
    """A tenant's bills of one month: what was issued, what was credited, what is still open."""

    issued: tuple[Invoice, ...]
    notes: tuple[CreditNote, ...]
    open_use: OpenUse | None


def month_bills(*, tenant_id: UUID, month: Period, now: datetime) -> MonthBills:
    """All bills of a month, none twice, and what was bought and used of commitments at one moment.

    Its statements each see what was committed before them, so they are asked again when an invoice
    or the use of a commitment came between them. Other use goes on coming in and is not waited for.
    Raises: ExportBusy.
    """
    for _try in range(TRIES):
        before = settled_so_far(tenant_id)
        issued, notes = _issued(tenant_id, month), notes_issued(tenant_id, month)
        bills = MonthBills(issued, notes, open_use(tenant_id, month, now))
        if settled_so_far(tenant_id) == before:
            return bills
    raise ExportBusy


def cost_and_usage(*, tenant_id: UUID, month: Period, now: datetime) -> Iterator[Row]:
    """The rows of CostAndUsage, bill by bill; lines are read in portions and not kept."""
    bills = month_bills(tenant_id=tenant_id, month=month, now=now)
    paid, returned = credits_paid(bills.issued), credits_returned(bills.notes)
    for invoice in bills.issued:
        draws, credits = invoice_draws(invoice), paid.get(invoice.pk, ())
        rates = rates_of(tenant_id, draws)
        bill, lines = _bill(invoice, credits), issued_lines(invoice)
        yield from bill_rows(bill, lines, draws=draws, rates=rates, credits=credits)
    for note in bills.notes:
        credits = returned.get(note.pk, ())
        bill, credited = _note_bill(note, month, credits), credited_lines(note)
        yield from note_rows(bill, credited, used=used_shares(note), credits=credits)
    if bills.open_use is not None:
        yield from _open_rows(tenant_id, bills.open_use)


def _open_rows(tenant_id: UUID, of: OpenUse) -> Iterator[Row]:
    rates = rates_of(tenant_id, of.draws, of.lines)
    yield from bill_rows(of.bill, open_lines(tenant_id, of), draws=of.draws, rates=rates)


def invoice_details(*, tenant_id: UUID, month: Period, now: datetime) -> Iterator[Row]:
    """The rows of InvoiceDetail: what was issued only, for a draft has no number to stand under."""
    issued, notes = _issued(tenant_id, month), notes_issued(tenant_id, month)
    paid, returned = credits_paid(issued), credits_returned(notes)
    voided = _voided(issued)
    for invoice in issued:
        credits = paid.get(invoice.pk, ())
        bill = _bill(invoice, credits, voided.get(invoice.pk))
        yield from invoice_detail_rows(bill, issued_lines(invoice), credits=credits)
    for note in notes:
        credits = returned.get(note.pk, ())
        bill = _note_bill(note, month, credits)
        yield from note_detail_rows(bill, credited_lines(note), credits=credits)


def period_facts(*, tenant_id: UUID, month: Period, now: datetime) -> list[PeriodFact]:
    """The billing periods that rows of this month name."""
    bills = month_bills(tenant_id=tenant_id, month=month, now=now)
    facts = [
        PeriodFact(
            issuer=_issuer(row),
            period=Period(row.period_start, row.period_end),
            is_closed=True,
            updated_at=row.issued_at,
        )
        for row in bills.issued
    ]
    facts += [
        PeriodFact(_issuer(note), month, is_closed=month.end <= now, updated_at=note.issued_at)
        for note in bills.notes
    ]
    if bills.open_use is not None:
        bill = bills.open_use.bill
        facts.append(PeriodFact(bill.issuer, bill.period, is_closed=False, updated_at=now))
    return facts


def tenants_billed() -> tuple[UUID, ...]:
    """Every tenant that was or will be billed for anything, by code; for the operators' scope."""
    used = BillingPeriod.objects.values("tenant_id")
    adjusted = Adjustment.objects.filter(state=AdjustmentState.APPROVED).values("tenant_id")
    terms = ContractTerm.objects.filter(kind__in=SPENDS, in_force__isempty=False)
    agreed = terms.values("tenant_id")
    rows = Organisation.objects.filter(Q(pk__in=used) | Q(pk__in=adjusted) | Q(pk__in=agreed))
    return tuple(rows.order_by("code").values_list("pk", flat=True))


def invoice_totals(*, numbers: frozenset[str]) -> Mapping[str, Decimal]:
    """What each of these invoices and credit notes comes to, for a check of a file against them."""
    issued = tuple(Invoice.objects.filter(number__in=numbers))
    notes = tuple(CreditNote.objects.filter(number__in=numbers).select_related("invoice"))
    paid, returned = credits_paid(issued), credits_returned(notes)
    totals = {one.number: one.gross + _sum(paid.get(one.pk, ())) for one in issued}
    return totals | {one.number: _sum(returned.get(one.pk, ())) - one.gross for one in notes}


def _issued(tenant_id: UUID, month: Period) -> tuple[Invoice, ...]:
    rows = Invoice.objects.filter(
        tenant_id=tenant_id, period_end__gt=month.start, period_end__lte=month.end
    )
    return tuple(rows.select_related("due").order_by("period_start", "pk"))


def _voided(issued: Sequence[Invoice]) -> Mapping[UUID, datetime]:
    """When invoices were taken back whole."""
    rows = CreditNote.objects.filter(invoice__in=issued, is_full=True)
    return dict(rows.values_list("invoice_id", "issued_at"))


def _issuer(document: Invoice | CreditNote) -> str:
    return document.seller_name or document.issuer


def _sum(credits: Sequence[CreditFact]) -> Decimal:
    return sum((one.amount for one in credits), Decimal(0))


def _bill(
    invoice: Invoice, credits: Sequence[CreditFact], voided_at: datetime | None = None
) -> Bill:
    return Bill(
        number=invoice.number,
        issuer=_issuer(invoice),
        account_code=invoice.buyer_code,
        account_name=invoice.buyer_name,
        currency=invoice.currency,
        period=Period(invoice.period_start, invoice.period_end),
        total=invoice.gross + _sum(credits),
        issued_at=invoice.issued_at,
        zone=settings.CENTRE_TIME_ZONE,
        due_at=invoice.due.due_at,
        payment_days=invoice.due.payment_days,
        voided_at=voided_at,
    )


def _note_bill(note: CreditNote, month: Period, credits: Sequence[CreditFact]) -> Bill:
    return Bill(
        number=note.number,
        issuer=_issuer(note),
        account_code=note.buyer_code,
        account_name=note.buyer_name,
        currency=note.currency,
        period=month,
        total=_sum(credits) - note.gross,
        issued_at=note.issued_at,
        zone=settings.CENTRE_TIME_ZONE,
        corrects=note.invoice.number,
    )
