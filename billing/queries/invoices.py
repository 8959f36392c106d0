"""Invoices for reading: the list, the whole document, and the draft of the next one."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q
from django.utils.functional import Promise

from billing import meters
from billing.charging import RatedLine
from billing.documents import (
    NEWEST_FORM,
    CreditPart,
    DraftDetail,
    InvoiceDetail,
    InvoiceState,
    LineDetail,
    invoice_state,
)
from billing.models import Invoice, InvoiceLine, LineKind
from billing.queries.adjusting import AdjustmentFact
from billing.queries.credit_draft import draft_payments
from billing.queries.credits import credit_part, credits_of_lines
from billing.queries.drafts import Draft, draft
from billing.queries.dues import with_due
from billing.queries.trueups import RatedTrueUp, true_up_line
from common.errors import NotFound
from tenants.models import Project

NOTHING = Decimal(0)


@dataclass(frozen=True)
class InvoiceRow:
    """One invoice in a list, as it stood ``as_of``; ``cursor`` leads to the ones after it."""

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
    credited: Decimal
    written_off: Decimal
    due: Decimal
    due_at: datetime
    currency: str
    content_hash: str
    as_of: datetime
    cursor: str

    @property
    def state(self) -> InvoiceState:
        return invoice_state(
            gross=self.gross,
            credited=self.credited,
            written_off=self.written_off,
            due=self.due,
            due_at=self.due_at,
            as_of=self.as_of,
        )


def invoice_list(
    *, tenant_id: UUID | None, now: datetime, after: str | None = None, limit: int = 50
) -> tuple[InvoiceRow, ...]:
    """A tenant's invoices, newest first; every tenant's for an operator who gives None."""
    rows = with_due(Invoice.objects.all())
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
            credited=row.credited,
            written_off=row.written_off,
            # One below zero was paid out when it was issued.
            due=max(row.outstanding, NOTHING),
            due_at=row.due_at,
            currency=row.currency,
            content_hash=row.content_hash,
            as_of=now,
            cursor=f"{row.issued_at.isoformat()}|{row.pk}",
        )
        for row in rows.order_by("-issued_at", "-pk")[:limit]
    )


def invoice_detail(*, tenant_id: UUID, invoice_id: UUID, now: datetime) -> InvoiceDetail:
    """One invoice with all its lines; three statements. Raises: NotFound."""
    row = with_due(Invoice.objects.all()).filter(tenant_id=tenant_id, pk=invoice_id).first()
    if row is None:
        raise NotFound
    used = credits_of_lines(row.pk)
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
        credited=row.credited,
        written_off=row.written_off,
        due=max(row.outstanding, NOTHING),
        due_at=row.due_at,
        form=row.hash_version,
        content_hash=row.content_hash,
        previous_hash=row.previous_hash,
        as_of=now,
        lines=tuple(
            issued_line(line, row.hash_version, used.get(line.pk, ()))
            for line in row.lines.order_by("position")
        ),
    )


def _display(meter: str) -> tuple[str | Promise, int]:
    # Left untranslated: a page and a document of the same invoice may be in two languages.
    known = meters.declared().get(meter)
    return ("", 1) if known is None else (known.display_unit, known.display_divisor)


def issued_line(line: InvoiceLine, form: int, used: tuple[CreditPart, ...] = ()) -> LineDetail:
    """One line as a reader sees it, with the credits that paid for it; ``form`` its invoice's."""
    unit, divisor = _display(line.meter)
    # jsonb keeps no order: an issued line shows its dimensions in the meter's.
    return LineDetail(
        id=line.pk,
        position=line.position,
        kind=line.kind,
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
        portion=line.portion,
        quantity=line.quantity,
        priced_quantity=line.priced_quantity,
        list_unit_price=line.list_unit_price,
        unit_price=line.unit_price,
        unit_quantity=line.unit_quantity,
        display_unit=unit,
        display_divisor=divisor,
        tax_code=line.tax_code,
        tax_rate=line.tax_rate,
        net=line.net,
        tax=line.tax,
        gross=line.gross,
        credits=sum((part.amount for part in used if not part.is_package), NOTHING),
        credit_parts=used,
        form=form,
    )


