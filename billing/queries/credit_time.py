"""How much of something was used within a credit's time, counted from the bucket hours."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from common.period import floor_hour


class Stretch(NamedTuple):
    """Hours of one series, from the first to before the last."""

    series_id: int
    start: datetime
    end: datetime


def clipped(stretches: Sequence[Stretch], lower: datetime, upper: datetime | None) -> list[Stretch]:
    """The parts between two instants; the hour a credit begins in is its own."""
    first = floor_hour(lower)
    parts = [
        Stretch(
            one.series_id, max(one.start, first), one.end if upper is None else min(one.end, upper)
        )
        for one in stretches
    ]
    return [part for part in parts if part.start < part.end]


SUMS = """
SELECT stretch.place, sum(bucket.quantity)::bigint
FROM unnest(%(series)s::bigint[], %(start)s::timestamptz[], %(end)s::timestamptz[],
    %(place)s::int[]) AS stretch (series_id, starts_at, ends_at, place)
JOIN billing_usagebucket bucket ON bucket.series_id = stretch.series_id
    AND bucket.hour >= stretch.starts_at AND bucket.hour < stretch.ends_at
    AND bucket.hour < %(until)s AND bucket.period_id = ANY(%(periods)s)
GROUP BY stretch.place
"""


def sums(
    groups: Sequence[Sequence[Stretch]], period_ids: Sequence[int], until: datetime
) -> list[int]:
    """What was used in each group of stretches, in order; one statement."""
    flat = [(place, one) for place, group in enumerate(groups) for one in group]
    found = dict.fromkeys(range(len(groups)), 0)
    if flat:
        values: dict[str, list[object] | datetime] = {
            "place": [place for place, _ in flat],
            "series": [one.series_id for _, one in flat],
            "start": [one.start for _, one in flat],
            "end": [one.end for _, one in flat],
            "until": until,
            "periods": list(period_ids),
        }
        with connection.cursor() as cursor:
            cursor.execute(SUMS, values)
            found.update(cursor.fetchall())
    return [found[place] for place in range(len(groups))]
