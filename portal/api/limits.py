"""How often a key may ask: a fixed window of one minute, counted in the cache.

The cache is Redis where one is configured, so that all web processes count together; without one
each process counts for itself, which is exact for the embedded default's single web process.
"""

import time
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.cache import cache

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Allowance:
    """What is left of this minute; ``remaining`` is below zero for the request too many."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def is_exceeded(self) -> bool:
        return self.remaining < 0


def spend(*, key_id: UUID, requests_per_minute: int | None) -> Allowance:
    """Count one request of a key."""
    limit = requests_per_minute or settings.API_REQUESTS_PER_MINUTE
    moment = int(time.time())
    window, passed = divmod(moment, WINDOW_SECONDS)
    name = f"api-rate:{key_id}:{window}"
    cache.add(name, 0, timeout=WINDOW_SECONDS + 5)
    try:
        used = cache.incr(name)
    except ValueError:  # The cache forgot in between; the request counts as the first.
        used = 1
    return Allowance(limit, limit - used, WINDOW_SECONDS - passed)
