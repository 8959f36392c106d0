"""Half-open UTC periods and their arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)


@dataclass(frozen=True, order=True)
class Period:
    """From ``start`` (included) to ``end`` (excluded), both aware; never empty.

    Raises: ValueError for naive instants and for an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("A period needs instants with a time zone.")
        if self.end <= self.start:
            raise ValueError("A period ends after it starts.")

    @property
    def seconds(self) -> int:
        """Whole seconds; instants of this product carry no smaller billed unit."""
        return int((self.end - self.start).total_seconds())

    def overlaps(self, other: "Period") -> bool:
        return self.start < other.end and other.start < self.end

    def clipped_to(self, other: "Period") -> "Period | None":
        """The common part, or None where there is none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None

    def hours(self) -> Iterator["Period"]:
        """The pieces between clock-hour boundaries, in order; the first and last may be short."""
        cursor = self.start
        while cursor < self.end:
            boundary = floor_hour(cursor) + HOUR
            yield Period(cursor, min(boundary, self.end))
            cursor = boundary


def floor_hour(instant: datetime) -> datetime:
    """The clock hour an instant lies in; hour marks agree in UTC and in China."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def month_of(instant: datetime, zone: str) -> Period:
    """The calendar month, in ``zone``, that an instant lies in."""
    local = instant.astimezone(ZoneInfo(zone))
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (start + timedelta(days=32)).replace(day=1)
    return Period(start.astimezone(UTC), following.astimezone(UTC))
