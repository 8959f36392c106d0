"""Where use got lost on its way to a bill: what was counted, refused, or has no price.

Billing says what it counted by the dimensions it was told; what should have been counted is known
to those who measure.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.money import CURRENCY, round_to_fen
from billing.pricing import charge
from billing.queries.book import book_facts
from billing.rating import PriceBookFacts, SeriesUse, Unpriced, plan
from common.period import HOUR, Period
from tenants.permissions import Actor, Permission, require

MOST_SHOWN = 200


@dataclass(frozen=True)
class CountedRow:
    """What one meter counted on one day for one set of values. Units: base units.

    Shape: ``values`` are of the dimensions asked for, in their order, empty where one is missing.
    """

    meter: str
    values: tuple[str, ...]
    day: date
    quantity: int


COUNTED = """
SELECT series.meter,
    ARRAY(SELECT coalesce(series.dimensions ->> name, '')
        FROM unnest(%(names)s::text[]) WITH ORDINALITY AS asked (name, place) ORDER BY place),
    (bucket.hour AT TIME ZONE %(zone)s)::date, sum(bucket.quantity)::bigint
FROM billing_series series
JOIN billing_usagebucket bucket ON bucket.series_id = series.id
WHERE series.meter = ANY(%(meters)s) AND bucket.hour >= %(start)s AND bucket.hour < %(end)s
GROUP BY 1, 2, 3
"""


def counted_by(
    *, actor: Actor, meters: Sequence[str], names: Sequence[str], period: Period
) -> tuple[CountedRow, ...]:
    """What all tenants used of these meters in whole hours; one statement.

    Raises: PermissionRefused.
    """
    require(actor, Permission.REVENUE_READ)
    values: dict[str, str | datetime | list[str]] = {
        "names": list(names),
        "zone": settings.CENTRE_TIME_ZONE,
        "meters": list(meters),
        "start": period.start,
        "end": period.end,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, values)
        return tuple(
            CountedRow(meter, tuple(told), day, quantity)
            for meter, told, day, quantity in cursor.fetchall()
        )


@dataclass(frozen=True)
class RefusedRow:
    """How many of a tenant's events were refused for one reason, and when last."""

    tenant_code: str
    tenant_name: str
    code: str
    events: int
    last_at: datetime


REFUSED = """
SELECT tenant.code, tenant.name, refused.code, count(*), max(refused.received_at)
FROM billing_rejectedevent refused JOIN tenants_organisation tenant ON tenant.id = refused.tenant_id
WHERE refused.received_at >= %(start)s AND refused.received_at < %(end)s
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 3 LIMIT %(most)s
"""


def refused_events(*, actor: Actor, period: Period) -> tuple[RefusedRow, ...]:
    """Events that were not counted, by tenant and reason; one statement.

    Raises: PermissionRefused.
    """
    require(actor, Permission.REVENUE_READ)
    values: dict[str, datetime | int] = {
        "start": period.start,
        "end": period.end,
        "most": MOST_SHOWN,
    }
    with connection.cursor() as cursor:
        cursor.execute(REFUSED, values)
        return tuple(RefusedRow(*row) for row in cursor.fetchall())


@dataclass(frozen=True)
class Lost:
    """Use that should have been counted and was not. ``price_id`` is the price quoted for it."""

    meter: str
    dimensions: Mapping[str, str]
    quantity: int
    at: datetime
    price_id: UUID | None = None


@dataclass(frozen=True)
class UnpricedRow:
    """Use that was counted and that no price or tax rate covers. Units: base units."""

    tenant_code: str
    tenant_name: str
    meter: str
    dimensions: Mapping[str, str]
    quantity: int


@dataclass(frozen=True)
class Valued:
    """What lost use would have cost by the list, in order, None without a price; and what has no
    price at all.
    """

    worth: tuple[Decimal | None, ...]
    unpriced: tuple[UnpricedRow, ...]


# Only what a price could match tells one use from another, so a list of a thousand workloads is a
# handful of rows.
KINDS = """
SELECT tenant.code, tenant.name, series.meter, series.price_id, kind.said,
    array_agg(series.id ORDER BY series.id), coalesce(account.currency, %s)
FROM billing_series series
JOIN tenants_organisation tenant ON tenant.id = series.tenant_id
LEFT JOIN billing_account account ON account.tenant_id = series.tenant_id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(name, value ORDER BY name), '{}'::jsonb) AS said
    FROM jsonb_each(series.dimensions) AS dimension (name, value)
    WHERE name IN (SELECT jsonb_object_keys(match) FROM billing_price)
) kind
GROUP BY 1, 2, 3, 4, 5, 7 ORDER BY 1, 3, 4, 5
"""


