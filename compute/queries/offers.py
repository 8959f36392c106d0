"""Searching for cards: up to six priced offers, and why the others lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import FieldError, InvalidInput, NotFound
from common.period import Period
from compute.capacity import Step, earliest_window, fits, next_minute
from compute.models import ChipModel, Pool
from compute.queries.profiles import steps_of
from compute.queries.quotes import PoolPrice, quote_pools
from compute.queries.sale import is_sold, pools_with_sites
from tenants.permissions import Actor, Permission, require

MOST_OFFERS = 6
MOST_PETAFLOPS = Decimal(1_000_000)
SHORTEST_SECONDS = 60
LONGEST_WINDOW = timedelta(days=366 + 180)


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


@dataclass(frozen=True)
class _Priced:
    candidate: _Candidate
    offer: Offer


def find_offers(*, actor: Actor, request: OfferRequest, now: datetime) -> OfferResult:
    """Up to six offers: the exact one, the earliest, the cheapest, then other chips that fit.

    Shape: two statements for all pools together and one price quote, however many pools.
    Raises: PermissionRefused, NotFound for an actor of no tenant, InvalidInput.
    """
    require(actor, Permission.POOL_READ)
    if actor.tenant_id is None:
        raise NotFound
    _check(request, now)
    window = Period(max(request.window.start, next_minute(now)), request.window.end)
    candidates, lost = _candidates(request, window)
    priced, unpriced = _priced(actor.tenant_id, request, candidates, now)
    chosen = _choose(priced)
    shown = {offer.pool_code for offer in chosen}
    outdone = [
        Refused(one.offer.pool_code, "outdone", _("Other offers are earlier or cheaper."))
        for one in priced
        if one.offer.pool_code not in shown
    ]
    return OfferResult(offers=chosen, refused=(*lost, *unpriced, *outdone))


def _check(request: OfferRequest, now: datetime) -> None:
    faults = []
    if request.petaflops is None and request.cards < 1:
        faults.append(FieldError("/cards", "cards_out_of_range", _("Ask for at least one card.")))
    if request.petaflops is not None and not 0 < request.petaflops <= MOST_PETAFLOPS:
        faults.append(FieldError("/petaflops", "out_of_range", _("Ask for a sensible P.")))
    if request.seconds < SHORTEST_SECONDS or request.seconds % 60:
        faults.append(
            FieldError("/seconds", "not_a_minute", _("Ask for a length in whole minutes."))
        )
    earliest = max(request.window.start, next_minute(now))
    if earliest + timedelta(seconds=request.seconds) > request.window.end:
        faults.append(
            FieldError("/window", "too_short", _("The window is shorter than the time asked for."))
        )
    if request.window.end - earliest > LONGEST_WINDOW:
        faults.append(FieldError("/window", "too_long", _("The window is too long.")))
    if faults:
        raise InvalidInput(errors=faults)


def _candidates(request: OfferRequest, window: Period) -> tuple[list[_Candidate], list[Refused]]:
    """Where it could be, pool by pool: at the exact start where that fits, else the earliest."""
    pools = pools_with_sites(request.centres)
    steps = steps_of([pool.profile_id for pool in pools], window)
    candidates: list[_Candidate] = []
    lost: list[Refused] = []
    for pool in pools:
        wanted = request.chip in {None, pool.chip_id}
        if not wanted and not request.flexible:
            continue
        if not is_sold(pool):
            lost.append(Refused(pool.code, "not_sold", _("It is not for sale at present.")))
            continue
        cards = _cards(request, pool.chip)
        if cards is None:
            lost.append(Refused(pool.code, "unknown_p", _("No source states this chip's P.")))
            continue
        found = _place(pool, cards, request, window, steps[pool.profile_id], wanted=wanted)
        if isinstance(found, Refused):
            lost.append(found)
        else:
            candidates.append(found)
    return candidates, lost


def _cards(request: OfferRequest, chip: ChipModel) -> int | None:
    """How many cards make the P asked for, rounded up to whole cards."""
    if request.petaflops is None:
        return request.cards
    if not chip.petaflops:
        return None
    return int((request.petaflops / chip.petaflops).to_integral_value(ROUND_CEILING))


def _place(
    pool: Pool,
    cards: int,
    request: OfferRequest,
    window: Period,
    steps: Sequence[Step],
    *,
    wanted: bool,
) -> _Candidate | Refused:
    exact = Period(window.start, window.start + timedelta(seconds=request.seconds))
    if fits(steps, cards=cards, period=exact):
        return _Candidate(pool, cards, exact.start, exact=True, wanted=wanted)
    start = earliest_window(steps, cards=cards, seconds=request.seconds)
    if start is not None:
        return _Candidate(pool, cards, start, exact=False, wanted=wanted)
    most = max((step.free for step in steps), default=0)
    if most < cards:
        return Refused(
            pool.code,
            "too_few_cards",
            _("At most %(most)s of %(cards)s cards are free at any time in the window."),
            {"most": most, "cards": cards},
        )
    return Refused(pool.code, "never_so_long", _("The cards are never free for so long together."))


def _priced(
    tenant_id: UUID, request: OfferRequest, candidates: Sequence[_Candidate], now: datetime
) -> tuple[list[_Priced], list[Refused]]:
    quotes = quote_pools(
        tenant_id=tenant_id,
        asked=[(one.pool, one.cards) for one in candidates],
        seconds=request.seconds,
        at=now,
    )
    priced: list[_Priced] = []
    lost: list[Refused] = []
    for candidate, quoted in zip(candidates, quotes, strict=True):
        if quoted is None:
            lost.append(Refused(candidate.pool.code, "no_price", _("It has no price.")))
        elif request.budget is not None and quoted.gross > request.budget:
            lost.append(
                Refused(
                    candidate.pool.code,
                    "over_budget",
                    _("It costs %(gross)s, which is over the budget."),
                    {"gross": quoted.gross},
                )
            )
        else:
            priced.append(_Priced(candidate, _offer(candidate, quoted, request.seconds)))
    return priced, lost


def _offer(candidate: _Candidate, quoted: PoolPrice, seconds: int) -> Offer:
    pool, chip = candidate.pool, candidate.pool.chip
    return Offer(
        pool_code=pool.code,
        pool_name_en=pool.name_en,
        pool_name_zh=pool.name_zh,
        centre_code=pool.cluster.centre.code,
        chip=chip.code,
        chip_name=chip.name,
        cards=candidate.cards,
        petaflops=chip.petaflops * candidate.cards if chip.petaflops else None,
        period=Period(candidate.start, candidate.start + timedelta(seconds=seconds)),
        currency=quoted.currency,
        net=quoted.net,
        tax=quoted.tax,
        gross=quoted.gross,
    )


def _choose(priced: Sequence[_Priced]) -> tuple[Offer, ...]:
    """Exact, earliest and cheapest of what was wanted first, then other chips by price."""
    wanted = sorted((one for one in priced if one.candidate.wanted), key=_by_price)
    others = sorted((one for one in priced if not one.candidate.wanted), key=_by_price)
    labels: dict[str, list[Label]] = {}
    for label, found in (
        (Label.EXACT, next((one for one in wanted if one.candidate.exact), None)),
        (Label.EARLIEST, min(wanted, key=_by_start, default=None)),
        (Label.CHEAPEST, next(iter(wanted), None)),
    ):
        if found is not None:
            labels.setdefault(found.offer.pool_code, []).append(label)
    for one in others:
        labels.setdefault(one.offer.pool_code, [Label.OTHER_CHIP])
    for one in wanted:
        labels.setdefault(one.offer.pool_code, [])
    by_pool = {one.offer.pool_code: one.offer for one in priced}
    chosen = list(labels.items())[:MOST_OFFERS]
    return tuple(replace(by_pool[code], labels=tuple(names)) for code, names in chosen)


def _by_price(one: _Priced) -> tuple[Decimal, datetime, str]:
    return one.offer.gross, one.offer.period.start, one.offer.pool_code


def _by_start(one: _Priced) -> tuple[datetime, Decimal, str]:
    return one.offer.period.start, one.offer.gross, one.offer.pool_code
