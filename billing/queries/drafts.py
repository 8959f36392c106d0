"""The draft invoice: what would be billed now, charge by charge, exactly as it would be issued."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from billing import meters
from billing.charging import (
    Booked,
    Counted,
    Packages,
    PortionKey,
    RatedCharge,
    RatedLine,
    lines_of,
    rate,
)
from billing.models import CreditKind, CreditLot
from billing.payment_order import LotFact
from billing.queries.adjusting import AdjustmentFact, Periods, open_periods
from billing.queries.book import book_facts, tax_facts
from billing.queries.contracts import NOTHING_AGREED, Agreements, agreements
from billing.queries.credit_order import active_lots, lot_fact
from billing.queries.credit_time import Stretch, clipped, sums
from billing.queries.trueups import RatedTrueUp, rated_true_ups
from billing.rating import ChargeKey, Plan, RunningKey, Segment, SeriesUse, Unpriced, plan
from common.period import HOUR


@dataclass(frozen=True)
class Draft:
    """Shape: ``period_start`` is None where nothing asks for an invoice.

    The plan's segments say which bucket hours each charge is made of; ``lots`` are the credits
    that may pay, and ``period_ids`` the open periods it counts.
    """

    currency: str
    period_start: datetime | None
    until: datetime
    charges: tuple[RatedCharge, ...]
    lines: tuple[RatedLine, ...]
    true_ups: tuple[RatedTrueUp, ...]
    adjustments: tuple[AdjustmentFact, ...]
    unpriced: tuple[Unpriced, ...]
    plan: Plan
    net: Decimal
    tax: Decimal
    gross: Decimal
    lots: tuple[CreditLot, ...] = ()
    period_ids: tuple[int, ...] = ()


EMPTY = Plan((), (), {})


def draft(*, tenant_id: UUID, until: datetime) -> Draft:
    """What is used, up to the hours starting before ``until``, and stands on no invoice yet.

    Six statements at most, however much was used, one less where no series is cut by a change of
    price, one more where a list has spot prices, and three more each where there is a contract and
    where there are credits.
    """
    opened = open_periods(tenant_id=tenant_id, until=until)
    periods, adjustments = opened.periods, opened.adjustments
    used = _used(periods, until) if periods else ()
    uses = tuple(one.use for one in used)
    start = opened.starts_at
    agreed = agreements(tenant_id) if opened.has_terms else NOTHING_AGREED
    planned = (
        plan(
            uses,
            book_facts(uses, agreed.rates, currency=opened.currency),
            period_start=start,
            until=until,
        )
        if uses and start is not None
        else EMPTY
    )
    counted = _counted(planned, used, periods, until)
    due = counted or adjustments or agreed.spends
    lots = active_lots(tenant_id) if due and opened.has_credits else ()
    packages = _packages(lots, planned, counted, periods, until)
    charges = rate(planned, counted, _booked(tenant_id, planned), packages)
    lines = lines_of(charges)
    lacking = _true_ups(tenant_id, agreed, lines, until)
    amounts = [
        *((one.net, one.tax) for one in lines),
        *((one.net, one.tax) for one in lacking),
        *((one.net, one.tax) for one in adjustments),
    ]
    net = sum((net for net, _tax in amounts), Decimal(0))
    tax = sum((tax for _net, tax in amounts), Decimal(0))
    return Draft(
        currency=opened.currency,
        period_start=start,
        until=until,
        charges=charges,
        lines=lines,
        true_ups=lacking,
        adjustments=adjustments,
        unpriced=(*planned.unpriced, *_untaxed(lacking)),
        plan=planned,
        net=net,
        tax=tax,
        gross=net + tax,
        lots=lots,
        period_ids=tuple(number for number, _ in periods),
    )


def _true_ups(
    tenant_id: UUID, agreed: Agreements, lines: Sequence[RatedLine], until: datetime
) -> tuple[RatedTrueUp, ...]:
    if not agreed.spends:
        return ()
    return rated_true_ups(
        tenant_id=tenant_id, terms=agreed.spends, lines=lines, taxes=tax_facts(), until=until
    )


def _untaxed(lacking: Sequence[RatedTrueUp]) -> tuple[Unpriced, ...]:
    """True-ups whose tax code has no rate; they stop an invoice as unpriced use does."""
    return tuple(
        Unpriced(0, one.true_up.interval.term.kind, service.start, service.end)
        for one in lacking
        if one.tax_rate is None
        for service in (one.true_up.interval.service,)
    )


class Used(NamedTuple):
    """What a series counts in all its hours that are not yet billed."""

    use: SeriesUse
    quantity: int


USED = """
SELECT series.id, series.meter, series.project_id, series.price_id, series.dimensions,
    due.first_hour, due.last_hour, due.quantity
