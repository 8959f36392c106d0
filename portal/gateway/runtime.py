"""Everything a gateway process holds while it serves."""

from dataclasses import dataclass, field
from datetime import timedelta

from portal.gateway.background import Current
from portal.gateway.holds import Holds
from portal.gateway.limits import RateLimiter
from portal.gateway.metrics import Metrics
from portal.gateway.spool import Spool
from portal.gateway.wire import Client


@dataclass(frozen=True)
class Bounds:
    """How much one call, one key and one outage may take."""

    body_bytes: int
    requests_per_minute: int
    snapshot_age: timedelta


@dataclass(frozen=True)
class Runtime:
    """The parts of one gateway process."""

    current: Current
    spool: Spool
    client: Client
    bounds: Bounds
    metrics: Metrics = field(default_factory=Metrics)
    limiter: RateLimiter = field(default_factory=RateLimiter)
    processes: int = 1
    holds: Holds = field(init=False)

    def __post_init__(self) -> None:
        # Frozen, so set past the guard: holds belong to the snapshot this runtime serves from.
        object.__setattr__(self, "holds", Holds(self.current.in_force, self.processes))
