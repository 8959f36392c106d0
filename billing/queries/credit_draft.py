"""What credits pay of an invoice or of the draft of one: the same arithmetic for both."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from billing.models import (
    BillingPeriod,
    ChargeSegment,
    CreditKind,
    CreditLot,
    Invoice,
    InvoiceLine,
)
from billing.payment_order import LineFact, LotFact, Payment, crossing, pay
from billing.queries.credit_order import MoneyLine, line_facts, lot_fact
from billing.queries.credit_time import Stretch, clipped, sums
from billing.queries.drafts import Draft
from billing.queries.trueups import true_up_line
from billing.rating import ChargeKey


def draft_payments(draft: Draft) -> tuple[Payment, ...]:
    """What the credits of a draft would pay; a line's id is its position as a UUID."""
    lots = _money(draft.lots)
    if not lots:
        return ()
    charges: dict[UUID, ChargeKey] = {}
    lines = []
    for position, line in enumerate(draft.lines, start=1):
        line_id = UUID(int=position)
        charges[line_id] = line.key
        lines.append(
            MoneyLine(
                id=line_id,
                position=position,
                meter=line.price.meter,
                sku=line.price.sku,
                project_id=line.key.running.project_id,
                dimensions=dict(line.key.running.shown),
                gross=line.gross,
                service_from=line.service_from,
                service_to=line.service_to,
            )
        )

    def stretches(line_id: UUID) -> list[Stretch]:
        return [
            Stretch(part.series_id, part.start, part.end)
            for part in draft.plan.segments
            if part.charge == charges.get(line_id)
        ]

    facts = line_facts([*lines, *_unmetered(draft)])
    parts = {line.id: stretches(line.id) for _lot, line in crossing(lots, facts)}
    return pay(facts, lots, _within(lots, facts, parts, draft.period_ids, draft.until))


def _unmetered(draft: Draft) -> list[MoneyLine]:
    """True-ups and adjustments, which stand below what was used, as lines to pay."""
    rows = [true_up_line(one) for one in draft.true_ups]
    about = [(row.sku, row.gross, row.service_from, row.service_to) for row in rows]
    if draft.period_start is not None:
        about += [
            ("adjustment", fact.gross, draft.period_start, draft.until)
            for fact in draft.adjustments
        ]
    return [
        MoneyLine(
            id=UUID(int=position),
            position=position,
            meter="",
            sku=sku,
            project_id=None,
            dimensions={},
            gross=gross,
            service_from=service_from,
            service_to=service_to,
        )
        for position, (sku, gross, service_from, service_to) in enumerate(
            about, start=len(draft.lines) + 1
        )
    ]


def invoice_payments(
    invoice: Invoice, lots: Sequence[CreditLot], asked: Mapping[UUID, Decimal] | None = None
) -> tuple[Payment, ...]:
    """What credits pay of an invoice that has been written; its periods are closed.

    Shape: ``asked`` gives what may be paid by line, where that is less than the line; a line that
    it does not name is left out.
    """
    money = _money(lots)
    if not money:
        return ()
    rows: dict[UUID, InvoiceLine] = {
        row.pk: row
        for row in invoice.lines.order_by("position")
        if asked is None or row.pk in asked
    }
    facts = line_facts(
        [
            MoneyLine(
                id=row.pk,
                position=row.position,
                meter=row.meter,
                sku=row.sku,
                project_id=row.project_id,
                dimensions=row.dimensions,
                gross=row.gross if asked is None else asked[row.pk],
                service_from=row.service_from,
                service_to=row.service_to,
            )
            for row in rows.values()
        ]
    )
    crossed = {line.id for _lot, line in crossing(money, facts)}
    if not crossed:
        return pay(facts, money)
    parts: dict[UUID, list[Stretch]] = {line_id: [] for line_id in crossed}
    charges = {rows[line_id].charge_id for line_id in crossed}
    segments = ChargeSegment.objects.filter(charge_id__in=[c for c in charges if c is not None])
    for segment in segments:
        stretch = Stretch(segment.series_id, segment.starts_at, segment.ends_at)
        for line_id in crossed:
            if rows[line_id].charge_id == segment.charge_id:
                parts[line_id].append(stretch)
    period_ids = BillingPeriod.objects.filter(invoice=invoice).values_list("pk", flat=True)
    within = _within(money, facts, parts, tuple(period_ids), invoice.period_end)
    return pay(facts, money, within)


def _money(lots: Sequence[CreditLot]) -> list[LotFact]:
    return [lot_fact(lot) for lot in lots if lot.kind != CreditKind.PACKAGE]


def _within(
    lots: Sequence[LotFact],
    lines: Sequence[LineFact],
    parts: Mapping[UUID, Sequence[Stretch]],
    period_ids: Sequence[int],
    until: datetime,
) -> dict[tuple[UUID, UUID], Fraction]:
    """By (lot, line): the part of a line's quantity that was used in the lot's time.

    A line that stands on no metered hours, such as an adjustment, is the lot's where it began in
    the lot's time.
    """
    pairs = crossing(lots, lines)
    groups = [
        clipped(parts.get(line.id, ()), lot.effective_at, lot.expires_at) for lot, line in pairs
    ]
    whole = [parts.get(line.id, ()) for _lot, line in pairs]
    found = sums([*groups, *whole], period_ids, until)
    within = {}
    for place, (lot, line) in enumerate(pairs):
        used, total = found[place], found[len(pairs) + place]
        if total > 0:
            within[lot.id, line.id] = Fraction(max(used, 0), total)
        else:
            within[lot.id, line.id] = Fraction(line.service_from >= lot.effective_at)
    return within
