"""The ingest statements: keys, which say what is new, then its events and buckets in key order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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


KEEP_KEYS = """
WITH fresh AS (
    INSERT INTO billing_eventkey (key, tenant_id, payload, at)
    SELECT key, %(tenant)s, payload, at FROM ({staged}) staged ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
)
SELECT place FROM ({staged}) staged WHERE key NOT IN (SELECT key FROM fresh)
"""
# Not materialised: each of its two readers reads the stage by itself, which is cheaper than a copy.
COUNT = """
WITH counted AS NOT MATERIALIZED (
    -- An hour whose own period is closed is counted in the oldest open one.
    SELECT fresh.*, coalesce(period.id, %(oldest)s) AS period_id
    FROM (
        SELECT *, date_bin('1 hour', at, 'epoch') AS hour FROM ({staged}) staged
        WHERE place <> ALL(%(known)s)
    ) fresh
    LEFT JOIN unnest(%(period)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS period (id, starts_at, ends_at) ON hour >= period.starts_at AND hour < period.ends_at
),
kept AS (
    INSERT INTO billing_usageevent
        (key, tenant_id, series_id, period_id, at, quantity, source, event_id, subject)
    SELECT key, %(tenant)s, series_id, period_id, at, quantity, source, event_id, subject
    FROM counted
)
INSERT INTO billing_usagebucket AS bucket (series_id, hour, period_id, tenant_id, quantity, events)
SELECT series_id, hour, period_id, %(tenant)s, {amount}, count(*)
FROM counted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (series_id, hour, period_id) DO UPDATE
    SET quantity = bucket.quantity + excluded.quantity, events = bucket.events + excluded.events
"""
# One look-up by key for each, as no plan that a guess about the stage could lead to.
CLASHES = """
SELECT staged.place FROM ({staged}) staged CROSS JOIN LATERAL (
    SELECT payload FROM billing_eventkey WHERE key = staged.key OFFSET 0
) known WHERE staged.payload <> known.payload
"""
FROM_TABLE = "SELECT * FROM billing_stage"
ONLY_SUMS = "sum(quantity)"
ALL_KINDS = """sum(CASE WHEN series_id = ANY(%(counts)s) THEN 1
    WHEN series_id = ANY(%(gauges)s) THEN 0 ELSE quantity END)"""
FROM_ARRAYS = """
SELECT * FROM unnest(%(key)s::uuid[], %(payload)s::uuid[], %(series)s::bigint[],
    %(at)s::timestamptz[], %(quantity)s::bigint[], %(source)s::text[], %(id)s::text[],
    %(subject)s::text[], %(place)s::int[])
    AS staged (key, payload, series_id, at, quantity, source, event_id, subject, place)
"""
STAGE = """
CREATE TEMPORARY TABLE billing_stage (
    key uuid, payload uuid, series_id bigint, at timestamptz, quantity bigint,
    source text, event_id text, subject text, place integer
) ON COMMIT DELETE ROWS;
-- One connection serves tenants and operators in turn, and each role may be the one to make it.
GRANT ALL ON billing_stage TO acp_app, acp_operator;
"""


class Known(NamedTuple):
    """The places of rows whose keys were known, and of those among them that said otherwise."""

    places: Sequence[int]
    clashes: Collection[int]


NONE_KNOWN = Known((), ())


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
) -> Known:
    """Write what is new; gives the places of those known before, which were left alone.

    Shape: ``periods`` are the open ones, in order, as ``open_periods`` has locked them; ``others``
    are the series that do not simply add up quantities.
    """
    values: dict[str, UUID | int | list[object]] = {"tenant": tenant_id, **placing(periods)}
    if others:
        additive = Aggregation.COUNT
        values["counts"] = [one.id for one in others.values() if one.aggregation is additive]
        values["gauges"] = [one.id for one in others.values() if one.aggregation is not additive]
    amount = ALL_KINDS if others else ONLY_SUMS
    staged = FROM_TABLE
    with connection.cursor() as cursor:
        if len(rows) < COPY_FROM_ROWS:
            staged = FROM_ARRAYS
            values |= _arrays(rows, numbers)
        else:
            _stage(cursor, rows, numbers)
        cursor.execute(KEEP_KEYS.format(staged=staged), values)
        values["known"] = places = [place for (place,) in cursor.fetchall()]
        if len(places) < len(rows):
            cursor.execute(COUNT.format(staged=staged, amount=amount), values)
        if not places:
            return NONE_KNOWN
        # A statement of its own: what a concurrent batch committed while ours waited for its
        # keys is not in the snapshot of the statement that waited.
        cursor.execute(CLASHES.format(staged=staged), values)
        clashes = {place for (place,) in cursor.fetchall()}
        return Known(places, clashes)


def _arrays(rows: Sequence[Staged], numbers: Mapping[UUID, int]) -> dict[str, list[object]]:
    return {
        "key": [row.key for row in rows],
        "payload": [row.payload for row in rows],
        "series": [numbers[row.series] for row in rows],
        "at": [row.event.at for row in rows],
        "quantity": [row.event.quantity for row in rows],
        "source": [row.event.source for row in rows],
        "id": [row.event.id for row in rows],
        "subject": [row.event.subject for row in rows],
        "place": list(range(len(rows))),
    }


def _stage(cursor: CursorWrapper, rows: Sequence[Staged], numbers: Mapping[UUID, int]) -> None:
    cursor.execute("SELECT to_regclass('pg_temp.billing_stage')")
    if cursor.fetchone() == (None,):
        cursor.execute(STAGE)
    else:
        # Rows of an earlier batch of this same transaction.
        cursor.execute("DELETE FROM billing_stage")
    lines = "".join(
        f"{row.key}\t{row.payload}\t{numbers[row.series]}\t{row.event.at.isoformat()}"
        f"\t{row.event.quantity}\t{row.event.source}\t{row.event.id}\t{row.event.subject}"
        f"\t{place}\n"
        for place, row in enumerate(rows)
    )
    # Tabs and line ends were refused before; the backslash is what COPY still reads specially.
    lines = lines.replace("\\", "\\\\")
    with cursor.copy("COPY billing_stage FROM STDIN") as copy:
        copy.write(lines.encode())