FROM (
    SELECT series_id, min(hour) AS first_hour, max(hour) AS last_hour,
        sum(quantity)::bigint AS quantity
    FROM billing_usagebucket
    WHERE period_id = ANY(%s) AND hour < %s
    GROUP BY series_id
) due
JOIN billing_series series ON series.id = due.series_id
ORDER BY series.id
"""


def _used(periods: Periods, until: datetime) -> tuple[Used, ...]:
    with connection.cursor() as cursor:
        cursor.execute(USED, [[number for number, _ in periods], until])
        rows = cursor.fetchall()
    used = []
    for series_id, meter, project_id, price_id, dimensions, first_hour, last_hour, quantity in rows:
        # The driver gives jsonb as text where no field of a model reads it.
        said: dict[str, str] = json.loads(dimensions)
        use = SeriesUse(
            series_id=series_id,
            meter=meter,
            project_id=project_id,
            quoted_price_id=price_id,
            dimensions=said,
            shown=meters.shown(meter, said),
            first_hour=first_hour,
            last_hour=last_hour,
        )
        used.append(Used(use, quantity))
    return tuple(used)


# Each stretch is summed by itself: joined, ten thousand buckets would be sorted to sum them.
COUNTED = """
SELECT segment.place, sum(part.quantity)::bigint, min(part.first_hour), max(part.last_hour)
FROM unnest(%(series)s::bigint[], %(start)s::timestamptz[], %(end)s::timestamptz[],
    %(place)s::int[]) AS segment (series_id, starts_at, ends_at, place)
CROSS JOIN LATERAL (
    SELECT sum(bucket.quantity) AS quantity, min(bucket.hour) AS first_hour,
        max(bucket.hour) AS last_hour
    FROM billing_usagebucket bucket
    WHERE bucket.series_id = segment.series_id
        AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
        AND bucket.hour < %(until)s AND bucket.period_id = ANY(%(periods)s)
) part
WHERE part.first_hour IS NOT NULL
GROUP BY segment.place ORDER BY segment.place
"""


def _counted(
    planned: Plan, used: Sequence[Used], periods: Periods, until: datetime
) -> dict[ChargeKey, Counted]:
    """What each charge counts; only of series that are cut are the parts asked for."""
    known = {one.use.series_id: one for one in used}
    parts: list[tuple[ChargeKey, Counted]] = []
    cut: list[Segment] = []
    for segment in planned.segments:
        use, quantity = known[segment.series_id]
        if (segment.start, segment.end) == (use.first_hour, use.last_hour + HOUR):
            parts.append((segment.charge, Counted(quantity, use.first_hour, use.last_hour)))
        else:
            cut.append(segment)
    if cut:
        parts += _counted_parts(cut, periods, until)
    counted: dict[ChargeKey, Counted] = {}
    for key, part in parts:
        counted[key] = part.joined(counted[key]) if key in counted else part
    return counted


def _counted_parts(
    segments: Sequence[Segment], periods: Periods, until: datetime
) -> list[tuple[ChargeKey, Counted]]:
    keys = list(dict.fromkeys(segment.charge for segment in segments))
    places = {key: place for place, key in enumerate(keys)}
    values: dict[str, list[object] | datetime] = {
        "series": [segment.series_id for segment in segments],
        "start": [segment.start for segment in segments],
        "end": [segment.end for segment in segments],
        "place": [places[segment.charge] for segment in segments],
        "until": until,
        "periods": [number for number, _ in periods],
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, values)
        return [(keys[row[0]], Counted(*row[1:])) for row in cursor.fetchall()]


def _packages(
    lots: Sequence[CreditLot],
    planned: Plan,
    counted: Mapping[ChargeKey, Counted],
    periods: Periods,
    until: datetime,
) -> Packages:
    """The packages, and how much of each charge lies in their time where that is not all."""
    facts = tuple(lot_fact(lot) for lot in lots if lot.kind == CreditKind.PACKAGE)
    pairs = [(key, lot) for key, due in counted.items() for lot in facts if _crosses(lot, due)]
    if not pairs:
        return Packages(facts)
    stretches = [
        clipped(
            [
                Stretch(part.series_id, part.start, part.end)
                for part in planned.segments
                if part.charge == key
            ],
            lot.effective_at,
            lot.expires_at,
        )
        for key, lot in pairs
    ]
    found = sums(stretches, [number for number, _ in periods], until)
    return Packages(facts, {(key, lot.id): found[place] for place, (key, lot) in enumerate(pairs)})


def _crosses(lot: LotFact, due: Counted) -> bool:
    return due.first_hour < lot.effective_at or (
        lot.expires_at is not None and due.last_hour >= lot.expires_at
    )


BOOKED = """
SELECT charge.key, line.portion, line.unit_price, line.unit_quantity,
    sum(line.quantity)::bigint, sum(line.priced_quantity)::bigint, sum(line.net), sum(line.tax),
    min(line.list_unit_price)
FROM billing_charge charge JOIN billing_invoiceline line ON line.charge_id = charge.id
WHERE charge.tenant_id = %s AND charge.key = ANY(%s)
GROUP BY charge.key, line.portion, line.unit_price, line.unit_quantity
HAVING sum(line.quantity) <> 0 OR sum(line.priced_quantity) <> 0 OR sum(line.net) <> 0
"""


def _booked(tenant_id: UUID, planned: Plan) -> Mapping[RunningKey, Mapping[PortionKey, Booked]]:
    """What earlier invoices booked of the running totals that the plan adds to."""
    keys = {running.digest: running for running in planned.prices}
    booked: dict[RunningKey, dict[PortionKey, Booked]] = {}
    if not keys:
        return booked
    with connection.cursor() as cursor:
        cursor.execute(BOOKED, [tenant_id, list(keys)])
        for digest, portion, unit_price, unit_quantity, *sums in cursor.fetchall():
            parts = booked.setdefault(keys[digest], {})
            parts[PortionKey(portion, unit_price, unit_quantity)] = Booked(*sums)
    return booked
