"""What FOCUS exports are made of: a tenant's bills of one month, read as facts and made rows.

A bill of a month is an invoice whose period ends within it, and, while the month is open, the
draft of what was used in it and stands on no invoice yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from billing.charging import RatedLine
from billing.focus.datasets import invoice_detail_rows
from billing.focus.facts import Bill, LineFact, PeriodFact, Row
from billing.focus.rows import bill_rows
from billing.models import BillingPeriod, Invoice, InvoiceLine, LineKind
from billing.queries.drafts import draft
from billing.queries.focus_draws import (
    Draws,
    draft_draws,
    invoice_draws,
    rates_of,
    settled_so_far,
)
from billing.rating import ChargeKey
from common.errors import DomainError
from common.period import Period, month_of
from tenants.models import Organisation, Project

CHUNK = 2000
TRIES = 5


class ExportBusy(DomainError):
    """Invoices of the month were issued all the while it was read."""

    code = "export_busy"
    status = 503
    retryable = True
    message = _("This month is being billed or counted just now. Try again in a minute.")


@dataclass(frozen=True)
class OpenUse:
    """The part of a draft that falls into one month."""

    bill: Bill
    lines: tuple[RatedLine, ...]
    places: Mapping[ChargeKey, str]
    draws: Draws


@dataclass(frozen=True)
class MonthBills:
    """A tenant's bills of one month: what was issued, and what is still open."""

    issued: tuple[Invoice, ...]
    open_use: OpenUse | None


def month_bills(*, tenant_id: UUID, month: Period, now: datetime) -> MonthBills:
    """All bills of a month, none twice, and what was bought and used of commitments at one moment.

    Its statements each see what was committed before them, so they are asked again when an invoice
    or the use of a commitment came between them. Other use goes on coming in and is not waited for.
    Raises: ExportBusy.
    """
    for _try in range(TRIES):
        before = settled_so_far(tenant_id)
        bills = MonthBills(_issued(tenant_id, month), _open_use(tenant_id, month, now))
        if settled_so_far(tenant_id) == before:
            return bills
    raise ExportBusy


def cost_and_usage(*, tenant_id: UUID, month: Period, now: datetime) -> Iterator[Row]:
    """The rows of CostAndUsage, bill by bill; lines are read in portions and not kept."""
    bills = month_bills(tenant_id=tenant_id, month=month, now=now)
    for invoice in bills.issued:
        draws = invoice_draws(invoice)
        rates = rates_of(tenant_id, draws)
        yield from bill_rows(_bill(invoice), _issued_lines(invoice), draws=draws, rates=rates)
    if bills.open_use is not None:
        yield from _open_rows(tenant_id, bills.open_use)


def _open_rows(tenant_id: UUID, open_use: OpenUse) -> Iterator[Row]:
    rates = rates_of(tenant_id, open_use.draws, open_use.lines)
    projects = _projects(tenant_id, open_use.lines)
    lines = (_draft_line(line, open_use.places[line.key], projects) for line in open_use.lines)
    yield from bill_rows(open_use.bill, lines, draws=open_use.draws, rates=rates)


def invoice_details(*, tenant_id: UUID, month: Period, now: datetime) -> Iterator[Row]:
    """The rows of InvoiceDetail: issued invoices only, for a draft has no number to stand under."""
    for invoice in _issued(tenant_id, month):
        yield from invoice_detail_rows(_bill(invoice), _issued_lines(invoice))


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
    if bills.open_use is not None:
        bill = bills.open_use.bill
        facts.append(PeriodFact(bill.issuer, bill.period, is_closed=False, updated_at=now))
    return facts


def tenants_billed() -> tuple[UUID, ...]:
    """Every tenant that ever used anything, by code; for the operators' scope."""
    rows = BillingPeriod.objects.order_by("tenant__code").values_list("tenant_id", flat=True)
    return tuple(dict.fromkeys(rows))


def invoice_totals(*, numbers: frozenset[str]) -> Mapping[str, Decimal]:
    """What each of these invoices comes to, for a check of a file against them."""
    return dict(Invoice.objects.filter(number__in=numbers).values_list("number", "gross"))


def _issued(tenant_id: UUID, month: Period) -> tuple[Invoice, ...]:
    rows = Invoice.objects.filter(
        tenant_id=tenant_id, period_end__gt=month.start, period_end__lte=month.end
    )
    return tuple(rows.order_by("period_start", "pk"))


