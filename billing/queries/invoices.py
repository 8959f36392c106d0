"""Invoices for reading: the list, the whole document, and the way from a line to its events."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.db import connection
from django.db.models import DecimalField, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.functional import Promise

from billing import meters
from billing.documents import DraftDetail, InvoiceDetail, LineDetail
from billing.models import Allocation, Invoice, InvoiceLine
from billing.queries.drafts import draft
from billing.rating import RatedLine
from common.errors import NotFound
from tenants.models import Project

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


@dataclass(frozen=True)
class InvoiceRow:
    """One invoice in a list; ``cursor`` leads to the ones after it."""

    id: UUID
    tenant_id: UUID
    buyer_name: str
    number: str
    period_start: datetime
    period_end: datetime
    issued_at: datetime
    net: Decimal
    tax: Decimal
    gross: Decimal
    paid: Decimal
    currency: str
    content_hash: str
    cursor: str

    @property
    def is_paid(self) -> bool:
        return self.paid >= self.gross


def invoice_list(
    *, tenant_id: UUID | None, after: str | None = None, limit: int = 50
) -> tuple[InvoiceRow, ...]:
    """A tenant's invoices, newest first; every tenant's for an operator who gives None."""
    rows = _with_paid()
    if tenant_id is not None:
        rows = rows.filter(tenant_id=tenant_id)
    if after:
        issued, _, row_id = after.partition("|")
        at = datetime.fromisoformat(issued)
        rows = rows.filter(Q(issued_at__lt=at) | Q(issued_at=at, pk__lt=UUID(row_id)))
    return tuple(
        InvoiceRow(
            id=row.pk,
            tenant_id=row.tenant_id,
            buyer_name=row.buyer_name,
            number=row.number,
            period_start=row.period_start,
            period_end=row.period_end,
            issued_at=row.issued_at,
            net=row.net,
            tax=row.tax,
            gross=row.gross,
            paid=row.paid,
            currency=row.currency,
            content_hash=row.content_hash,
            cursor=f"{row.issued_at.isoformat()}|{row.pk}",
        )
        for row in rows.order_by("-issued_at", "-pk")[:limit]
    )


class Paid(TypedDict):
    """What the list adds to an invoice's own columns."""

    paid: Decimal


def _with_paid() -> "QuerySet[WithAnnotations[Invoice, Paid]]":
    nothing = Decimal(0)
    money: DecimalField[Decimal, Decimal] = DecimalField(max_digits=18, decimal_places=2)
    return Invoice.objects.annotate(
        paid=Coalesce(Sum("payments__amount"), nothing, output_field=money)
    )


def invoice_detail(*, tenant_id: UUID, invoice_id: UUID) -> InvoiceDetail:
    """One invoice with all its lines; two statements. Raises: NotFound."""
    row = _with_paid().filter(tenant_id=tenant_id, pk=invoice_id).first()
    if row is None:
        raise NotFound
    return InvoiceDetail(
        id=row.pk,
        number=row.number,
        currency=row.currency,
        period_start=row.period_start,
        period_end=row.period_end,
        issued_at=row.issued_at,
        buyer_code=row.buyer_code,
        buyer_name=row.buyer_name,
        buyer_credit_code=row.buyer_credit_code,
        seller_name=row.seller_name,
        seller_credit_code=row.seller_credit_code,
        net=row.net,
        tax=row.tax,
        gross=row.gross,
        paid=row.paid,
        content_hash=row.content_hash,
        previous_hash=row.previous_hash,
        lines=tuple(_issued_line(line) for line in row.lines.order_by("position")),
    )


def _display(meter: str) -> tuple[str | Promise, int]:
    # Left untranslated: a page and a document of the same invoice may be in two languages.
    known = meters.declared().get(meter)
    return ("", 1) if known is None else (known.display_unit, known.display_divisor)


def _issued_line(line: InvoiceLine) -> LineDetail:
    unit, divisor = _display(line.meter)
    # jsonb keeps no order: an issued line shows its dimensions in the meter's.
    return LineDetail(
        id=line.pk,
        position=line.position,
        meter=line.meter,
        sku=line.sku,
        title_en=line.title_en,
        title_zh=line.title_zh,
        project_id=line.project_id,
        project_name=line.project_name,
        dimensions=meters.shown(line.meter, line.dimensions),
        service_from=line.service_from,
        service_to=line.service_to,
        is_late=line.is_late,
        quantity=line.quantity,
        unit_price=line.unit_price,
        unit_quantity=line.unit_quantity,
        display_unit=unit,
        display_divisor=divisor,
        tax_rate=line.tax_rate,
        net=line.net,
        tax=line.tax,
        gross=line.gross,
    )


