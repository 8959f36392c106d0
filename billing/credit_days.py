"""When credits begin and end: days of the centre's calendar, kept as half-open instants."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def start_of_day(day: date, zone: str) -> datetime:
    """The first instant of a day of the centre."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))


def end_of_day(day: date, zone: str) -> datetime:
    """The first instant after a day of the centre: valid to 23:59:59 is "before this"."""
    return start_of_day(day + timedelta(days=1), zone)


def last_day(expires_at: datetime, zone: str) -> date:
    """The last day of the centre on which something that ends at this instant is valid."""
    return (expires_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def day_of(instant: datetime, zone: str) -> date:
    """The centre's day an instant lies in."""
    return instant.astimezone(ZoneInfo(zone)).date()


def days_left(expires_at: datetime, now: datetime, zone: str) -> int:
    """Whole days of the centre's calendar from today to the last valid day."""
    return (last_day(expires_at, zone) - day_of(now, zone)).days
