"""The ingest statement: keys, events and buckets in one round trip, each in key order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from billing.commands.periods import OpenPeriod
from billing.meters import Aggregation
from billing.models import Series
from billing.usage import Gauge, SeriesKey, UsageEvent

# From this many rows on, a COPY into a temporary table is worth its fixed cost.
COPY_FROM_ROWS = 1_000


class Staged(NamedTuple):
    """An event that passed its checks; ``key`` and ``payload`` are MD5 in hexadecimal."""

    position: int
    key: str
    payload: str
    series: UUID
    event: UsageEvent


def open_days(earliest: datetime, latest: datetime) -> None:
    """Make the daily partitions from one instant to another that a quiet task has not made yet."""
    first = earliest.astimezone(UTC).date()
    count = (latest.astimezone(UTC).date() - first).days + 1
    days = [first + timedelta(days=number) for number in range(count)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_open_event_days(%s::date[])", [days])


def series_ids(tenant_id: UUID, wanted: Iterable[SeriesKey]) -> dict[UUID, int]:
    """The short numbers of these combinations; new ones are numbered in key order."""
    by_key = {series.key: series for series in wanted}
    rows = Series.objects.filter(tenant_id=tenant_id, key__in=by_key.keys())
    found = dict(rows.values_list("key", "pk"))
    if len(found) < len(by_key):
        Series.objects.bulk_create(
            (
                Series(
                    tenant_id=tenant_id,
                    key=series.key,
                    meter=series.meter,
                    project_id=series.project_id,
                    price_id=series.price_id,
                    dimensions=series.dimensions,
                    aggregation=series.aggregation,
                    holds_for_seconds=series.holds_for_seconds,
                )
                for key, series in sorted(by_key.items())
                if key not in found
            ),
            ignore_conflicts=True,
        )
        found = dict(rows.all().values_list("key", "pk"))
    return found


COUNT = """
WITH staged AS MATERIALIZED ({staged}),
period AS (
    SELECT * FROM unnest(%(period)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS period (id, starts_at, ends_at)
),
fresh AS (
    INSERT INTO billing_eventkey (key, tenant_id, payload, at)
    SELECT key, %(tenant)s, payload, at FROM staged ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
),
counted AS MATERIALIZED (
    -- An hour whose own period is closed is counted in the oldest open one.
    SELECT staged.*, date_bin('1 hour', at, 'epoch') AS hour,
        coalesce(period.id, %(oldest)s) AS period_id
    FROM staged JOIN fresh USING (key)
    LEFT JOIN period ON date_bin('1 hour', at, 'epoch') >= period.starts_at
        AND date_bin('1 hour', at, 'epoch') < period.ends_at
),
kept AS (
    INSERT INTO billing_usageevent
        (key, tenant_id, series_id, period_id, at, quantity, source, event_id, subject)
    SELECT key, %(tenant)s, series_id, period_id, at, quantity, source, event_id, subject
    FROM counted
),
bucketed AS (
    INSERT INTO billing_usagebucket AS bucket
        (series_id, hour, period_id, tenant_id, quantity, events)
    SELECT series_id, hour, period_id, %(tenant)s, {amount}, count(*)
    FROM counted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (series_id, hour, period_id) DO UPDATE
        SET quantity = bucket.quantity + excluded.quantity, events = bucket.events + excluded.events
)
SELECT key FROM staged WHERE key NOT IN (SELECT key FROM fresh)
"""
FROM_TABLE = "SELECT * FROM billing_stage"
ONLY_SUMS = "sum(quantity)"
ALL_KINDS = """sum(CASE WHEN series_id = ANY(%(counts)s) THEN 1
    WHEN series_id = ANY(%(gauges)s) THEN 0 ELSE quantity END)"""
FROM_ARRAYS = """
SELECT * FROM unnest(%(key)s::uuid[], %(payload)s::uuid[], %(series)s::bigint[],
    %(at)s::timestamptz[], %(quantity)s::bigint[], %(source)s::text[], %(id)s::text[],
    %(subject)s::text[])
    AS staged (key, payload, series_id, at, quantity, source, event_id, subject)
"""
STAGE = """
CREATE TEMPORARY TABLE billing_stage (
    key uuid, payload uuid, series_id bigint, at timestamptz, quantity bigint,
    source text, event_id text, subject text
) ON COMMIT DELETE ROWS;
-- One connection serves tenants and operators in turn, and each role may be the one to make it.
GRANT ALL ON billing_stage TO acp_app, acp_operator;
"""


def placing(periods: Sequence[OpenPeriod]) -> dict[str, UUID | int | list[object]]:
    """The open periods as a statement takes them, to find each hour's own."""
    return {
        "oldest": periods[0].id,
        "period": [period.id for period in periods],
        "starts": [period.starts_at for period in periods],
        "ends": [period.ends_at for period in periods],
    }


def count(
    tenant_id: UUID,
    rows: Sequence[Staged],
    numbers: Mapping[UUID, int],
    periods: Sequence[OpenPeriod],
    others: Mapping[UUID, Gauge],
) -> list[UUID]:
    """Write what is new; gives the keys that were known before, which were left alone.

    Shape: ``periods`` are the open ones, in order, as ``open_periods`` has locked them; ``others``
    are the series that do not simply add up quantities.
    """
    values: dict[str, UUID | int | list[object]] = {"tenant": tenant_id, **placing(periods)}
    if others:
        additive = Aggregation.COUNT
        values["counts"] = [one.id for one in others.values() if one.aggregation is additive]
        values["gauges"] = [one.id for one in others.values() if one.aggregation is not additive]
    amount = ALL_KINDS if others else ONLY_SUMS
    with connection.cursor() as cursor:
        if len(rows) < COPY_FROM_ROWS:
            arrays: dict[str, UUID | int | list[object]] = {
                "key": [row.key for row in rows],
                "payload": [row.payload for row in rows],
                "series": [numbers[row.series] for row in rows],
                "at": [row.event.at for row in rows],
                "quantity": [row.event.quantity for row in rows],
                "source": [row.event.source for row in rows],
                "id": [row.event.id for row in rows],
                "subject": [row.event.subject for row in rows],
            }
            cursor.execute(COUNT.format(staged=FROM_ARRAYS, amount=amount), {**values, **arrays})
        else:
            _stage(cursor, rows, numbers)
            cursor.execute(COUNT.format(staged=FROM_TABLE, amount=amount), values)
        return [key for (key,) in cursor.fetchall()]


def _stage(cursor: CursorWrapper, rows: Sequence[Staged], numbers: Mapping[UUID, int]) -> None:
    cursor.execute("SELECT to_regclass('pg_temp.billing_stage')")
    if cursor.fetchone() == (None,):
        cursor.execute(STAGE)
    else:
        # Rows of an earlier batch of this same transaction.
        cursor.execute("DELETE FROM billing_stage")
    lines = "".join(
        f"{key}\t{payload}\t{numbers[series]}\t{event.at.isoformat()}\t{event.quantity}"
        f"\t{_escaped(event.source)}\t{_escaped(event.id)}\t{_escaped(event.subject)}\n"
        for _, key, payload, series, event in rows
    )
    with cursor.copy("COPY billing_stage FROM STDIN") as copy:
        copy.write(lines.encode())


def _escaped(text: str) -> str:
    # Tabs and line ends were refused before; the backslash is what COPY still reads specially.
    return text.replace("\\", "\\\\") if "\\" in text else text
