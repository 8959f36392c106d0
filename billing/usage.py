"""The usage event: what a measuring app or a tenant's program reports, and how it is checked.

Pure: nothing here knows the database or the clock.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from billing.meters import Aggregation, Meter

LARGEST_QUANTITY = 10**15
# A level is multiplied by the seconds it holds.
LARGEST_LEVEL = 10**12
CLOCK_SKEW = timedelta(minutes=5)
LONGEST_SOURCE = 100
LONGEST_ID = 200
LONGEST_SUBJECT = 200
LONGEST_DIMENSION = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Control characters and halves of surrogate pairs: neither is text a person wrote.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class UsageEvent:
    """One measured fact. ``(source, id)`` is its identity for ever, within the tenant.

    Units: ``quantity`` in whole base units of the meter.
    Shape: ``subject`` says what was used ("compute.workload:<id>"); ``price_id`` honours a price
    quoted before, otherwise the price in force at ``at`` counts.
    """

    source: str
    id: str
    meter: str
    subject: str
    at: datetime
    quantity: int
    dimensions: Mapping[str, str]
    project_id: UUID | None = None
    price_id: UUID | None = None


class EventStatus(StrEnum):
    """What became of one event of a batch."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"


class EventResult(NamedTuple):
    """``code`` says why an event was not accepted."""

    id: str
    source: str
    status: EventStatus
    code: str = ""


class SeriesKey(NamedTuple):
    """The combination an event is counted under; ``key`` is the same in every process."""

    key: UUID
    meter: str
    project_id: UUID | None
    price_id: UUID | None
    dimensions: dict[str, str]
    aggregation: Aggregation = Aggregation.SUM
    holds_for_seconds: int = 0
    unique_by: str = ""


class Gauge(NamedTuple):
    """A series by its short number, and how its events make up its hours."""

    id: int
    aggregation: Aggregation
    holds_for_seconds: int = 0


def largest_of(aggregation: Aggregation) -> int:
    """The largest quantity one event of such a meter may say."""
    return LARGEST_LEVEL if aggregation is Aggregation.TIME_WEIGHTED else LARGEST_QUANTITY


@dataclass(frozen=True)
class Bounds:
    """What a batch is checked against: loaded once, before its first event."""

    meters: Mapping[str, Meter]
    projects: Collection[UUID]
    price_meters: Mapping[UUID, str]
    own_project: UUID | None
    now: datetime
    # What an operator lets in although it is late; None where each meter's own limit holds.
    earliest: datetime | None = None

    @cached_property
    def latest(self) -> datetime:
        return self.now + CLOCK_SKEW

    @cached_property
    def oldest(self) -> Mapping[str, datetime]:
        """From when on each meter's events are taken."""
        return {
            code: self.earliest or self.now - meter.latest_accepted
            for code, meter in self.meters.items()
        }

    @cached_property
    def surely_recent(self) -> datetime:
        """From when on the events of every meter are taken."""
        return max(self.oldest.values(), default=self.now)


def is_text(value: object, longest: int, *, least: int = 1) -> bool:
    """Whether a value is text of a sane length without control characters."""
    if not isinstance(value, str) or not least <= len(value) <= longest:
        return False
    return value.isprintable() or _NOT_TEXT.search(value) is None


def faults_of(events: Sequence[UsageEvent], bounds: Bounds) -> dict[int, str]:
    """By position, the codes of what is wrong with events' names, quantities and times."""
    if _are_plain(events, bounds):
        return {}
    return {
        index: fault
        for index, event in enumerate(events)
        if (fault := text_fault(event) or amount_fault(event, bounds))
    }


