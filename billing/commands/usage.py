"""Taking in usage: each event counts once, whatever is sent again, late, torn or out of order."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
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
    amount_fault,
    largest_of,
    microseconds,
    series_of,
    text_fault,
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
    statuses = [_result(event, faults.get(index)) for index, event in enumerate(events)]
    _keep_rejected(tenant_id, events, statuses, now)
    return tuple(statuses)


# What became of an event that was not accepted: its status and the code of the reason.
Fault = tuple[EventStatus, str]
DUPLICATE: Fault = (EventStatus.DUPLICATE, "")
CONFLICT: Fault = (EventStatus.CONFLICT, "other_content")


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
) -> tuple[dict[int, Fault], dict[str, Staged], dict[UUID, SeriesKey]]:
    """Sort the batch into what can be counted, by key, and what cannot, by position."""
    faults: dict[int, Fault] = {}
    staged: dict[str, Staged] = {}
    series: dict[UUID, SeriesKey] = {}
    # Most events of a batch share a handful of combinations: each is checked once.
    memo: dict[object, SeriesKey | str] = {}
    tenant_hash = hashlib.md5(tenant_id.bytes, usedforsecurity=False)
    for index, event in enumerate(events):
        fault = unreadable.get(index) or text_fault(event) or amount_fault(event, bounds)
        if fault:
            faults[index] = (EventStatus.REJECTED, fault)
            continue
        try:
            seen = (
                event.meter,
                event.project_id,
                event.price_id,
                tuple(event.dimensions.items()),
            )
            found = memo.get(seen)
        except TypeError:  # a dimension that cannot be hashed is certainly no text
            faults[index] = (EventStatus.REJECTED, "bad_dimensions")
            continue
        if found is None:
            found = memo[seen] = series_of(event, bounds)
        if isinstance(found, str):
            faults[index] = (EventStatus.REJECTED, found)
            continue
        if event.quantity > LARGEST_LEVEL and event.quantity > largest_of(found.aggregation):
            faults[index] = (EventStatus.REJECTED, "bad_quantity")
            continue
        series[found.key] = found
        row = _staged(tenant_hash, index, event, found)
        earlier = staged.setdefault(row.key, row)
        if earlier is not row:
            faults[index] = DUPLICATE if earlier.payload == row.payload else CONFLICT
    return faults, staged, series


def _staged(
    tenant_hash: "hashlib._Hash", index: int, event: UsageEvent, series: SeriesKey
) -> Staged:
    identity = tenant_hash.copy()
    identity.update(f"{event.source}\0{event.id}".encode())
    content = f"{series.key.int}|{microseconds(event.at)}|{event.quantity}|{event.subject}"
    if series.unique_by:
        content += f"|{event.dimensions[series.unique_by]}"
    payload = hashlib.md5(content.encode(), usedforsecurity=False)
    return Staged(
        position=index,
        key=identity.hexdigest(),
        payload=payload.hexdigest(),
        series=series.key,
        event=event,
    )


def _count(
    tenant_id: UUID,
    staged: dict[str, Staged],
    series: dict[UUID, SeriesKey],
    faults: dict[int, Fault],
) -> None:
    rows = list(staged.values())
    instants = [row.event.at for row in rows]
    earliest, latest = min(instants), max(instants)
    open_days(earliest, latest)
    numbers = series_ids(tenant_id, series.values())
    gauges = gauges_of(series.values(), numbers)
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


def _result(event: UsageEvent, fault: Fault | None) -> EventResult:
    status, code = fault or (EventStatus.ACCEPTED, "")
    return EventResult(event.id, event.source, status, code)


def _keep_rejected(
    tenant_id: UUID, events: Sequence[UsageEvent], results: Sequence[EventResult], now: datetime
) -> None:
    refused = keep_rejected(
        tenant_id,
        (
            Refused(event.source, event.id, result.code, vars(event))
            for event, result in zip(events, results, strict=True)
            if result.status in {EventStatus.CONFLICT, EventStatus.REJECTED}
        ),
        now,
    )
    accepted = sum(result.status is EventStatus.ACCEPTED for result in results)
    if accepted:
        UsageBatch.objects.create(
            tenant_id=tenant_id, received_at=now, accepted=accepted, rejected=refused
        )
