"""Arithmetic of capacity over time; pure, told everything it needs.

The rules and their proof by comparison are in docs/algorithms/capacity.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from common.period import Period

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Step:
    """A stretch of time in which a profile does not change. Units: whole cards."""

    period: Period
    capacity: int
    taken: int

    @property
    def free(self) -> int:
        return self.capacity - self.taken


def least_free(steps: Iterable[Step]) -> int:
    """Cards free at every instant of the steps; none where there are no steps."""
    return min((step.free for step in steps), default=0)


def peak_taken(steps: Iterable[Step]) -> int:
    """The most cards taken at any instant of the steps."""
    return max((step.taken for step in steps), default=0)


def next_minute(instant: datetime) -> datetime:
    """The instant itself on a whole minute, else the minute after it."""
    floor = instant.astimezone(UTC).replace(second=0, microsecond=0)
    return floor if floor == instant else floor + MINUTE


def windows(steps: Sequence[Step], *, cards: int, seconds: int) -> Iterator[Period]:
    """The longest stretches, in order, in which so many cards stay free for so long.

    Shape: steps are in order and touch; a gap between two of them counts as nothing free. A
    stretch starts on a whole minute, because that is where a reservation may start.
    """
    start: datetime | None = None
    end: datetime | None = None
    for step in steps:
        if start is not None and end is not None and (step.free < cards or step.period.start > end):
            yield from _long_enough(start, end, seconds)
            start = None
        if step.free >= cards:
            start = start or step.period.start
            end = step.period.end
    if start is not None and end is not None:
        yield from _long_enough(start, end, seconds)


def _long_enough(start: datetime, end: datetime, seconds: int) -> Iterator[Period]:
    start = next_minute(start)
    if start + timedelta(seconds=seconds) <= end:
        yield Period(start, end)


def earliest_window(steps: Sequence[Step], *, cards: int, seconds: int) -> datetime | None:
    """The first whole minute from which so many cards stay free for so long; None if never."""
    first = next(windows(steps, cards=cards, seconds=seconds), None)
    return first.start if first else None


def fits(steps: Sequence[Step], *, cards: int, period: Period) -> bool:
    """Whether so many cards are free throughout the period, all of which the steps cover."""
    inside = [step for step in steps if step.period.overlaps(period)]
    covered = sum(
        (part.seconds for step in inside if (part := step.period.clipped_to(period))), start=0
    )
    return covered == period.seconds and least_free(inside) >= cards


@dataclass(frozen=True)
class NodeRoom:
    """One node's cards. Units: whole cards."""

    cards: int
    free: int


def stranded(rooms: Iterable[NodeRoom], *, gang: int) -> int:
    """Free cards that a gang of this many on one node cannot use."""
    return sum(room.free for room in rooms if room.free < gang)


def largest_gang(rooms: Iterable[NodeRoom]) -> int:
    """The most cards free together on one node."""
    return max((room.free for room in rooms), default=0)
