"""Credits.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """``CreditOut`` of the API."""

    id: UUID
    code: str
    # package, voucher or promo.
    kind: str
    state: str
    title: str
    funder: str
    mode: str
    # Money with tax; a package's in its unit.
    face: Decimal
    remaining: Decimal
    unit: str
    # What a package covers; empty for money.
    meter: str
    dimensions: Mapping[str, str]
    scope: str
    scope_values: tuple[str, ...]
    # The most of one line, where its cards are domestic.
    share_domestic: Decimal
    share_other: Decimal
    effective_at: datetime
    # The last day it is valid on, by the centre's calendar.
    last_day: date | None


class CreditsApi:
    """The operations of ``/api/v1/credits``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Credit]:
        """List the credits, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:wallet:read.
        """
        return self._transport.pages(
            Credit, Call("GET", path("credits"), query={"limit": limit}), cursor
        )