def unbilled(*, tenant_id: UUID, until: datetime) -> DraftDetail:
    """What stands on no invoice yet, line by line: the draft of the next one."""
    now_open = draft(tenant_id=tenant_id, until=until)
    keys = (line.key for line in now_open.lines)
    ids = {key.project_id for key in keys if key.project_id is not None}
    named = Project.objects.filter(tenant_id=tenant_id, pk__in=ids)
    projects: dict[UUID, str] = dict(named.values_list("pk", "name"))
    return DraftDetail(
        currency=now_open.currency,
        period_start=now_open.period_start,
        until=until,
        net=now_open.net,
        tax=now_open.tax,
        gross=now_open.gross,
        lines=tuple(
            _draft_line(position, line, projects)
            for position, line in enumerate(now_open.lines, start=1)
        ),
        unpriced_meters=tuple(sorted({part.meter for part in now_open.unpriced})),
    )


def _draft_line(position: int, rated: RatedLine, projects: dict[UUID, str]) -> LineDetail:
    price, key = rated.price, rated.key
    unit, divisor = _display(price.meter)
    return LineDetail(
        id=None,
        position=position,
        meter=price.meter,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        project_id=key.project_id,
        project_name=projects[key.project_id] if key.project_id is not None else "",
        dimensions=key.shown,
        service_from=rated.service_from,
        service_to=rated.service_to,
        is_late=key.is_late,
        quantity=rated.quantity,
        unit_price=price.terms.unit_price,
        unit_quantity=price.terms.unit_quantity,
        display_unit=unit,
        display_divisor=divisor,
        tax_rate=key.tax_rate,
        net=rated.net,
        tax=rated.tax,
        gross=rated.gross,
    )


@dataclass(frozen=True)
class LineHour:
    """One clock hour of one series behind a line."""

    hour: datetime
    series_id: int
    dimensions: dict[str, str]
    quantity: int


def line_hours(*, tenant_id: UUID, line_id: UUID) -> tuple[LineHour, ...]:
    """The hours a line is the sum of. Raises: NotFound."""
    rows = tuple(
        Allocation.objects.filter(tenant_id=tenant_id, line_id=line_id)
        .order_by("hour", "series_id")
        .values_list("hour", "series_id", "series__dimensions", "quantity")
    )
    if not rows:
        raise NotFound
    return tuple(LineHour(*row) for row in rows)


@dataclass(frozen=True)
class LineEvent:
    """One event behind a line, under the identity its sender gave it."""

    source: str
    id: str
    subject: str
    at: datetime
    quantity: int
    received_at: datetime
    cursor: str


LINE_EVENTS = """
SELECT event.source, event.event_id, event.subject, event.at, event.quantity, event.received_at,
    event.key
FROM billing_allocation piece
JOIN billing_usageevent event ON event.series_id = piece.series_id
    AND event.at >= piece.hour AND event.at < piece.hour + interval '1 hour'
WHERE piece.tenant_id = %(tenant)s AND event.tenant_id = %(tenant)s AND piece.line_id = %(line)s
    AND event.at >= %(start)s AND event.at < %(end)s
    AND (event.at, event.key) > (%(at)s, %(key)s)
ORDER BY event.at, event.key LIMIT %(limit)s
"""
FIRST_KEY = UUID(int=0)


def line_events(
    *, tenant_id: UUID, line_id: UUID, after: str | None = None, limit: int = 100
) -> tuple[LineEvent, ...]:
    """The events of a line's hours, in order of service. Raises: NotFound.

    An hour that was billed in two parts, because events came in after the first, lists all of its
    events under both lines: the bucket, not the event, is what was billed.
    """
    line = InvoiceLine.objects.filter(tenant_id=tenant_id, pk=line_id).first()
    if line is None:
        raise NotFound
    at, _, key = (after or "").partition("|")
    values: dict[str, UUID | datetime | int] = {
        "tenant": tenant_id,
        "line": line_id,
        "start": line.service_from,
        "end": line.service_to,
        # The nil key comes before every other, so the first page starts with the first event.
        "at": datetime.fromisoformat(at) if at else line.service_from,
        "key": UUID(key) if key else FIRST_KEY,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(LINE_EVENTS, values)
        rows = cursor.fetchall()
    return tuple(LineEvent(*(*row[:6], f"{row[3].isoformat()}|{row[6]}")) for row in rows)
