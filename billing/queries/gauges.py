"""What hours come to whose events do not simply add up, in SQL; see docs/algorithms/metering.md.

Each target reads two relations that its reader puts before it: ``hour (series_id, hour)``, what is
asked for, and ``effective (series_id, holds, at, source, event_id, subject, quantity)``, the events
that count, with the quantity their last correction left. It gives (series_id, hour, quantity).
Of two samples at one instant the one whose source and id come later, byte by byte, is the later.
"""

from django.conf import settings

from billing.meters import Aggregation

# A voided event is none; a corrected one says what its last correction says.
LAST_SAID = """
    SELECT DISTINCT ON (corrects) corrects, kind, after FROM billing_correction {where}
    ORDER BY corrects, number DESC
"""
MAX = """
SELECT series_id, date_bin('1 hour', at, 'epoch') AS hour, max(quantity) AS quantity
FROM effective GROUP BY 1, 2
"""
LATEST = """
SELECT DISTINCT ON (series_id, date_bin('1 hour', at, 'epoch'))
    series_id, date_bin('1 hour', at, 'epoch') AS hour, quantity
FROM effective
ORDER BY 1, 2, at DESC, source COLLATE "C" DESC, event_id COLLATE "C" DESC
"""
# Exact to the microsecond, and cut to whole units once an hour.
TIME_WEIGHTED = """
SELECT hour.series_id, hour.hour,
    floor(sum(held.quantity::numeric * extract(epoch FROM
        least(held.ends, hour.hour + interval '1 hour') - greatest(held.starts, hour.hour)
    )))::bigint AS quantity
FROM hour JOIN (
    SELECT series_id, quantity, at AS starts,
        least(at + holds, lead(at) OVER (
            PARTITION BY series_id, subject
            ORDER BY at, source COLLATE "C", event_id COLLATE "C")) AS ends
    FROM effective
) held ON held.series_id = hour.series_id
    AND held.starts < hour.hour + interval '1 hour' AND held.ends > hour.hour
GROUP BY 1, 2
"""
# Here ``subject`` is the value that is counted, and the reader gives whole months.
UNIQUE = """
SELECT series_id, date_bin('1 hour', first_at, 'epoch') AS hour, count(*) AS quantity
FROM (
    SELECT series_id, min(at) AS first_at FROM effective
    GROUP BY series_id, subject, date_trunc('month', at, '{zone}')
) value GROUP BY 1, 2
"""
TARGETS = {
    Aggregation.MAX: MAX,
    Aggregation.LATEST: LATEST,
    Aggregation.TIME_WEIGHTED: TIME_WEIGHTED,
    Aggregation.UNIQUE: UNIQUE,
}
EVENTS = """
    SELECT event.series_id, series.holds_for_seconds * interval '1 second' AS holds,
        event.at, event.source, event.event_id, event.subject,
        coalesce(said.after, event.quantity) AS quantity
    FROM billing_usageevent event
    JOIN billing_series series ON series.id = event.series_id
    LEFT JOIN ({last_said}) said ON said.corrects = event.key
    WHERE event.kind = 'usage' AND said.kind IS DISTINCT FROM 'void' {where}
"""
VALUES = """
    SELECT event.series_id, interval '0' AS holds, event.at, event.value AS subject
    FROM billing_eventvalue event
    JOIN billing_series series ON series.id = event.series_id
    LEFT JOIN ({last_said}) said ON said.corrects = event.key
    WHERE said.kind IS DISTINCT FROM 'void' {where}
"""


def effective(aggregation: Aggregation, *, where: str = "", corrected: str = "") -> str:
    """The events that count, narrowed by ``where``, and by ``corrected`` among corrections."""
    events = VALUES if aggregation is Aggregation.UNIQUE else EVENTS
    return events.format(last_said=LAST_SAID.format(where=corrected), where=where)


def target(aggregation: Aggregation) -> str:
    """What the asked hours come to; months are the centre's."""
    return TARGETS[aggregation].format(zone=settings.CENTRE_TIME_ZONE)


MISMATCHES = """
WITH effective AS ({effective}),
booked AS (
    SELECT bucket.series_id, hour, sum(quantity) AS quantity
    FROM billing_usagebucket bucket JOIN billing_series series ON series.id = bucket.series_id
    WHERE series.aggregation = '{aggregation}' GROUP BY 1, 2
),
hour AS (
    SELECT series_id, hour FROM booked
    UNION SELECT series_id,
        generate_series(date_bin('1 hour', at, 'epoch'), at + holds, interval '1 hour')
    FROM effective
),
target AS ({target})
SELECT coalesce(target.series_id, booked.series_id)::text,
    coalesce(target.hour, booked.hour)::text, target.quantity::text, booked.quantity::text
FROM target FULL JOIN booked ON booked.series_id = target.series_id AND booked.hour = target.hour
WHERE coalesce(target.quantity, 0) <> coalesce(booked.quantity, 0)
"""


def mismatches(aggregation: Aggregation) -> str:
    """The hours of all such series whose buckets differ from their events; none is right."""
    where = f"AND series.aggregation = '{aggregation.value}'"
    return MISMATCHES.format(
        aggregation=aggregation.value,
        effective=effective(aggregation, where=where),
        target=target(aggregation),
    )
