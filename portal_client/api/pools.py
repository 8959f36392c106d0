"""Pools.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """``ChipOut`` of the API."""

    code: str
    vendor: str
    model: str
    memory_gb: int | None
    # Dense FP16, of one card.
    petaflops: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOffer:
    """``ClassOfferOut`` of the API."""

    # "on_demand", "shared" or "urgent".
    service_class: str
    # Net, for one card for an hour.
    card_hour: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``StepOut`` of the API."""

    starts_at: datetime
    ends_at: datetime
    capacity: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAvailability:
    """``PoolAvailabilityOut`` of the API."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """``PoolOut`` of the API."""

    code: str
    name: str
    centre: str
    cluster: str
    chip: Chip
    is_sold: bool
    capacity_cards: int
    free_cards: int
    # The most cards free together on one node.
    largest_gang: int | None
    # When its scheduler last answered.
    as_of: datetime | None
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolServiceClasses:
    """``PoolServiceClassesOut`` of the API."""

    service_classes: tuple[ClassOffer, ...]


class PoolsApi:
    """The operations of ``/api/v1/pools``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Pool]:
        """List the pools, by code, as they stand now.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: compute:pool:read.
        """
        return self._transport.pages(
            Pool, Call("GET", path("pools"), query={"limit": limit}), cursor
        )

    def get_availability(
        self, code: str, *, ends_at: datetime, starts_at: datetime
    ) -> PoolAvailability:
        """Show the pool's steps: the free cards change only where one ends and another begins.

        Scope: compute:pool:read.
        """
        return self._transport.answer(
            PoolAvailability,
            Call(
                "GET",
                path("pools", code, "availability"),
                query={"ends_at": ends_at, "starts_at": starts_at},
            ),
        )

    def get_service_classes(self, code: str) -> PoolServiceClasses:
        """Show the service classes a pool offers outside reservations, with their prices.

        Scope: compute:pool:read.
        """
        return self._transport.answer(
            PoolServiceClasses, Call("GET", path("pools", code, "service-classes"))
        )