def valued(*, actor: Actor, lost: Sequence[Lost], period: Period) -> Valued:
    """Lost use at the prices of the centre's own currency, and counted use without one in its
    tenant's.

    Two statements, and two more for each currency in use, three where it has spot prices.

    Raises: PermissionRefused.
    """
    require(actor, Permission.REVENUE_READ)
    with connection.cursor() as cursor:
        cursor.execute(KINDS, [CURRENCY])
        kinds = cursor.fetchall()
    uses: dict[str, list[SeriesUse]] = {CURRENCY: []}
    for place, (_code, _name, meter, price_id, said, _series, currency) in enumerate(kinds):
        use = _use(place, meter, json.loads(said), price_id, period)
        uses.setdefault(currency, []).append(use)
    asked = [
        _use(-1, one.meter, one.dimensions, one.price_id, Period(one.at, one.at + HOUR))
        for one in lost
    ]
    if not kinds and not asked:
        return Valued((), ())
    own = book_facts([*uses[CURRENCY], *asked], currency=CURRENCY)
    missing: list[Unpriced] = []
    for currency, counted in uses.items():
        book = own if currency == CURRENCY else book_facts(counted, currency=currency)
        found = plan(counted, book, period_start=period.start, until=period.end)
        missing.extend(found.unpriced)
    return Valued(
        worth=tuple(_worth(own, use, one) for use, one in zip(asked, lost, strict=True)),
        unpriced=_unpriced(kinds, missing),
    )


def _use(
    place: int,
    meter: str,
    dimensions: Mapping[str, str],
    price_id: UUID | None,
    period: Period,
) -> SeriesUse:
    return SeriesUse(
        series_id=place,
        meter=meter,
        project_id=None,
        quoted_price_id=price_id,
        dimensions=dimensions,
        shown=(),
        first_hour=period.start,
        last_hour=period.end - HOUR,
    )


def _worth(book: PriceBookFacts, use: SeriesUse, lost: Lost) -> Decimal | None:
    if use.quoted_price_id not in book.quoted:
        # Quoted in another currency: what the centre's own list asks is the estimate.
        use = replace(use, quoted_price_id=None)
    price = book.list_price_for(use, lost.at)
    if price is None:
        return None
    return round_to_fen(charge(price.model, price.list_terms, lost.quantity))


# What stands in a closed period was billed; unpriced use keeps its period open.
SUMMED = """
SELECT missing.place, sum(bucket.quantity)::bigint
FROM unnest(%(places)s::int[], %(series)s::bigint[], %(starts)s::timestamptz[],
    %(ends)s::timestamptz[]) AS missing (place, series_id, starts_at, ends_at)
JOIN billing_usagebucket bucket ON bucket.series_id = missing.series_id
    AND bucket.hour >= missing.starts_at AND bucket.hour < missing.ends_at
JOIN billing_billingperiod period ON period.id = bucket.period_id AND period.state = 'open'
GROUP BY 1 HAVING sum(bucket.quantity) <> 0 ORDER BY 1 LIMIT %(most)s
"""


# psycopg gives each column with a type of its own.
def _unpriced(
    kinds: Sequence[tuple[str, str, str, UUID | None, str, list[int], str]],
    missing: Sequence[Unpriced],
) -> tuple[UnpricedRow, ...]:
    stretches = [
        (part.series_id, series, part.start, part.end)
        for part in missing
        for series in kinds[part.series_id][5]
    ]
    if not stretches:
        return ()
    columns: list[list[object]] = [list(column) for column in zip(*stretches, strict=True)]
    names = ("places", "series", "starts", "ends")
    values: dict[str, int | list[object]] = {
        **dict(zip(names, columns, strict=True)),
        "most": MOST_SHOWN,
    }
    with connection.cursor() as cursor:
        cursor.execute(SUMMED, values)
        rows = cursor.fetchall()
    found = []
    for place, quantity in rows:
        code, name, meter, _price, said, _series, _currency = kinds[place]
        found.append(UnpricedRow(code, name, meter, json.loads(said), quantity))
    return tuple(found)
