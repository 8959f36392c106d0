"""Requests per minute of each key, counted in this process."""

import math
from dataclasses import dataclass
from uuid import UUID

FULL_AGAIN_SECONDS = 60.0
# Buckets of keys that went quiet are dropped once so many have gathered.
KEPT = 10_000


@dataclass
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """A bucket for each key: as many at once as a minute allows, refilled evenly.

    Each gateway process counts by itself, so a key's bound is its rate times the processes.
    """

    def __init__(self) -> None:
        self._buckets: dict[UUID, _Bucket] = {}

    def take(self, key_id: UUID, per_minute: int, at: float) -> int:
        """Take one request; 0 where it was free, else the whole seconds until the next is.

        Units: ``at`` is monotonic seconds.
        """
        bucket = self._buckets.get(key_id)
        if bucket is None:
            if len(self._buckets) >= KEPT:
                self._drop_quiet(at)
            bucket = self._buckets[key_id] = _Bucket(tokens=float(per_minute), at=at)
        rate = per_minute / FULL_AGAIN_SECONDS
        bucket.tokens = min(float(per_minute), bucket.tokens + (at - bucket.at) * rate)
        bucket.at = at
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0
        return max(1, math.ceil((1.0 - bucket.tokens) / rate)) if rate else 60

    def _drop_quiet(self, at: float) -> None:
        quiet = [key for key, b in self._buckets.items() if at - b.at >= FULL_AGAIN_SECONDS]
        for key in quiet:
            del self._buckets[key]
