"""Searching for cards: up to six priced offers, and why the others lost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.queries.prices import PriceMissing, QuotedLine
from common.period import Period
from compute.capacity import Step, earliest_window, fits, least_free, next_minute
from compute.commands.holding import is_sold
from compute.models import Pool
from compute.queries.profiles import steps_of
from compute.queries.quotes import quote_pools

MOST_OFFERS = 6


class Label(StrEnum):
    """Why an offer is shown; one offer may be several of them at once."""

    EXACT = "exact"
    EARLIEST = "earliest"
    CHEAPEST = "cheapest"
    OTHER_CHIP = "other_chip"


@dataclass(frozen=True)
class OfferRequest:
    """What a tenant looks for.

    Shape: ``chip`` is a chip model's code, None for any; with ``petaflops`` the number of cards
    follows from each chip's own P and ``cards`` is not read. The work of ``seconds`` may start
    anywhere in ``window`` that lets it end there. ``flexible`` also shows other chips.
    """

    chip: str | None
    petaflops: Decimal | None
    cards: int
    seconds: int
    window: Period
    centres: tuple[str, ...] = ()
    budget: Decimal | None = None
    flexible: bool = True


@dataclass(frozen=True)
class Offer:
    """Cards of one pool for one period at one price. ``gross`` is what would be set aside."""

    pool_code: str
    pool_name_en: str
    pool_name_zh: str
    centre_code: str
    chip: str
    chip_name: str
    cards: int
    petaflops: Decimal | None
    period: Period
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A pool that lost, with a stable code and a sentence."""

    pool_code: str
    code: str
    reason: str | Promise
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.reason) % self.params if self.params else str(self.reason)


@dataclass(frozen=True)
class OfferResult:
    offers: tuple[Offer, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True)
class _Candidate:
    pool: Pool
    cards: int
    start: datetime
    exact: bool
    wanted: bool


def find_offers(*, tenant_id: UUID, request: OfferRequest, now: datetime) -> OfferResult:
    """Up to six offers: the exact one, the earliest, the cheapest, then other chips that fit.

    Shape: two statements for all pools together and one price quote, however many pools.
    """
    window = Period(max(request.window.start, next_minute(now)), request.window.end)
    candidates, refused = _candidates(request, window)
    offers, unpriced = _priced(tenant_id, request, candidates, now)
    within, over = _within_budget(offers, request.budget)
    chosen = _choose(within)
    lost = [_outdone(offer) for offer in within if offer not in chosen]
    return OfferResult(
        offers=tuple(offer for offer, _candidate in chosen),
        refused=(*refused, *unpriced, *over, *lost),
    )
