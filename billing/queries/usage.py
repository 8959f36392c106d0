"""Usage for reading: by day and dimension, and what was not counted."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from billing.models import RejectedEvent
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


BY_DAY = """
SELECT (bucket.hour AT TIME ZONE %(zone)s)::date AS day, series.meter,
    CASE %(dimension)s WHEN '' THEN '' WHEN 'project' THEN coalesce(series.project_id::text, '')
        ELSE coalesce(series.dimensions ->> %(dimension)s, '') END AS value,
    sum(bucket.quantity)::bigint, sum(bucket.events)::bigint,
    coalesce(max(project.name), '')
FROM billing_usagebucket bucket
JOIN billing_series series ON series.id = bucket.series_id
LEFT JOIN tenants_project project ON project.id = series.project_id AND %(dimension)s = 'project'
WHERE bucket.tenant_id = %(tenant)s AND bucket.hour >= %(start)s AND bucket.hour < %(end)s
    AND (%(meter)s = '' OR series.meter = %(meter)s)
    AND (%(project)s::uuid IS NULL OR series.project_id = %(project)s)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


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


@dataclass(frozen=True)
class RejectedRow:
    """An event that was not counted, with the code of the reason."""

    source: str
    id: str
    code: str
    payload: object
    received_at: datetime
    cursor: str


def rejected_events(
    *, tenant_id: UUID, after: str | None = None, limit: int = 50
) -> tuple[RejectedRow, ...]:
    """What a tenant's senders should look at, newest first."""
    rows = RejectedEvent.objects.filter(tenant_id=tenant_id)
    if after:
        received, _, row_id = after.partition("|")
        at = datetime.fromisoformat(received)
        rows = rows.filter(Q(received_at__lt=at) | Q(received_at=at, pk__lt=UUID(row_id)))
    return tuple(
        RejectedRow(
            source=row.source,
            id=row.event_id,
            code=row.code,
            payload=row.payload,
            received_at=row.received_at,
            cursor=f"{row.received_at.isoformat()}|{row.pk}",
        )
        for row in rows.order_by("-received_at", "-pk")[:limit]
    )
