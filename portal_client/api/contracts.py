"""Contracts.

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
class Term:
    """``TermOut`` of the API."""

    id: UUID
    # discount, price, minimum or commitment.
    kind: str
    # Empty is every meter.
    meter: str
    # Empty is every SKU.
    sku: str
    dimensions: Mapping[str, str]
    # Of the list price.
    discount_percent: Decimal | None
    model: str
    # Net.
    unit_price: Decimal | None
    unit_quantity: int | None
    tiers: tuple[Tier, ...]
    # Net, to be reached in each interval.
    amount: Decimal | None
    # month or term.
    interval: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """``ContractOut`` of the API."""

    id: UUID
    number: str
    title: str
    # active or ended.
    state: str
    currency: str
    starts_at: datetime
    ends_at: datetime
    terms: tuple[Term, ...]


class ContractsApi:
    """The operations of ``/api/v1/contracts``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Contract]:
        """List the contracts that were agreed, with their terms, by number.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:contract:read.
        """
        return self._transport.pages(
            Contract, Call("GET", path("contracts"), query={"limit": limit}), cursor
        )
