"""The draft invoice: what would be billed now, charge by charge, exactly as it would be issued."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing import meters
from billing.charging import (
    Booked,
    Counted,
    PortionKey,
    RatedCharge,
    RatedLine,
    lines_of,
    rate,
)
from billing.money import CURRENCY
from billing.queries.adjusting import AdjustmentFact, Periods, open_periods
from billing.queries.book import book_facts
from billing.rating import ChargeKey, Plan, RunningKey, SeriesUse, Unpriced, plan


@dataclass(frozen=True)
class Draft:
    """Shape: ``period_start`` is None where no period stands open.

    The plan's segments say which bucket hours each charge is made of.
    """

    currency: str
    period_start: datetime | None
    until: datetime
    charges: tuple[RatedCharge, ...]
    lines: tuple[RatedLine, ...]
    adjustments: tuple[AdjustmentFact, ...]
    unpriced: tuple[Unpriced, ...]
    plan: Plan
    net: Decimal
    tax: Decimal
    gross: Decimal


EMPTY = Plan((), (), {})


def draft(*, tenant_id: UUID, until: datetime) -> Draft:
    """What is used, up to the hours starting before ``until``, and stands on no invoice yet.

    Eight statements at most, however much was used.
    """
    periods, adjustments = open_periods(tenant_id=tenant_id, until=until)
    uses = _uses(periods, until)
    start = periods[0][1] if periods else None
    planned = (
        plan(uses, book_facts(uses), period_start=start, until=until)
        if uses and start is not None
        else EMPTY
    )
    counted = _counted(planned, periods, until)
    charges = rate(planned, counted, _booked(tenant_id, planned))
    lines = lines_of(charges)
    said = [(line.net, line.tax) for line in lines]
    said += [(fact.net, fact.tax) for fact in adjustments]
    net = sum((net for net, _tax in said), Decimal(0))
    tax = sum((tax for _net, tax in said), Decimal(0))
    return Draft(
        currency=CURRENCY,
        period_start=start,
        until=until,
        charges=charges,
        lines=lines,
        adjustments=adjustments,
        unpriced=planned.unpriced,
        plan=planned,
        net=net,
        tax=tax,
        gross=net + tax,
    )


USES = """
SELECT series.id, series.meter, series.project_id, series.price_id, series.dimensions,
    due.first_hour, due.last_hour
FROM (
    SELECT series_id, min(hour) AS first_hour, max(hour) AS last_hour
    FROM billing_usagebucket
    WHERE period_id = ANY(%s) AND hour < %s
    GROUP BY series_id
) due
JOIN billing_series series ON series.id = due.series_id
ORDER BY series.id
"""


def _uses(periods: Periods, until: datetime) -> tuple[SeriesUse, ...]:
    with connection.cursor() as cursor:
        cursor.execute(USES, [[number for number, _ in periods], until])
        rows = cursor.fetchall()
    uses = []
    for series_id, meter, project_id, price_id, dimensions, first_hour, last_hour in rows:
        # The driver gives jsonb as text where no field of a model reads it.
        said: dict[str, str] = json.loads(dimensions)
        uses.append(
            SeriesUse(
                series_id=series_id,
                meter=meter,
                project_id=project_id,
                quoted_price_id=price_id,
                dimensions=said,
                shown=meters.shown(meter, said),
                first_hour=first_hour,
                last_hour=last_hour,
            )
        )
    return tuple(uses)


COUNTED = """
SELECT segment.place, sum(bucket.quantity)::bigint, min(bucket.hour), max(bucket.hour)
FROM unnest(%(series)s::bigint[], %(start)s::timestamptz[], %(end)s::timestamptz[],
    %(place)s::int[]) AS segment (series_id, starts_at, ends_at, place)
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.hour < %(until)s AND bucket.period_id = ANY(%(periods)s)
GROUP BY segment.place ORDER BY segment.place
"""


def _counted(planned: Plan, periods: Periods, until: datetime) -> dict[ChargeKey, Counted]:
    keys = list(dict.fromkeys(segment.charge for segment in planned.segments))
    if not keys:
        return {}
    places = {key: place for place, key in enumerate(keys)}
    values: dict[str, list[object] | datetime] = {
        "series": [segment.series_id for segment in planned.segments],
        "start": [segment.start for segment in planned.segments],
        "end": [segment.end for segment in planned.segments],
        "place": [places[segment.charge] for segment in planned.segments],
        "until": until,
        "periods": [number for number, _ in periods],
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, values)
        return {keys[row[0]]: Counted(*row[1:]) for row in cursor.fetchall()}


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