def _issuer(invoice: Invoice) -> str:
    return invoice.seller_name or invoice.issuer


def _bill(invoice: Invoice) -> Bill:
    return Bill(
        number=invoice.number,
        issuer=_issuer(invoice),
        account_code=invoice.buyer_code,
        account_name=invoice.buyer_name,
        currency=invoice.currency,
        period=Period(invoice.period_start, invoice.period_end),
        gross=invoice.gross,
        issued_at=invoice.issued_at,
        zone=settings.CENTRE_TIME_ZONE,
    )


def _issued_lines(invoice: Invoice) -> Iterator[LineFact]:
    rows = InvoiceLine.objects.filter(tenant_id=invoice.tenant_id, invoice=invoice)
    for line in rows.select_related("project").order_by("position").iterator(chunk_size=CHUNK):
        yield LineFact(
            id=str(line.pk),
            charge=str(line.charge_id),
            kind=line.kind,
            meter=line.meter,
            sku=line.sku,
            price_id=str(line.price_id),
            title=_title(line.title_en, line.dimensions),
            portion=line.portion,
            project_code=line.project.code if line.project is not None else "",
            project_name=line.project_name,
            dimensions=line.dimensions,
            period=Period(line.service_from, line.service_to),
            is_late=line.is_late,
            quantity=line.quantity,
            priced_quantity=line.priced_quantity,
            list_unit_price=line.list_unit_price,
            unit_price=line.unit_price,
            unit_quantity=line.unit_quantity,
            tax_code=line.tax_code,
            tax_rate=line.tax_rate,
            net=line.net,
            tax=line.tax,
        )


def _title(title: str, dimensions: Mapping[str, str]) -> str:
    return " - ".join((title, *(dimensions[name] for name in sorted(dimensions))))


def _open_use(tenant_id: UUID, month: Period, now: datetime) -> OpenUse | None:
    """The part of the draft that this month's export shows; no other month's shows it too.

    A running total belongs to the month it counts; what came in late belongs to the first month
    that is still open, on whose invoice it will stand.
    """
    until = min(now, month.end)
    if until <= month.start:
        return None
    found = draft(tenant_id=tenant_id, until=until)
    if found.period_start is None:
        return None
    first = month_of(found.period_start, settings.CENTRE_TIME_ZONE).start
    lines = tuple(
        line
        for line in found.lines
        if (first if line.key.is_late else line.key.running.month_start) == month.start
    )
    if not lines:
        return None
    account = Organisation.objects.get(pk=tenant_id)
    bill = Bill(
        number=None,
        issuer=settings.INVOICE_SELLER_NAME or settings.INVOICE_ISSUER,
        account_code=account.code,
        account_name=account.legal_name or account.name,
        currency=found.currency,
        period=Period(max(found.period_start, month.start), month.end),
        gross=sum((line.gross for line in lines), Decimal(0)),
        zone=settings.CENTRE_TIME_ZONE,
    )
    places = {line.key: str(place) for place, line in enumerate(lines)}
    return OpenUse(bill, lines, places, draft_draws(found, places))


def _projects(tenant_id: UUID, lines: tuple[RatedLine, ...]) -> Mapping[UUID, tuple[str, str]]:
    running = (line.key.running for line in lines)
    ids = {one.project_id for one in running if one.project_id is not None}
    rows = Project.objects.filter(tenant_id=tenant_id, pk__in=ids)
    return {pk: (code, name) for pk, code, name in rows.values_list("pk", "code", "name")}


def _draft_line(line: RatedLine, charge: str, projects: Mapping[UUID, tuple[str, str]]) -> LineFact:
    running = line.key.running
    dimensions = dict(running.shown)
    project_id = running.project_id
    code, name = projects[project_id] if project_id is not None else ("", "")
    return LineFact(
        id=None,
        charge=charge,
        kind=LineKind.USAGE,
        meter=line.price.meter,
        sku=line.price.sku,
        price_id=str(line.price.id),
        title=_title(line.price.title_en, dimensions),
        portion=line.portion,
        project_code=code,
        project_name=name,
        dimensions=dimensions,
        period=Period(line.service_from, line.service_to),
        is_late=line.key.is_late,
        quantity=line.quantity,
        priced_quantity=line.priced_quantity,
        list_unit_price=line.list_unit_price,
        unit_price=line.unit_price,
        unit_quantity=line.unit_quantity,
        tax_code=line.price.tax_code,
        tax_rate=running.tax_rate,
        net=line.net,
        tax=line.tax,
    )
