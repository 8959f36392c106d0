"""Usage for reading: by day and dimension."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.conf import settings
from django.db import connection

from common.period import Period


@dataclass(frozen=True)
class UsageRow:
    """What was used on one day of the centre's calendar. Units: base units of the meter.

    Shape: ``value`` is of the dimension asked for; ``name`` is the project's, where asked by it.
    """

    day: date
    meter: str
    value: str
    quantity: int
    events: int
    name: str = ""


# What each series of a tenant used on each day of the centre's calendar.
# A tenant's buckets lie scattered among everybody's. They are found by its series' keys, in one
# pass over their pages; joined to the series, the planner would rather read the whole table.
# An hour's day is looked up among the instants at which days start: to convert each of ten thousand
# hours takes a fifth of the whole. However long a period is asked for, only its first days are
# listed; hours after them are converted.
USED = """
WITH listed AS (
    SELECT (%(start)s AT TIME ZONE %(zone)s)::date AS first_day,
        least(%(end)s, %(start)s + interval '400 days') AS until
), calendar AS (
    SELECT first_day, until, ARRAY(
        SELECT day AT TIME ZONE %(zone)s
        FROM generate_series(first_day::timestamp, until AT TIME ZONE %(zone)s, '1 day') day
    ) AS day_starts
    FROM listed
), used AS (
    SELECT bucket.series_id,
        CASE WHEN bucket.hour < (SELECT until FROM calendar)
            THEN (SELECT first_day - 1 FROM calendar)
                + width_bucket(bucket.hour, (SELECT day_starts FROM calendar))
            ELSE (bucket.hour AT TIME ZONE %(zone)s)::date
        END AS day,
        sum(bucket.quantity) AS quantity, sum(bucket.events) AS events
    FROM billing_usagebucket bucket
    WHERE bucket.series_id = ANY (
            ARRAY(SELECT id FROM billing_series WHERE tenant_id = %(tenant)s)
        )
        AND bucket.hour >= %(start)s AND bucket.hour < %(end)s
    GROUP BY 1, 2
)
"""
BY_DAY = f"""{USED}
SELECT used.day, series.meter,
    CASE %(dimension)s WHEN '' THEN '' WHEN 'project' THEN coalesce(series.project_id::text, '')
        ELSE coalesce(series.dimensions ->> %(dimension)s, '') END AS value,
    sum(used.quantity)::bigint, sum(used.events)::bigint, coalesce(max(project.name), '')
FROM used
JOIN billing_series series ON series.id = used.series_id
LEFT JOIN tenants_project project ON project.id = series.project_id AND %(dimension)s = 'project'
WHERE (%(meter)s = '' OR series.meter = %(meter)s)
    AND (%(project)s::uuid IS NULL OR series.project_id = %(project)s)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own text


def usage_by_day(
    *,
    tenant_id: UUID,
    period: Period,
    dimension: str = "",
    meter: str = "",
    project_id: UUID | None = None,
) -> tuple[UsageRow, ...]:
    """Usage of each day, meter and value of one dimension; one statement, read from the buckets.

    Shape: ``dimension`` is one of the meter's, "project", or nothing for the total.
    """
    values: dict[str, str | datetime | UUID | None] = {
        "zone": settings.CENTRE_TIME_ZONE,
        "tenant": tenant_id,
        "start": period.start,
        "end": period.end,
        "dimension": dimension,
        "meter": meter,
        "project": project_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(BY_DAY, values)
        return tuple(UsageRow(*row) for row in cursor.fetchall())
