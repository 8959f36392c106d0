"""When a message that was not taken is tried again: pure arithmetic on given instants."""

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# After the first, second, ... failure. The tenth failure is the last.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
TRIES = len(WAITS) + 1
# A receiver may ask for patience, but not for more than the longest wait.
PATIENCE = timedelta(hours=24)
JITTER_PERCENT = 10


def next_try(
    *, message_id: str, tries: int, asked: timedelta | None, now: datetime
) -> datetime | None:
    """When to try again after the ``tries``-th failure; None when that was the last.

    Shape: the wait is stretched by up to a tenth, the same for the same message and number, so
    that messages that failed together do not come back together. What the receiver asked for by
    Retry-After holds where it is longer.
    """
    if tries >= TRIES:
        return None
    digest = hashlib.sha256(f"{message_id}:{tries}".encode()).digest()
    share = int.from_bytes(digest[:2], "big")
    wait = WAITS[tries - 1]
    wait += wait * JITTER_PERCENT // 100 * share // 2**16
    if asked is not None:
        wait = max(wait, min(asked, PATIENCE))
    return now + wait


def asked_wait(header: str, *, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for, in seconds or as a date; None where it says nothing."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), int(PATIENCE.total_seconds())))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(until - now, timedelta(0))
