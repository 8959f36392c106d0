"""How old the answer of a scheduler is, as pages say it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

STALE_AFTER = timedelta(minutes=2)


class Scheduler(Protocol):
    """What is remembered of a scheduler's answers."""

    last_synced_at: datetime | None


@dataclass(frozen=True)
class Freshness:
    """``as_of`` is the last complete answer; ``stale`` says that the next one is overdue."""

    as_of: datetime | None
    stale: bool


def freshness(scheduler: Scheduler, now: datetime) -> Freshness:
    as_of = scheduler.last_synced_at
    return Freshness(as_of, stale=as_of is None or as_of + STALE_AFTER < now)
