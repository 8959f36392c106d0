"""What use costs, by subject and day: the draft invoice's charges and those already invoiced.

A charge's net is spread over the hours it is made of, by quantity: with one price that is the
price; with tiers and packages it is what a unit came to on the average.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.queries.drafts import Draft
from billing.rating import ChargeKey
from common.period import Period

MICRO = 1_000_000
# What a statement is given: its parameters are of as many types as it has.
Values = dict[str, Any]


@dataclass(frozen=True)
class SpendPart:
    """What one combination of subjects cost, exactly; ``day`` only where it was asked for.

    Shape: ``key``, ``deployment`` and ``workload`` are dimensions of the series, empty where its
    meter has none.
    """

    net: Fraction
    project_id: UUID | None
    key: str
    deployment: str
    workload: str
    day: date | None


def invoiced_net(*, tenant_id: UUID, service: Period) -> Decimal:
    """The net of what was used in a period and stands on invoices; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(INVOICED, [tenant_id, service.start, service.end])
        (net,) = cursor.fetchone()
    return Decimal(net)


INVOICED = """
SELECT coalesce(sum(line.net), 0)
FROM billing_charge charge JOIN billing_invoiceline line ON line.charge_id = charge.id
WHERE charge.tenant_id = %s AND charge.service_from >= %s AND charge.service_from < %s
"""


def drafted_net(drafted: Draft, month: Period) -> Decimal:
    """The net of the draft's charges for use of one month."""
    return sum(
        (
            line.net
            for charge in drafted.charges
            if charge.key.running.month_start == month.start
            for line in charge.lines
        ),
        Decimal(0),
    )


def spend_parts(
    *, tenant_id: UUID, drafted: Draft, service: Period, by_day: bool
) -> tuple[SpendPart, ...]:
    """What was used in a period, split by project, key, deployment and work; two statements.

    Shape: a charge whose quantities cancel out has no part, since nobody used its money.
    """
    return (
        *_open_parts(drafted, service, by_day=by_day),
        *_invoiced_parts(tenant_id, service, by_day=by_day),
    )


GROUPED = """
    CASE WHEN %(by_day)s THEN (bucket.hour AT TIME ZONE %(zone)s)::date END AS day,
    series.project_id, coalesce(series.dimensions ->> 'key', '') AS key,
    coalesce(series.dimensions ->> 'deployment', '') AS deployment,
    coalesce(series.dimensions ->> 'workload', '') AS workload,
    sum(bucket.quantity)::bigint AS quantity
"""
OPEN_PARTS = f"""
SELECT segment.place, {GROUPED}
FROM unnest(%(series)s::bigint[], %(from)s::timestamptz[], %(to)s::timestamptz[],
    %(place)s::int[]) AS segment (series_id, starts_at, ends_at, place)
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.hour < %(until)s AND bucket.period_id = ANY(%(periods)s)
JOIN billing_series series ON series.id = segment.series_id
WHERE bucket.hour >= %(start)s AND bucket.hour < %(end)s
GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608 - our own text
INVOICED_PARTS = f"""
SELECT billed.net, billed.quantity, {GROUPED}
FROM (
    SELECT charge.id, charge.invoice_id, charge.quantity,
        (SELECT coalesce(sum(net), 0) FROM billing_invoiceline WHERE charge_id = charge.id) AS net
    FROM billing_charge charge
    WHERE charge.tenant_id = %(tenant)s AND charge.quantity <> 0
        AND charge.service_to > %(start)s AND charge.service_from < %(end)s
) billed
JOIN billing_chargesegment segment ON segment.charge_id = billed.id
JOIN billing_billingperiod period ON period.invoice_id = billed.invoice_id
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.period_id = period.id
JOIN billing_series series ON series.id = segment.series_id
WHERE bucket.hour >= %(start)s AND bucket.hour < %(end)s
GROUP BY billed.id, 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608 - our own text


def _open_parts(drafted: Draft, service: Period, *, by_day: bool) -> Iterator[SpendPart]:
    rates = _rates(drafted)
    places = {key: place for place, key in enumerate(rates)}
    segments = [
        part
        for part in drafted.plan.segments
        if part.charge in places and part.end > service.start and part.start < service.end
    ]
    if not segments:
        return
    values: Values = {
        **_said(service, by_day=by_day),
        "series": [part.series_id for part in segments],
        "from": [part.start for part in segments],
        "to": [part.end for part in segments],
        "place": [places[part.charge] for part in segments],
        "until": drafted.until,
        "periods": list(drafted.period_ids),
    }
    by_place = list(rates.values())
    for place, *subject, quantity in _rows(OPEN_PARTS, values):
        yield _part(by_place[place] * quantity, subject)


def _rates(drafted: Draft) -> dict[ChargeKey, Fraction]:
    """What one unit of each charge comes to."""
    return {
        charge.key: Fraction(sum((line.net for line in charge.lines), Decimal(0))) / charge.quantity
        for charge in drafted.charges
        if charge.quantity
    }


def _invoiced_parts(tenant_id: UUID, service: Period, *, by_day: bool) -> Iterator[SpendPart]:
    values: Values = {**_said(service, by_day=by_day), "tenant": tenant_id}
    for net, counted, *subject, quantity in _rows(INVOICED_PARTS, values):
        yield _part(Fraction(net) * quantity / counted, subject)


def _said(service: Period, *, by_day: bool) -> Values:
    return {
        "by_day": by_day,
        "zone": settings.CENTRE_TIME_ZONE,
        "start": service.start,
        "end": service.end,
    }


# A row of the two statements above: its columns are of as many types as it has.
def _rows(query: str, values: Values) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _part(net: Fraction, subject: Sequence[Any]) -> SpendPart:
    day, project_id, key, deployment, workload = subject
    return SpendPart(net, project_id, key, deployment, workload, day)


def in_micro(net: Fraction) -> Decimal:
    """An exact amount as rows keep it: to a millionth, half away from zero."""
    scaled = abs(net) * MICRO
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (Decimal(whole) / MICRO).copy_sign(Decimal(net.numerator or 1))


def by_subject(parts: Sequence[SpendPart]) -> dict[tuple[str, str], Fraction]:
    """The net of each subject that a budget may have, by scope and name."""
    sums: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for part in parts:
        for scope, name in (
            ("project", str(part.project_id or "")),
            ("key", part.key),
            ("deployment", part.deployment),
            ("workload", part.workload),
        ):
            if name:
                sums[scope, name] += part.net
    return sums
