"""The way from a line of an invoice down to the hours and the events it was made of."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from billing.models import InvoiceLine
from common.errors import NotFound


@dataclass(frozen=True)
class LineHour:
    """One clock hour of one series behind a line."""

    hour: datetime
    series_id: int
    dimensions: dict[str, str]
    quantity: int


LINE_HOURS = """
SELECT bucket.hour, bucket.series_id, series.dimensions, sum(bucket.quantity)::bigint
FROM billing_invoiceline line
JOIN billing_chargesegment segment ON segment.charge_id = line.charge_id
JOIN billing_billingperiod period ON period.invoice_id = line.invoice_id
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.period_id = period.id
JOIN billing_series series ON series.id = bucket.series_id
WHERE line.tenant_id = %s AND line.id = %s
GROUP BY bucket.hour, bucket.series_id, series.dimensions
ORDER BY bucket.hour, bucket.series_id
"""


def line_hours(*, tenant_id: UUID, line_id: UUID) -> tuple[LineHour, ...]:
    """The hours a line's charge is the sum of. Raises: NotFound."""
    with connection.cursor() as cursor:
        cursor.execute(LINE_HOURS, [tenant_id, line_id])
        rows = cursor.fetchall()
    if not rows:
        raise NotFound
    return tuple(
        LineHour(hour, series_id, json.loads(dimensions), quantity)
        for hour, series_id, dimensions, quantity in rows
    )


@dataclass(frozen=True)
class LineEvent:
    """One event behind a line, under the identity its sender gave it.

    Shape: ``kind`` is "usage", or "correct" or "void" for the difference that one makes.
    """

    source: str
    id: str
    subject: str
    at: datetime
    quantity: int
    received_at: datetime
    kind: str
    cursor: str


# An event was counted in the period that was open for it; where that month was cut later, what was
# used from the cut on moved to the period that followed. Events of an earlier version name none.
LINE_EVENTS = """
SELECT event.source, event.event_id, event.subject, event.at, event.quantity, event.received_at,
    event.kind, event.key
FROM billing_invoiceline line
JOIN billing_chargesegment segment ON segment.charge_id = line.charge_id
JOIN billing_usageevent event ON event.series_id = segment.series_id
    AND event.at >= segment.starts_at AND event.at < segment.ends_at
WHERE line.tenant_id = %(tenant)s AND event.tenant_id = %(tenant)s AND line.id = %(line)s
    AND event.at >= %(start)s AND event.at < %(end)s
    AND (event.at, event.key) > (%(at)s, %(key)s)
    AND (event.period_id IS NULL OR EXISTS (
        SELECT FROM billing_billingperiod period
        JOIN billing_billingperiod counted ON counted.id = event.period_id
        WHERE period.invoice_id = line.invoice_id AND (
            counted.id = period.id AND date_bin('1 hour', event.at, 'epoch') < period.ends_at
            OR coalesce(counted.root_id, counted.id) = period.root_id
                AND counted.starts_at < period.starts_at
                AND date_bin('1 hour', event.at, 'epoch') >= period.starts_at
                AND date_bin('1 hour', event.at, 'epoch') < period.ends_at)))
ORDER BY event.at, event.key LIMIT %(limit)s
"""
FIRST_KEY = UUID(int=0)


def line_events(
    *, tenant_id: UUID, line_id: UUID, after: str | None = None, limit: int = 100
) -> tuple[LineEvent, ...]:
    """The events counted by a line's charge, in order of service. Raises: NotFound."""
    line = InvoiceLine.objects.filter(tenant_id=tenant_id, pk=line_id).first()
    if line is None:
        raise NotFound
    at, _, key = (after or "").partition("|")
    values: dict[str, UUID | datetime | int] = {
        "tenant": tenant_id,
        "line": line_id,
        "start": line.service_from,
        "end": line.service_to,
        # The nil key comes before every other, so the first page starts with the first event.
        "at": datetime.fromisoformat(at) if at else line.service_from,
        "key": UUID(key) if key else FIRST_KEY,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(LINE_EVENTS, values)
        rows = cursor.fetchall()
    return tuple(LineEvent(*(*row[:7], f"{row[3].isoformat()}|{row[7]}")) for row in rows)