def unbilled(*, tenant_id: UUID, until: datetime) -> DraftDetail:
    """What stands on no invoice yet, line by line: the draft of the next one."""
    now_open = draft(tenant_id=tenant_id, until=until)
    keys = (line.key.running for line in now_open.lines)
    ids = {key.project_id for key in keys if key.project_id is not None}
    named = Project.objects.filter(tenant_id=tenant_id, pk__in=ids)
    projects: dict[UUID, str] = dict(named.values_list("pk", "name"))
    paid = _draft_credits(now_open)
    return DraftDetail(
        currency=now_open.currency,
        period_start=now_open.period_start,
        until=until,
        net=now_open.net,
        tax=now_open.tax,
        gross=now_open.gross,
        lines=tuple(
            _draft_line(position, line, projects, paid.get(position, ()))
            for position, line in enumerate(now_open.lines, start=1)
        )
        + tuple(
            _draft_true_up(position, one, paid.get(position, ()))
            for position, one in enumerate(now_open.true_ups, start=len(now_open.lines) + 1)
        )
        + tuple(
            _draft_adjustment(position, fact, now_open, paid.get(position, ()))
            for position, fact in enumerate(
                now_open.adjustments, start=len(now_open.lines) + len(now_open.true_ups) + 1
            )
        ),
        unpriced_meters=tuple(sorted({part.meter for part in now_open.unpriced})),
    )


def _draft_credits(now_open: Draft) -> dict[int, tuple[CreditPart, ...]]:
    """What credits would pay, by the line's position; the draft knows its lots already."""
    lots = {lot.pk: lot for lot in now_open.lots}
    paid: dict[int, dict[UUID, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for payment in draft_payments(now_open):
        paid[payment.line_id.int][payment.lot_id] += payment.amount
    return {
        position: tuple(credit_part(lots[lot_id], amount) for lot_id, amount in parts.items())
        for position, parts in paid.items()
    }


def _draft_adjustment(
    position: int, fact: AdjustmentFact, of: Draft, used: tuple[CreditPart, ...]
) -> LineDetail:
    return LineDetail(
        id=None,
        position=position,
        kind=LineKind.ADJUSTMENT,
        meter="",
        sku="adjustment",
        title_en=fact.title_en,
        title_zh=fact.title_zh,
        project_id=None,
        project_name="",
        dimensions=(),
        service_from=of.period_start or of.until,
        service_to=of.until,
        is_late=False,
        portion="adjustment",
        quantity=1,
        priced_quantity=1,
        list_unit_price=fact.net,
        unit_price=fact.net,
        unit_quantity=1,
        display_unit="",
        display_divisor=1,
        tax_code=fact.tax_code,
        tax_rate=fact.tax_rate,
        net=fact.net,
        tax=fact.tax,
        gross=fact.gross,
        credits=sum((part.amount for part in used), NOTHING),
        credit_parts=used,
    )


def _draft_line(
    position: int, rated: RatedLine, projects: dict[UUID, str], used: tuple[CreditPart, ...]
) -> LineDetail:
    price, key = rated.price, rated.key.running
    unit, divisor = _display(price.meter)
    return LineDetail(
        id=None,
        position=position,
        kind=LineKind.USAGE,
        meter=price.meter,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        project_id=key.project_id,
        project_name=projects[key.project_id] if key.project_id is not None else "",
        dimensions=key.shown,
        service_from=rated.service_from,
        service_to=rated.service_to,
        is_late=rated.key.is_late,
        portion=rated.portion,
        quantity=rated.quantity,
        priced_quantity=rated.priced_quantity,
        list_unit_price=rated.list_unit_price,
        unit_price=rated.unit_price,
        unit_quantity=rated.unit_quantity,
        display_unit=unit,
        display_divisor=divisor,
        tax_code=price.tax_code,
        tax_rate=key.tax_rate,
        net=rated.net,
        tax=rated.tax,
        gross=rated.gross,
        credits=sum((part.amount for part in used), NOTHING),
        credit_parts=used,
    )


def _draft_true_up(position: int, rated: RatedTrueUp, used: tuple[CreditPart, ...]) -> LineDetail:
    return replace(issued_line(true_up_line(rated), NEWEST_FORM, used), id=None, position=position)