def _are_plain(events: Sequence[UsageEvent], bounds: Bounds) -> bool:
    """Whether no event can be at fault; where not, each is to be looked at.

    Most batches are plain, and judging them column by column takes half the time.
    """
    if not events:
        return True
    sources = [event.source for event in events]
    ids = [event.id for event in events]
    subjects = [event.subject for event in events]
    quantities = [event.quantity for event in events]
    instants = [event.at for event in events]
    return (
        {*map(type, sources), *map(type, ids), *map(type, subjects)} == {str}
        and "".join([*sources, *ids, *subjects]).isprintable()
        and _lie_within(1, {*map(len, sources)}, LONGEST_SOURCE)
        and _lie_within(1, {*map(len, ids)}, LONGEST_ID)
        and _lie_within(0, {*map(len, subjects)}, LONGEST_SUBJECT)
        and {*map(type, quantities)} == {int}
        and _lie_within(0, quantities, LARGEST_LEVEL)
        and {*map(type, instants)} == {datetime}
        and None not in {at.tzinfo for at in instants}
        and bounds.surely_recent <= min(instants)
        and max(instants) <= bounds.latest
    )


def _lie_within(least: int, values: Collection[int], most: int) -> bool:
    return least <= min(values) and max(values) <= most


def text_fault(event: UsageEvent) -> str:
    """The code of what is wrong with an event's names, or nothing."""
    if not is_text(event.source, LONGEST_SOURCE):
        return "bad_source"
    if not is_text(event.id, LONGEST_ID):
        return "bad_id"
    if not is_text(event.subject, LONGEST_SUBJECT, least=0):
        return "bad_subject"
    return ""


def amount_fault(event: UsageEvent, bounds: Bounds) -> str:
    """The code of what is wrong with an event's quantity or time, or nothing."""
    quantity = event.quantity
    if type(quantity) is not int or not 0 <= quantity <= LARGEST_QUANTITY:
        return "bad_quantity"
    at = event.at
    if not isinstance(at, datetime) or at.tzinfo is None:
        return "bad_time"
    oldest = bounds.oldest.get(event.meter)
    if oldest is not None and at < oldest:
        return "too_old"
    if at > bounds.latest:
        return "in_future"
    return ""


def series_of(event: UsageEvent, bounds: Bounds) -> SeriesKey | str:
    """What the event is counted under, or the code of what is wrong with it."""
    meter = bounds.meters.get(event.meter)
    if meter is None:
        return "unknown_meter"
    dimensions = dict(event.dimensions)
    if dimensions.keys() != meter.event_dimensions:
        return "bad_dimensions"
    if not all(is_text(value, LONGEST_DIMENSION, least=0) for value in dimensions.values()):
        return "bad_dimensions"
    project = event.project_id or bounds.own_project
    if project is not None and project not in bounds.projects:
        return "unknown_project"
    if bounds.own_project is not None and project != bounds.own_project:
        return "unknown_project"
    price = event.price_id
    if price is not None and bounds.price_meters.get(price) != event.meter:
        return "unknown_price"
    if meter.unique_by:
        del dimensions[meter.unique_by]
    said: list[object] = [
        event.meter,
        str(project or ""),
        str(price or ""),
        sorted(dimensions.items()),
    ]
    hold = int(meter.holds_for.total_seconds())
    if meter.aggregation is not Aggregation.SUM:
        # A meter that comes to count in another way starts series of its own.
        said += [meter.aggregation.value, hold, meter.unique_by]
    digest = hashlib.md5(json.dumps(said, ensure_ascii=False).encode(), usedforsecurity=False)
    return SeriesKey(
        UUID(bytes=digest.digest()),
        event.meter,
        project,
        price,
        dimensions,
        meter.aggregation,
        hold,
        meter.unique_by,
    )


def microseconds(at: datetime) -> int:
    """An instant as a whole number, for a fingerprint that no time zone changes."""
    return (at - _EPOCH) // _MICROSECOND


def identity(tenant_id: UUID, source: str, event_id: str) -> UUID:
    """The key under which an event counts once, for ever."""
    said = tenant_id.bytes + f"{source}\0{event_id}".encode()
    return UUID(bytes=hashlib.md5(said, usedforsecurity=False).digest())
