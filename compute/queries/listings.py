"""Pools and reservations as programs list them: one row with everything that is said of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from billing.queries.terms import unit_prices
from common.errors import FieldError, InvalidInput, NotFound
from common.paging import Page, in_order, newest_first
from common.period import Period
from compute.capacity import NodeRoom, Step, largest_gang, least_free
from compute.meters import SECONDS_PER_HOUR
from compute.models import Node, NodeState, Pool, Reservation
from compute.queries.offers import LONGEST_WINDOW
from compute.queries.pools import STALE_AFTER
from compute.queries.profiles import steps_of
from compute.queries.reservations import reservation as one_reservation
from compute.queries.reservations import visible_reservations
from compute.queries.sale import is_sold, pools_with_sites
from tenants.permissions import Actor, Permission, require

MOMENT = timedelta(seconds=1)
PRICE_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class PoolListing:
    """A pool as it stands now. Units: whole cards.

    Shape: ``largest_gang`` is None until its scheduler has reported nodes; ``stale`` says that the
    scheduler has not answered lately.
    """

    pool: Pool
    is_sold: bool
    capacity: int
    free: int
    largest_gang: int | None
    stale: bool


def pool_listings(
    *, actor: Actor, now: datetime, cursor: str | None = None, limit: int = 50
) -> Page[PoolListing]:
    """Every pool that is not withdrawn, by code; three statements, however many pools.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.POOL_READ)
    page = in_order(pools_with_sites(), _code, cursor=cursor, limit=limit)
    steps = steps_of([pool.profile_id for pool in page.items], Period(now, now + MOMENT))
    rooms: dict[int, list[NodeRoom]] = defaultdict(list)
    nodes = Node.objects.filter(pool__in=[pool.pk for pool in page.items])
    for pool_id, cards, allocated, state in nodes.values_list(
        "pool_id", "cards", "cards_allocated", "state"
    ):
        free = max(cards - allocated, 0) if state == NodeState.UP else 0
        rooms[pool_id].append(NodeRoom(cards, free))
    listings = (
        _pool_listing(pool, steps[pool.profile_id], rooms[pool.pk], now) for pool in page.items
    )
    return Page(tuple(listings), page.next_cursor)


def _pool_listing(
    pool: Pool, steps: Sequence[Step], rooms: Sequence[NodeRoom], now: datetime
) -> PoolListing:
    synced_at = pool.cluster.last_synced_at
    return PoolListing(
        pool=pool,
        is_sold=is_sold(pool),
        capacity=min((step.capacity for step in steps), default=0),
        free=least_free(steps),
        largest_gang=largest_gang(rooms) if rooms else None,
        stale=synced_at is None or synced_at + STALE_AFTER < now,
    )


def _code(pool: Pool) -> str:
    return pool.code


def pool_steps(*, actor: Actor, code: str, period: Period) -> Sequence[Step]:
    """What a pool has free, step by step over a period.

    Raises: PermissionRefused, InvalidInput for a period longer than a search may be, NotFound.
    """
    require(actor, Permission.POOL_READ)
    if period.end - period.start > LONGEST_WINDOW:
        text = _("The period is too long.")
        raise InvalidInput(errors=[FieldError("/ends_at", "too_long", text)])
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
    return listed(one_reservation(actor=actor, reservation_id=reservation_id))


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
