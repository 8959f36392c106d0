"""Standing.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from portal_client.calls import Call, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """``DeadlinesOut`` of the API."""

    on_demand_freeze_at: datetime
    on_demand_release_at: datetime
    reserved_freeze_at: datetime
    reserved_release_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``StandingOut`` of the API."""

    state: str
    since: datetime | None
    may_create: bool
    # Which classes of work are stopped: "on_demand", "reserved".
    frozen: tuple[str, ...]
    deadline: datetime | None
    deadlines: Deadlines | None
    amount_needed: Decimal
    currency: str
    daily_spend: Decimal
    days_left: Decimal | None
    exempt_until: datetime | None


class StandingApi:
    """The operations of ``/api/v1/standing``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Standing:
        """Show the standing with its deadlines and the amount that clears it.

        Scope: billing:wallet:read.
        """
        return self._transport.answer(Standing, Call("GET", path("standing")))
