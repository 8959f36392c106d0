"""Taking in usage: each event counts once, whatever is sent again, late, torn or out of order."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from billing import meters
from billing.commands.gauging import gauge_events, gauges_of, lock_series
from billing.commands.periods import open_periods
from billing.commands.rejected import Refused, keep_rejected
from billing.commands.staging import Staged, count, open_days, series_ids
from billing.models import Price, UsageBatch
from billing.usage import (
    LARGEST_LEVEL,
    Bounds,
    EventResult,
    EventStatus,
    SeriesKey,
    UsageEvent,
    faults_of,
    largest_of,
    microseconds,
    series_of,
)
from tenants.models import Project
from tenants.permissions import Actor, Permission, require

NOTHING: Mapping[int, str] = MappingProxyType({})

__all__ = ["EventResult", "EventStatus", "UsageEvent", "record_usage"]


@transaction.atomic
def record_usage(
    *,
    actor: Actor,
    tenant_id: UUID,
    events: Sequence[UsageEvent],
    now: datetime,
    unreadable: Mapping[int, str] = NOTHING,
) -> tuple[EventResult, ...]:
    """Count a batch of events, each on its own: one bad event never fails the others.

    Shape: one result per event, in order. An event seen before is a duplicate, the same id with
    other content a conflict; neither changes anything. What is not counted and not a duplicate is
    kept as a rejected event. ``unreadable`` names by position what the caller could not make out,
    with the code of the reason.
    Locks: the tenant's billing periods, shared; then series, keys and buckets, each in key order,
    so batches never wait in a circle.
    Raises: PermissionRefused.
    Idempotent: by (tenant, source, id), for ever.
    """
    require(actor, Permission.USAGE_INGEST, tenant_id)
    return take_in(actor=actor, tenant_id=tenant_id, events=events, now=now, unreadable=unreadable)


def take_in(
    *,
    actor: Actor,
    tenant_id: UUID,
    events: Sequence[UsageEvent],
    now: datetime,
    unreadable: Mapping[int, str] = NOTHING,
    earliest: datetime | None = None,
) -> tuple[EventResult, ...]:
    """What ``record_usage`` does for those who may; ``earliest`` stands in for meters' limits."""
    bounds = _bounds(actor, tenant_id, events, now, earliest)
    faults, staged, series = _checked(tenant_id, events, bounds, unreadable)
    if staged:
        _count(tenant_id, staged, series, faults)
    _keep_rejected(tenant_id, events, faults, now)
    return tuple(
        EventResult(event.id, event.source, *faults.get(index, ACCEPTED))
        for index, event in enumerate(events)
    )


# What became of an event: its status, and the code of the reason where it was not accepted.
Outcome = tuple[EventStatus, str]
ACCEPTED: Outcome = (EventStatus.ACCEPTED, "")
DUPLICATE: Outcome = (EventStatus.DUPLICATE, "")
CONFLICT: Outcome = (EventStatus.CONFLICT, "other_content")


class Combination(NamedTuple):
    """What all events share that are counted alike.

    Shape: ``place`` is that of their series among the batch's; ``payload`` is the MD5 of what they
    say, begun with the series.
    """

    place: int
    series: SeriesKey
    payload: "hashlib._Hash"


def _bounds(
    actor: Actor,
    tenant_id: UUID,
    events: Sequence[UsageEvent],
    now: datetime,
    earliest: datetime | None,
) -> Bounds:
    """Load what the batch refers to: two look-ups, and none where it refers to nothing."""
    projects = {event.project_id for event in events if event.project_id is not None}
    if actor.project_id is not None:
        projects.add(actor.project_id)
    prices = {event.price_id for event in events if event.price_id is not None}
    known_projects = Project.objects.filter(tenant_id=tenant_id, pk__in=projects)
    known_prices = Price.objects.filter(pk__in=prices)
    return Bounds(
        meters=meters.declared(),
        projects=frozenset(known_projects.values_list("pk", flat=True)) if projects else (),
        price_meters=dict(known_prices.values_list("pk", "meter")) if prices else {},
        own_project=actor.project_id,
        now=now,
        earliest=earliest,
    )


