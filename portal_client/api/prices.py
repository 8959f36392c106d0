"""Prices.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from portal_client.api.shared import Tier
from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """``PriceOut`` of the API."""

    id: UUID
    sku: str
    title: str
    meter: str
    # What it is the price of.
    dimensions: Mapping[str, str]
    # How the month's total is priced: flat, graduated, volume, package or spot.
    model: str
    currency: str
    # Net.
    unit_price: Decimal
    # How many of the meter's base units the price is for.
    unit_quantity: int
    tiers: tuple[Tier, ...]
    # What the list asks, net.
    list_unit_price: Decimal
    list_unit_quantity: int
    # The contract that makes the price; empty for the list's.
    contract_number: str


class PricesApi:
    """The operations of ``/api/v1/prices``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, at: datetime | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Pages[Price]:
        """List the tenant's prices in force, by SKU; the most specific one counts.

        ``at``: In force then; now by default.
        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:price:read.
        """
        return self._transport.pages(
            Price, Call("GET", path("prices"), query={"at": at, "limit": limit}), cursor
        )
