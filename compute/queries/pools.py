"""What pools have free, hour by hour, and how well they are used."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import NotFound
from common.period import HOUR, Period
from compute.capacity import NodeRoom, Step, largest_gang, least_free, stranded
from compute.models import Claim, ClaimKind, Node, NodeState, Pool
from compute.queries.profiles import steps_of
from compute.queries.sale import is_sold, pools_with_sites
from tenants.scoping import operator_scope

# Shown as stale when its scheduler has not answered for so long.
STALE_AFTER = timedelta(minutes=2)
MOST_CELLS = 400


@dataclass(frozen=True)
class PoolRow:
    """One pool as lists show it. Units: whole cards; ``petaflops`` of one card."""

    code: str
    name_en: str
    name_zh: str
    centre_code: str
    cluster_code: str
    chip: str
    chip_name: str
    petaflops: Decimal | None
    sold: bool
    capacity: int
    free: int
    synced_at: datetime | None
    stale: bool


@dataclass(frozen=True)
class Cell:
    """One square of the heat map: the fewest cards free in it, of how many."""

    period: Period
    capacity: int
    free: int


@dataclass(frozen=True)
class HeatRow:
    pool_code: str
    name_en: str
    name_zh: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Share:
    """One of the four numbers; None with a reason where nothing measures it."""

    cards: int | None
    of: int
    reason: str | Promise = ""

    @property
    def ratio(self) -> Decimal | None:
        if self.cards is None or self.of == 0:
            return None
        return Decimal(self.cards) / Decimal(self.of)


@dataclass(frozen=True)
class FourNumbers:
    """Sold, allocated, used and effective, never mixed up. Units: whole cards."""

    pool_code: str
    sold: Share
    allocated: Share
    used: Share
    effective: Share


@dataclass(frozen=True)
class Placement:
    """What free cards are worth to work that needs several on one node.

    Shape: ``stranded`` by gang size: how many free cards a gang of that many cannot use.
    """

    pool_code: str
    cards: int
    free: int
    unknown: int
    largest_gang: int
    stranded: Mapping[int, int] = field(default_factory=dict)


def availability(
    *, period: Period, now: datetime, centres: Sequence[str] = ()
) -> tuple[PoolRow, ...]:
    """Every pool with what is free throughout a period; two statements."""
    pools = pools_with_sites(centres)
    steps = steps_of([pool.profile_id for pool in pools], period)
    return tuple(_row(pool, steps[pool.profile_id], now) for pool in pools)


def _row(pool: Pool, steps: Sequence[Step], now: datetime) -> PoolRow:
    synced_at = pool.cluster.last_synced_at
    return PoolRow(
        code=pool.code,
        name_en=pool.name_en,
        name_zh=pool.name_zh,
        centre_code=pool.cluster.centre.code,
        cluster_code=pool.cluster.code,
        chip=pool.chip_id,
        chip_name=pool.chip.name,
        petaflops=pool.chip.petaflops,
        sold=is_sold(pool),
        capacity=min((step.capacity for step in steps), default=0),
        free=least_free(steps),
        synced_at=synced_at,
        stale=synced_at is None or synced_at + STALE_AFTER < now,
    )


def pool_row(*, code: str, period: Period, now: datetime) -> PoolRow:
    """One pool. Raises: NotFound."""
    found = [pool for pool in pools_with_sites() if pool.code == code]
    if not found:
        raise NotFound
    return _row(found[0], steps_of([found[0].profile_id], period)[found[0].profile_id], now)


def heat_map(
    *, period: Period, cell: timedelta = HOUR, centres: Sequence[str] = ()
) -> tuple[HeatRow, ...]:
    """The fewest cards free in each hour (or day) of each pool; two statements.

    Raises: ValueError for more squares than a page can show.
    """
    squares = _squares(period, cell)
    pools = pools_with_sites(centres)
    steps = steps_of([pool.profile_id for pool in pools], period)
    return tuple(
        HeatRow(pool.code, pool.name_en, pool.name_zh, _cells(steps[pool.profile_id], squares))
        for pool in pools
    )


@dataclass(frozen=True)
class Board:
    """Pools as lists show them and their heat map, read together."""

    rows: tuple[PoolRow, ...]
    heat: tuple[HeatRow, ...]


def board(*, period: Period, cell: timedelta, now: datetime) -> Board:
    """Every pool with its squares over a period; two statements.

    Raises: ValueError for more squares than a page can show.
    """
    squares = _squares(period, cell)
    pools = pools_with_sites()
    steps = steps_of([pool.profile_id for pool in pools], period)
    return Board(
        rows=tuple(_row(pool, steps[pool.profile_id], now) for pool in pools),
        heat=tuple(
            HeatRow(
                pool.code,
                pool.name_en,
                pool.name_zh,
                _cells(ahead(steps[pool.profile_id], now), squares),
            )
            for pool in pools
        ),
    )


def ahead(steps: Sequence[Step], now: datetime) -> tuple[Step, ...]:
    """What is still to come: a square that has begun shows what can be had of it."""
    return tuple(step for step in steps if step.period.end > now)


def _squares(period: Period, cell: timedelta) -> list[Period]:
    count = -(-(period.end - period.start) // cell)
    if count > MOST_CELLS:
        raise ValueError("Too many squares for one heat map.")
    starts = [period.start + cell * index for index in range(count)]
    return [Period(start, min(start + cell, period.end)) for start in starts]


def _cells(steps: Sequence[Step], squares: Sequence[Period]) -> tuple[Cell, ...]:
    """Both lists are in order, so one walk along them is enough."""
    cells = []
    first = 0
    for square in squares:
        while first < len(steps) and steps[first].period.end <= square.start:
            first += 1
        inside = []
        for step in steps[first:]:
            if step.period.start >= square.end:
                break
            inside.append(step)
        capacity = min((step.capacity for step in inside), default=0)
        cells.append(Cell(square, capacity, least_free(inside)))
    return tuple(cells)


def four_numbers(*, now: datetime, centres: Sequence[str] = ()) -> tuple[FourNumbers, ...]:
    """Sold, allocated, used and effective cards of each pool now; four statements.

    Shape: for the operators, because it looks at every tenant's claims.
    """
    pools = pools_with_sites(centres)
    steps = steps_of([pool.profile_id for pool in pools], Period(now, now + timedelta(seconds=1)))
    by_pool = _taken_by_kind(now)
    nodes = {
        row["pool"]: row
        for row in Node.objects.values("pool").annotate(
            allocated=Sum("cards_allocated"), seen=Max("observed_at")
        )
    }
    return tuple(
        _four(pool, _capacity(steps[pool.profile_id]), by_pool, nodes.get(pool.pk))
        for pool in pools
    )


def _capacity(steps: Sequence[Step]) -> int:
    return max((step.capacity for step in steps), default=0)


def _taken_by_kind(now: datetime) -> Mapping[tuple[int, str], int]:
    with operator_scope():
        rows = (
            Claim.objects.filter(during__contains=now, profile__pool__isnull=False)
            .values_list("profile_id", "kind")
            .annotate(cards=Sum("cards"))
        )
        return {(profile_id, kind): cards for profile_id, kind, cards in rows}


def _four(
    pool: Pool,
    capacity: int,
    taken: Mapping[tuple[int, str], int],
    node: Mapping[str, object] | None,
) -> FourNumbers:
    sold = taken.get((pool.profile_id, ClaimKind.RESERVATION), 0)
    sold += taken.get((pool.profile_id, ClaimKind.WORKLOAD), 0)
    capacity -= taken.get((pool.profile_id, ClaimKind.MAINTENANCE), 0)
    if node is None or node["seen"] is None:
        allocated = Share(None, capacity, _("The scheduler has not reported its nodes yet."))
    else:
        allocated = Share(int(str(node["allocated"])), capacity)
    return FourNumbers(
        pool_code=pool.code,
        sold=Share(sold, capacity),
        allocated=allocated,
        used=Share(None, capacity, _("No probe measures how busy the cards are.")),
        effective=Share(
            None, allocated.cards or 0, _("It needs the measured use, which is not known.")
        ),
    )


def placements(*, gangs: Sequence[int] = (1, 2, 4, 8)) -> tuple[Placement, ...]:
    """Free, stranded and placeable cards of each pool as its scheduler sees them; two statements.

    Shape: only nodes that take work count as free; cards of nodes nobody has heard of are
    ``unknown``, counted apart.
    """
    rooms: dict[int, list[NodeRoom]] = defaultdict(list)
    unknown: dict[int, int] = defaultdict(int)
    rows = Node.objects.values_list("pool_id", "cards", "cards_allocated", "state")
    for pool_id, cards, allocated, state in rows.iterator(chunk_size=5000):
        if state == NodeState.UNKNOWN:
            unknown[pool_id] += cards
        elif state == NodeState.UP:
            rooms[pool_id].append(NodeRoom(cards, max(cards - allocated, 0)))
        else:
            rooms[pool_id].append(NodeRoom(cards, 0))
    return tuple(
        _placement(pool, rooms[pool.pk], unknown[pool.pk], gangs) for pool in pools_with_sites()
    )


def _placement(
    pool: Pool, rooms: Sequence[NodeRoom], unknown: int, gangs: Sequence[int]
) -> Placement:
    return Placement(
        pool_code=pool.code,
        cards=sum(room.cards for room in rooms) + unknown,
        free=sum(room.free for room in rooms),
        unknown=unknown,
        largest_gang=largest_gang(rooms),
        stranded={gang: stranded(rooms, gang=gang) for gang in gangs},
    )
