"""Working hours out anew whose events do not simply add up: max, latest, unique, time-weighted.

The hours a change touches are computed from all of their events, and the difference to what is
booked goes into the open period. So what comes late, in another order or is taken back ends at the
same figures, and after an invoice becomes a correction by itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.commands.periods import OpenPeriod
from billing.commands.staging import Staged, placing
from billing.meters import Aggregation
from billing.models import EventValue
from billing.queries.gauges import TARGETS, effective, target
from billing.usage import Gauge, SeriesKey
from common.period import HOUR, floor_hour, month_of


class Touched(NamedTuple):
    """An event that came or was corrected: what it changes lies in the hours from and to here."""

    series: Gauge
    at: datetime

    @property
    def since(self) -> datetime:
        if self.series.aggregation is Aggregation.UNIQUE:
            return month_of(self.at, settings.CENTRE_TIME_ZONE).start
        return floor_hour(self.at)

    @property
    def until(self) -> datetime:
        """The last instant that it can change."""
        if self.series.aggregation is Aggregation.UNIQUE:
            return month_of(self.at, settings.CENTRE_TIME_ZONE).end - HOUR
        return self.at + timedelta(seconds=self.series.holds_for_seconds)


def gauges_of(series: Mapping[int, SeriesKey], numbers: Mapping[int, int]) -> dict[int, Gauge]:
    """The series of a batch that do not simply add up quantities, by their places in it."""
    return {
        place: Gauge(numbers[place], one.aggregation, one.holds_for_seconds)
        for place, one in series.items()
        if one.aggregation is not Aggregation.SUM
    }


def lock_series(tenant_id: UUID, gauges: Iterable[Gauge]) -> None:
    """Have these series alone until the transaction ends, in the order of their numbers.

    Additive ones need no lock. To be called before any key or bucket of the batch is written.
    """
    numbers = sorted({gauge.id for gauge in gauges if not gauge.aggregation.is_additive})
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('billing.series:' || id, 0)) "
                "FROM (SELECT unnest(%s::bigint[]) AS id ORDER BY 1) one",
                [numbers],
            )


def gauge_events(
    tenant_id: UUID,
    rows: Sequence[Staged],
    series: Mapping[int, SeriesKey],
    gauges: Mapping[int, Gauge],
    periods: Sequence[OpenPeriod],
) -> None:
    """Work out anew what these events, just counted, have changed."""
    values = [
        EventValue(
            key=UUID(bytes=row.key),
            tenant_id=tenant_id,
            series_id=gauges[row.series].id,
            at=row.event.at,
            value=row.event.dimensions[unique_by],
        )
        for row in rows
        if (unique_by := series[row.series].unique_by)
    ]
    EventValue.objects.bulk_create(values)
    touched = [Touched(gauges[row.series], row.event.at) for row in rows if row.series in gauges]
    recompute(tenant_id, touched, periods)


BOOK = """
WITH hour AS (
    SELECT DISTINCT touched.series_id, hour.hour
    FROM unnest(%(series)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[])
        AS touched (series_id, since, until)
    CROSS JOIN generate_series(since, until, interval '1 hour') AS hour (hour)
),
effective AS ({effective}),
target AS ({target}),
booked AS (
    SELECT series_id, hour, sum(bucket.quantity) AS quantity
    FROM billing_usagebucket bucket JOIN hour USING (series_id, hour) GROUP BY 1, 2
),
moved AS (
    SELECT hour.series_id, hour.hour,
        coalesce(target.quantity, 0) - coalesce(booked.quantity, 0) AS difference
    FROM hour LEFT JOIN target ON target.series_id = hour.series_id AND target.hour = hour.hour
    LEFT JOIN booked ON booked.series_id = hour.series_id AND booked.hour = hour.hour
)
INSERT INTO billing_usagebucket AS bucket (series_id, hour, period_id, tenant_id, quantity, events)
SELECT series_id, hour, coalesce(period.id, %(oldest)s), %(tenant)s, difference, 0
FROM moved LEFT JOIN unnest(%(period)s::bigint[], %(starts)s::timestamptz[],
    %(ends)s::timestamptz[]) AS period (id, starts_at, ends_at)
    ON hour >= period.starts_at AND hour < period.ends_at
WHERE difference <> 0 ORDER BY 1, 2, 3
ON CONFLICT (series_id, hour, period_id) DO UPDATE
    SET quantity = bucket.quantity + excluded.quantity
"""
# Bounds as values, not as columns, let whole days be left unread.
NEAR = "AND event.series_id = ANY(%(series)s) AND event.at >= %(from)s AND event.at < %(to)s"
CORRECTED = "WHERE series_id = ANY(%(series)s)"


def recompute(tenant_id: UUID, touched: Collection[Touched], periods: Sequence[OpenPeriod]) -> None:
    """Book the difference between what the touched hours come to and what is booked of them.

    Locks: none of its own: the caller holds the series alone, as ``lock_series`` gives them.
    """
    for aggregation in TARGETS:
        spans = {
            (one.series.id, one.since, floor_hour(one.until))
            for one in touched
            if one.series.aggregation is aggregation
        }
        if not spans:
            continue
        hold = max(
            one.series.holds_for_seconds for one in touched if one.series.aggregation is aggregation
        )
        rows = sorted(spans)
        values = {
            "tenant": tenant_id,
            **placing(periods),
            "series": [series for series, _, _ in rows],
            "since": [since for _, since, _ in rows],
            "until": [until for _, _, until in rows],
            "from": min(since for _, since, _ in rows) - timedelta(seconds=hold),
            "to": max(until for _, _, until in rows) + HOUR,
        }
        statement = BOOK.format(
            effective=effective(aggregation, where=NEAR, corrected=CORRECTED),
            target=target(aggregation),
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