def _checked(
    tenant_id: UUID, events: Sequence[UsageEvent], bounds: Bounds, unreadable: Mapping[int, str]
) -> tuple[dict[int, Outcome], Sequence[Staged], Mapping[int, SeriesKey]]:
    """Sort the batch into what can be counted, with its series, and what cannot, by position."""
    faults = {
        index: (EventStatus.REJECTED, code)
        for index, code in {**faults_of(events, bounds), **unreadable}.items()
    }
    staged: dict[bytes, Staged] = {}
    series: dict[UUID, Combination] = {}
    # Most events of a batch share a handful of combinations: each is checked once.
    memo: dict[object, Combination | str] = {}
    tenant_hash = hashlib.md5(tenant_id.bytes, usedforsecurity=False)
    for index, event in enumerate(events):
        if index in faults:
            continue
        try:
            seen = (event.meter, event.project_id, event.price_id, *event.dimensions.items())
            found = memo.get(seen)
        except TypeError:  # a dimension that cannot be hashed is certainly no text
            faults[index] = (EventStatus.REJECTED, "bad_dimensions")
            continue
        if found is None:
            found = memo[seen] = _combination(event, bounds, series)
        if isinstance(found, str):
            faults[index] = (EventStatus.REJECTED, found)
            continue
        if event.quantity > LARGEST_LEVEL and event.quantity > largest_of(found.series.aggregation):
            faults[index] = (EventStatus.REJECTED, "bad_quantity")
            continue
        row = _staged(tenant_hash, index, event, found)
        earlier = staged.setdefault(row.key, row)
        if earlier is not row:
            faults[index] = DUPLICATE if earlier.payload == row.payload else CONFLICT
    used = {row.series for row in staged.values()}
    counted = {one.place: one.series for one in series.values() if one.place in used}
    return faults, [*staged.values()], counted


def _combination(
    event: UsageEvent, bounds: Bounds, known: dict[UUID, Combination]
) -> Combination | str:
    """What the event is counted under, added to those known; or the code of what is wrong."""
    found = series_of(event, bounds)
    if isinstance(found, str):
        return found
    if found.key not in known:
        payload = hashlib.md5(f"{found.key.int}|".encode(), usedforsecurity=False)
        known[found.key] = Combination(len(known), found, payload)
    return known[found.key]


def _staged(
    tenant_hash: "hashlib._Hash", index: int, event: UsageEvent, combination: Combination
) -> Staged:
    identity = tenant_hash.copy()
    identity.update(f"{event.source}\0{event.id}".encode())
    at = microseconds(event.at)
    payload = combination.payload.copy()
    payload.update(f"{at}|{event.quantity}|{event.subject}".encode())
    if unique_by := combination.series.unique_by:
        payload.update(f"|{event.dimensions[unique_by]}".encode())
    return Staged(index, identity.digest(), payload.digest(), combination.place, at, event)


def _count(
    tenant_id: UUID,
    rows: Sequence[Staged],
    series: Mapping[int, SeriesKey],
    faults: dict[int, Outcome],
) -> None:
    instants = [row.event.at for row in rows]
    earliest, latest = min(instants), max(instants)
    open_days(earliest, latest)
    numbers = series_ids(tenant_id, series)
    gauges = gauges_of(series, numbers)
    hold = max((gauge.holds_for_seconds for gauge in gauges.values()), default=0)
    periods = open_periods(tenant_id, earliest, latest + timedelta(seconds=hold))
    if gauges:
        lock_series(tenant_id, gauges.values())
    known = count(tenant_id, rows, numbers, periods, gauges)
    for place in known.places:
        faults[rows[place].position] = CONFLICT if place in known.clashes else DUPLICATE
    if gauges:
        fresh = [row for row in rows if row.position not in faults]
        gauge_events(tenant_id, fresh, series, gauges, periods)


def _keep_rejected(
    tenant_id: UUID, events: Sequence[UsageEvent], faults: Mapping[int, Outcome], now: datetime
) -> None:
    refused = keep_rejected(
        tenant_id,
        (
            Refused(events[index].source, events[index].id, code, vars(events[index]))
            for index, (status, code) in sorted(faults.items())
            if status is not EventStatus.DUPLICATE
        ),
        now,
    )
    accepted = len(events) - len(faults)
    if accepted:
        UsageBatch.objects.create(
            tenant_id=tenant_id, received_at=now, accepted=accepted, rejected=refused
        )
