"""Offers.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from portal_client.calls import Call, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """``OfferOut`` of the API."""

    # "exact", "earliest", "cheapest" or "alternative".
    kind: str
    pool: str
    centre: str
    chip: str
    cards: int
    starts_at: datetime
    ends_at: datetime
    net: Decimal
    tax: Decimal
    gross: Decimal
    currency: str
    # Every reason why it is shown.
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPool:
    """``RefusedPoolOut`` of the API."""

    pool: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """``OffersOut`` of the API."""

    offers: tuple[Offer, ...]
    refused: tuple[RefusedPool, ...]


class OffersApi:
    """The operations of ``/api/v1/offers``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(
        self,
        *,
        hours: int,
        window_ends_at: datetime,
        window_starts_at: datetime,
        budget: Decimal | None = None,
        cards: int | None = None,
        centre: str | None = None,
        chip: str | None = None,
        flexible: Literal["true", "false"] | None = None,
        petaflops: Decimal | None = None,
    ) -> Offers:
        """Find up to six offers, and say why each other pool lost.

        ``budget``: The most it may cost, with tax.
        ``centre``: A centre; none named means all.
        ``chip``: A chip model; none named means any.
        ``flexible``: Show other chips as well.
        ``petaflops``: Instead of cards: so many P, whatever the chip.

        Scope: compute:pool:read.
        """
        return self._transport.answer(
            Offers,
            Call(
                "GET",
                path("offers"),
                query={
                    "hours": hours,
                    "window_ends_at": window_ends_at,
                    "window_starts_at": window_starts_at,
                    "budget": budget,
                    "cards": cards,
                    "centre": centre,
                    "chip": chip,
                    "flexible": flexible,
                    "petaflops": petaflops,
                },
            ),
        )
