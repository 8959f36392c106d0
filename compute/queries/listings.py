"""Pools and reservations as programs list them: one row with everything that is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.queries.terms import unit_prices
from common.errors import NotFound
from common.paging import Page, in_order, newest_first
from common.period import Period
from compute.capacity import Step
from compute.meters import SECONDS_PER_HOUR
from compute.models import ChipModel, Pool, Reservation
from compute.queries.pools import PoolRow, availability, placements
from compute.queries.profiles import steps_of
from compute.queries.reservations import visible_reservations
from compute.queries.sale import pools_with_sites
from tenants.permissions import Actor, Permission, require

MOMENT = timedelta(seconds=1)
PRICE_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class PoolListing:
    """A pool as it stands now. Units: whole cards.

    Shape: ``largest_gang`` is None until its scheduler has reported nodes.
    """

    row: PoolRow
    chip: ChipModel
    largest_gang: int | None


def pool_listings(
    *, actor: Actor, now: datetime, cursor: str | None = None, limit: int = 50
) -> Page[PoolListing]:
    """Every pool on offer, by code; five statements, however many pools.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.POOL_READ)
    chips = {pool.code: pool.chip for pool in pools_with_sites()}
    gangs = {one.pool_code: one.largest_gang if one.cards else None for one in placements(gangs=())}
    listings = [
        PoolListing(row, chips[row.code], gangs.get(row.code))
        for row in availability(period=Period(now, now + MOMENT), now=now)
        if row.code in chips
    ]
    return in_order(listings, _code, cursor=cursor, limit=limit)


def _code(listing: PoolListing) -> str:
    return listing.row.code


def pool_steps(*, actor: Actor, code: str, period: Period) -> Sequence[Step]:
    """What a pool has free, step by step over a period. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.POOL_READ)
    pool = Pool.objects.filter(code=code, withdrawn_at=None).first()
    if pool is None:
        raise NotFound
    return steps_of([pool.profile_id], period)[pool.profile_id]


@dataclass(frozen=True)
class ReservationListing:
    """A reservation with what one card costs an hour, net, at the price it was quoted."""

    reservation: Reservation
    unit_price: Decimal


def reservation_listings(
    *, actor: Actor, cursor: str | None = None, limit: int = 50
) -> Page[ReservationListing]:
    """Reservations, the latest first; two statements. Raises: PermissionRefused, InvalidInput."""
    page = newest_first(visible_reservations(actor), cursor=cursor, limit=limit)
    return Page(_with_prices(page.items), page.next_cursor)


def reservation_listing(*, actor: Actor, reservation_id: UUID) -> ReservationListing:
    """One reservation. Raises: PermissionRefused, NotFound."""
    found = visible_reservations(actor).filter(pk=reservation_id).first()
    if found is None:
        raise NotFound
    return listed(found)


def listed(reservation: Reservation) -> ReservationListing:
    """A reservation that a command has just given, as it is listed."""
    return _with_prices([reservation])[0]


def _with_prices(reservations: Sequence[Reservation]) -> tuple[ReservationListing, ...]:
    terms = unit_prices({reservation.price_id for reservation in reservations})
    return tuple(
        ReservationListing(
            reservation,
            (
                terms[reservation.price_id].unit_price
                * SECONDS_PER_HOUR
                / terms[reservation.price_id].unit_quantity
            ).quantize(PRICE_PLACES),
        )
        for reservation in reservations
    )
