"""The draft invoice: what would be billed now, line by line, exactly as it would be issued."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Max

from billing import meters
from billing.models import Invoice, Price, PriceVersion, TaxRate, VersionState
from billing.money import CURRENCY
from billing.pricing import Terms
from billing.rating import (
    Counted,
    LineKey,
    Plan,
    PriceBookFacts,
    PriceFact,
    RatedLine,
    Segment,
    SeriesUse,
    TaxFact,
    Unpriced,
    VersionFact,
    in_reading_order,
    plan,
    rate,
)
from common.period import month_of


@dataclass(frozen=True)
class Draft:
    """Shape: ``period_start`` is None where the tenant has used nothing yet."""

    currency: str
    period_start: datetime | None
    until: datetime
    lines: tuple[RatedLine, ...]
    unpriced: tuple[Unpriced, ...]
    plan: Plan
    counted: Mapping[LineKey, Counted]
    net: Decimal
    tax: Decimal
    gross: Decimal


def draft(*, tenant_id: UUID, until: datetime) -> Draft:
    """What is used, up to the hours starting before ``until``, and stands on no invoice yet.

    Seven statements at most, however much was used.
    """
    uses = _uses(tenant_id, until)
    period_start = period_start_of(tenant_id, uses)
    empty = Plan((), (), {})
    planned = (
        empty
        if period_start is None
        else plan(uses, _facts(uses), period_start=period_start, until=until)
    )
    counted = _counted(planned.segments, until)
    lines = tuple(
        in_reading_order(
            rate(key, planned.prices[key.price_id], count) for key, count in counted.items()
        )
    )
    net = sum((line.net for line in lines), Decimal(0))
    tax = sum((line.tax for line in lines), Decimal(0))
    return Draft(
        currency=CURRENCY,
        period_start=period_start,
        until=until,
        lines=lines,
        unpriced=planned.unpriced,
        plan=planned,
        counted=counted,
        net=net,
        tax=tax,
        gross=net + tax,
    )


def period_start_of(tenant_id: UUID, uses: Sequence[SeriesUse]) -> datetime | None:
    """Where the next invoice starts: the end of the last, else the month of the first usage."""
    last: datetime | None = Invoice.objects.filter(tenant_id=tenant_id).aggregate(
        end=Max("period_end")
    )["end"]
    if last is not None or not uses:
        return last
    first = min(use.first_hour for use in uses)
    return month_of(first, settings.CENTRE_TIME_ZONE).start


USES = """
SELECT series.id, series.meter, series.project_id, series.price_id, series.dimensions,
    due.first_hour, due.last_hour
FROM (
    SELECT series_id, min(hour) AS first_hour, max(hour) AS last_hour
    FROM billing_usagebucket
    WHERE tenant_id = %s AND quantity > billed_quantity AND hour < %s
    GROUP BY series_id
) due
JOIN billing_series series ON series.id = due.series_id
ORDER BY series.id
"""


def _uses(tenant_id: UUID, until: datetime) -> tuple[SeriesUse, ...]:
    with connection.cursor() as cursor:
        cursor.execute(USES, [tenant_id, until])
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


def _facts(uses: Iterable[SeriesUse]) -> PriceBookFacts:
    """The published lists, the quoted prices and the tax table."""
    quoted = {use.quoted_price_id for use in uses if use.quoted_price_id is not None}
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED)
    versions = tuple(
        VersionFact(version.effective_at, tuple(_fact(price) for price in version.prices.all()))
        for version in published.order_by("effective_at").prefetch_related("prices")
    )
    return PriceBookFacts(
        versions=versions,
        quoted={price.pk: _fact(price) for price in Price.objects.filter(pk__in=quoted)},
        taxes=tuple(
            TaxFact(tax.tax_code, tax.rate, tax.during.lower, tax.during.upper)
            for tax in TaxRate.objects.all()
        ),
        zone=settings.CENTRE_TIME_ZONE,
    )


def _fact(price: Price) -> PriceFact:
    return PriceFact(
        id=price.pk,
        meter=price.meter,
        match=price.match,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        model=price.model,
        terms=Terms(price.unit_price, price.unit_quantity),
        tax_code=price.tax_code,
    )


SEGMENTS = """
unnest(%(series)s::bigint[], %(start)s::timestamptz[], %(end)s::timestamptz[], %(line)s::{line}[])
    AS segment (series_id, starts_at, ends_at, line)
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.hour < %(until)s
"""
COUNTED = f"""
SELECT segment.line,
    sum(bucket.quantity - bucket.billed_quantity)::bigint,
    sum(bucket.billed_quantity)::bigint,
    min(bucket.hour) FILTER (WHERE bucket.quantity > bucket.billed_quantity),
    max(bucket.hour) FILTER (WHERE bucket.quantity > bucket.billed_quantity)
FROM {SEGMENTS.format(line="int")}
GROUP BY segment.line HAVING sum(bucket.quantity - bucket.billed_quantity) > 0
ORDER BY segment.line
"""  # noqa: S608 - only the type of a column is put in


def segment_values(
    segments: Sequence[Segment], lines: Sequence[int] | Sequence[UUID], until: datetime
) -> dict[str, list[object] | datetime]:
    """The arrays that SEGMENTS reads."""
    return {
        "series": [segment.series_id for segment in segments],
        "start": [segment.start for segment in segments],
        "end": [segment.end for segment in segments],
        "line": list(lines),
        "until": until,
    }


def _counted(segments: Sequence[Segment], until: datetime) -> dict[LineKey, Counted]:
    keys = list(dict.fromkeys(segment.line for segment in segments))
    places = {key: place for place, key in enumerate(keys)}
    values = segment_values(segments, [places[segment.line] for segment in segments], until)
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, values)
        return {keys[row[0]]: Counted(*row[1:]) for row in cursor.fetchall()}
