"""The one clock; domain arithmetic receives instants and never reads it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current instant in UTC."""
    return datetime.now(UTC)
