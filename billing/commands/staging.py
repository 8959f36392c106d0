"""The ingest statements: keys that make an event count once, then events and buckets."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from billing.commands.periods import OpenPeriod
from billing.meters import Aggregation
from billing.models import Series
from billing.usage import Gauge, SeriesKey, UsageEvent

# From this many rows on, a COPY into a temporary table is worth its fixed cost.
COPY_FROM_ROWS = 250


class Staged(NamedTuple):
    """An event that passed its checks.

    Shape: ``key`` and ``payload`` are MD5; ``series`` is the place of its own among the batch's.
    Units: ``at`` in microseconds since 1970.
    """

    position: int
    key: bytes
    payload: bytes
    series: int
    at: int
    event: UsageEvent


def open_days(earliest: datetime, latest: datetime) -> None:
    """Make the daily partitions from one instant to another that a quiet task has not made yet."""
    first = earliest.astimezone(UTC).date()
    count = (latest.astimezone(UTC).date() - first).days + 1
    days = [first + timedelta(days=number) for number in range(count)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_open_event_days(%s::date[])", [days])


def series_ids(tenant_id: UUID, wanted: Mapping[int, SeriesKey]) -> dict[int, int]:
    """The short numbers of a batch's series, by place; new ones are numbered in key order."""
    by_key = {series.key: series for series in wanted.values()}
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
    return {place: found[series.key] for place, series in wanted.items()}


# An hour whose own period is closed is counted in the oldest open one.
IN_PERIODS = """
SELECT timed.*, coalesce(period.id, %(oldest)s) AS period_id
FROM (SELECT *, date_bin('1 hour', at, 'epoch') AS hour FROM {fresh}) timed
LEFT JOIN unnest(%(period)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS period (id, starts_at, ends_at) ON hour >= period.starts_at AND hour < period.ends_at
"""
WRITE = """
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
"""
COUNT = f"""
WITH staged AS MATERIALIZED ({{staged}}),
fresh AS (
    INSERT INTO billing_eventkey (key, tenant_id, payload, at)
    SELECT key, %(tenant)s, payload, at FROM staged ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
),
counted AS MATERIALIZED ({IN_PERIODS.format(fresh="staged JOIN fresh USING (key)")}),
{WRITE}
SELECT place FROM staged WHERE key NOT IN (SELECT key FROM fresh)
"""  # noqa: S608 - all of it is written here
# Most batches hold nothing that is known. Of a large one all keys are tried at once, and none stays
# where one of them is known; where all stay, the whole stage is counted, read where it lies.
KEEP_ALL_KEYS = "SELECT billing_keep_new_keys(%(tenant)s)"
COUNT_ALL = f"""
WITH counted AS NOT MATERIALIZED ({IN_PERIODS.format(fresh="billing_stage")}),
{WRITE}
SELECT
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


# Source: PostgreSQL manual, COPY, "Binary Format".
COPY = """
COPY billing_stage (key, payload, series_id, at, quantity, place, source, event_id, subject)
FROM STDIN (FORMAT binary)
"""
COPY_BEGINS = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_ENDS = b"\xff\xff"
COPY_PART_ROWS = 1_000
_FIXED = Struct("!h i16s i16s iq iq iq ii i")
_LENGTH = Struct("!i")
# Instants are sent in microseconds since 2000.
_UNTIL_2000 = 946_684_800_000_000


# What a statement takes, by name.
Values = dict[str, UUID | int | list[object]]


class Known(NamedTuple):
    """The places of rows whose keys were known, and of those among them that said otherwise."""

    places: Sequence[int]
    clashes: Collection[int]


NONE_KNOWN = Known((), ())


def placing(periods: Sequence[OpenPeriod]) -> Values:
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
    numbers: Mapping[int, int],
    periods: Sequence[OpenPeriod],
    others: Mapping[int, Gauge],
) -> Known:
    """Write what is new; gives the places of those known before, which were left alone.

    Shape: ``periods`` are the open ones, in order, as ``open_periods`` has locked them; ``others``
    are the series that do not simply add up quantities.
    """
    values: Values = {"tenant": tenant_id, **placing(periods)}
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
            cursor.execute(KEEP_ALL_KEYS, values)
            if cursor.fetchone() == (True,):
                cursor.execute(COUNT_ALL.format(amount=amount), values)
                return NONE_KNOWN
        cursor.execute(COUNT.format(staged=staged, amount=amount), values)
        places = [place for (place,) in cursor.fetchall()]
        if not places:
            return NONE_KNOWN
        # A statement of its own: what a concurrent batch committed while ours waited for its
        # keys is not in the snapshot of the statement that waited.
        cursor.execute(CLASHES.format(staged=staged), values)
        clashes = {place for (place,) in cursor.fetchall()}
        return Known(places, clashes)


def _arrays(rows: Sequence[Staged], numbers: Mapping[int, int]) -> dict[str, list[object]]:
    return {
        "key": [row.key.hex() for row in rows],
        "payload": [row.payload.hex() for row in rows],
        "series": [numbers[row.series] for row in rows],
        "at": [row.event.at for row in rows],
        "quantity": [row.event.quantity for row in rows],
        "source": [row.event.source for row in rows],
        "id": [row.event.id for row in rows],
        "subject": [row.event.subject for row in rows],
        "place": list(range(len(rows))),
    }


def _stage(cursor: CursorWrapper, rows: Sequence[Staged], numbers: Mapping[int, int]) -> None:
    cursor.execute("SELECT to_regclass('pg_temp.billing_stage')")
    if cursor.fetchone() == (None,):
        cursor.execute(STAGE)
    else:
        # Rows of an earlier batch of this same transaction.
        cursor.execute("DELETE FROM billing_stage")
    with cursor.copy(COPY) as copy:
        copy.write(COPY_BEGINS)
        # In parts, so that the server reads one while the next is made.
        for first in range(0, len(rows), COPY_PART_ROWS):
            copy.write(_binary(rows[first : first + COPY_PART_ROWS], numbers, first))
        copy.write(COPY_ENDS)


def _binary(rows: Sequence[Staged], numbers: Mapping[int, int], first: int) -> bytes:
    """Rows as binary COPY reads them: each the number of its columns, each column after its length.

    Shape: ``first`` is the place of the first row.
    """
    fixed, length = _FIXED.pack, _LENGTH.pack
    parts: list[bytes] = []
    for place, (_, key, payload, series, since_1970, event) in enumerate(rows, first):
        source, name, subject = event.source.encode(), event.id.encode(), event.subject.encode()
        number, at, quantity = numbers[series], since_1970 - _UNTIL_2000, event.quantity
        parts += (
            # One length and one column after the other; of the source the length alone.
            fixed(9, 16, key, 16, payload, 8, number, 8, at, 8, quantity, 4, place, len(source)),
            source,
            length(len(name)),
            name,
            length(len(subject)),
            subject,
        )
    return b"".join(parts)
