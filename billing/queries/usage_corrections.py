"""Counted events by their identity, as their corrections left them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from billing.corrections import Corrected
from billing.meters import Aggregation
from billing.models import Correction, EventKey
from billing.usage import Gauge, identity, largest_of
from common.errors import NotFound
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class Found:
    """A counted event: where it stands, and what its corrections made of it."""

    key: UUID
    series: Gauge
    at: datetime
    subject: str
    period_id: int | None
    state: Corrected

    @property
    def largest(self) -> int:
        return largest_of(self.series.aggregation)


@dataclass(frozen=True)
class EventTold:
    """One counted event with what was said of it since, the oldest first.

    Units: quantities in base units of ``meter``; ``quantity`` is what it came to.
    """

    source: str
    id: str
    meter: str
    subject: str
    at: datetime
    first_quantity: int
    quantity: int
    is_void: bool
    corrections: tuple[Correction, ...]


def counted_event(*, actor: Actor, tenant_id: UUID, source: str, event_id: str) -> EventTold:
    """The event that a sender named so; four statements. Raises: PermissionRefused, NotFound.

    Shape: a correction is no event here, though it has an identity of its own.
    """
    require(actor, Permission.USAGE_READ, tenant_id)
    key = identity(tenant_id, source, event_id)
    found = found_events(tenant_id=tenant_id, keys=[key]).get(key)
    if found is None or actor.project_id not in (None, found.state.project_id):
        raise NotFound
    said = Correction.objects.filter(tenant_id=tenant_id, corrects=key).order_by("number")
    corrections = tuple(said)
    state = found.state
    return EventTold(
        source=source,
        id=event_id,
        meter=state.meter,
        subject=found.subject,
        at=found.at,
        first_quantity=corrections[0].before if corrections else state.quantity,
        quantity=state.quantity,
        is_void=state.is_void,
        corrections=corrections,
    )


# Exact instants lead to one day each, and there through the index of series and time.
EVENTS = """
SELECT event.key, event.at, event.subject, event.period_id, event.quantity, series.id,
    series.meter, series.project_id, series.aggregation, series.holds_for_seconds
FROM billing_usageevent event JOIN billing_series series ON series.id = event.series_id
WHERE event.tenant_id = %(tenant)s AND series.tenant_id = %(tenant)s AND event.kind = 'usage'
    AND event.key = ANY(%(keys)s) {placed}
"""


def found_events(*, tenant_id: UUID, keys: Collection[UUID]) -> dict[UUID, Found]:
    """The events under these keys; corrections are no events to be corrected."""
    known = dict(
        EventKey.objects.filter(tenant_id=tenant_id, key__in=keys).values_list("key", "at")
    )
    if not known:
        return {}
    # A key of before instants were kept leads nowhere: its event is looked for everywhere.
    is_placed = None not in known.values()
    with connection.cursor() as cursor:
        cursor.execute(
            EVENTS.format(placed="AND event.at = ANY(%(ats)s)" if is_placed else ""),
            {"tenant": tenant_id, "keys": list(known), "ats": list(known.values())},
        )
        rows = cursor.fetchall()
    last = {
        row.corrects: row
        for row in Correction.objects.filter(tenant_id=tenant_id, corrects__in=known).order_by(
            "number"
        )
    }
    found = {}
    for key, at, subject, period_id, quantity, series_id, meter, project_id, *kind in rows:
        state = Corrected(key, series_id, meter, project_id, quantity)
        link = last.get(key)
        if link is not None:
            state = Corrected(
                key,
                series_id,
                meter,
                project_id,
                link.after,
                number=link.number,
                is_void=link.kind == "void",
            )
        series = Gauge(series_id, Aggregation(kind[0]), kind[1])
        found[key] = Found(key, series, at, subject, period_id, state)
    return found
