"""The order in which credits pay: pure, deterministic, the same for a draft and for its issue.

The page docs/algorithms/credits.md explains the order with worked figures. Packages and
reservations have covered their quantities and discounts have lowered the prices before money is
looked at; what is left after this module is paid by the wallet, and then owed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from billing.money import FEN
from billing.origins import DOMESTIC

VOUCHER, PROMO, PACKAGE = "voucher", "promo", "package"
_KINDS = {VOUCHER: 0, PROMO: 1}
_WIDTHS = {"sku": 0, "meter": 1, "service": 2, "any": 3}
ALL = Fraction(1)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LotFact:
    """A credit as the order needs it. Units: money with tax; a package's in base units.

    Shape: ``family`` is the scheme, or the lot itself where it has none: the share of a line is
    the family's, however many lots of it there are.
    """

    id: UUID
    kind: str
    remaining: Decimal
    effective_at: datetime
    expires_at: datetime | None
    family: UUID
    priority: int = 50
    scope: str = "any"
    scope_values: tuple[str, ...] = ()
    excluded_services: tuple[str, ...] = ()
    eligible_pools: tuple[str, ...] = ()
    project_id: UUID | None = None
    share_domestic: Decimal = Decimal(1)
    share_other: Decimal = Decimal(1)
    min_spend: Decimal = Decimal(0)
    is_stackable: bool = True
    meter: str = ""
    match: Mapping[str, str] = field(default_factory=dict)

    def share_of(self, origin: str) -> Decimal:
        return self.share_domestic if origin == DOMESTIC else self.share_other


@dataclass(frozen=True)
class LineFact:
    """A line of money as the order needs it. Units: ``gross`` in money with tax."""

    id: UUID
    position: int
    meter: str
    sku: str
    service: str
    project_id: UUID | None
    dimensions: Mapping[str, str]
    origin: str
    gross: Decimal
    service_from: datetime
    service_to: datetime


@dataclass(frozen=True)
class Payment:
    """What one lot pays of one line; ``sequence`` is its place in the whole order."""

    lot_id: UUID
    line_id: UUID
    sequence: int
    amount: Decimal
    share: Decimal
    origin: str


def in_order(lots: Iterable[LotFact]) -> list[LotFact]:
    """Vouchers before promotional credit; inside, the one that would be lost first pays first."""
    return sorted(lots, key=_rank)


def _rank(lot: LotFact) -> tuple[int, int, int, bool, datetime, Decimal, UUID]:
    return (
        _KINDS.get(lot.kind, 0),
        lot.priority,
        _WIDTHS[lot.scope],
        lot.project_id is None,
        lot.expires_at or NEVER,
        lot.remaining,
        lot.id,
    )


def eligible(lot: LotFact, line: LineFact) -> bool:
    """Whether a lot may pay for a line at all: its scope, its exclusions, its time of service."""
    if line.service_to <= lot.effective_at:
        return False
    if lot.expires_at is not None and line.service_from >= lot.expires_at:
        return False
    if lot.project_id is not None and lot.project_id != line.project_id:
        return False
    if line.service in lot.excluded_services:
        return False
    if lot.eligible_pools and line.dimensions.get("pool", "") not in lot.eligible_pools:
        return False
    said = {"sku": line.sku, "meter": line.meter, "service": line.service}
    return lot.scope == "any" or said[lot.scope] in lot.scope_values


def crossing(lots: Iterable[LotFact], lines: Sequence[LineFact]) -> list[tuple[LotFact, LineFact]]:
    """The pairs of which only part of the service lies in the lot's time."""
    return [
        (lot, line)
        for lot in lots
        for line in lines
        if eligible(lot, line)
        and (
            line.service_from < lot.effective_at
            or (lot.expires_at is not None and line.service_to > lot.expires_at)
        )
    ]


def payable(lines: Sequence[LineFact]) -> dict[UUID, Decimal]:
    """What each line asks for once negative lines have been set off against their likes.

    A line that takes back money lowers first the lines of its own SKU and project, then those of
    its meter, then any, in the order they stand; so the sum is the invoice's, or nothing.
    """
    left = {line.id: max(line.gross, Decimal(0)) for line in lines}
    for taken in (line for line in lines if line.gross < 0):
        owed = -taken.gross
        for alike in (_same_sku, _same_meter, _any_line):
            for line in lines:
                part = min(owed, left[line.id]) if alike(taken, line) else Decimal(0)
                left[line.id] -= part
                owed -= part
    return left


def _same_sku(one: LineFact, other: LineFact) -> bool:
    return (one.sku, one.project_id) == (other.sku, other.project_id)


def _same_meter(one: LineFact, other: LineFact) -> bool:
    return one.meter == other.meter


def _any_line(one: LineFact, other: LineFact) -> bool:
    return True


@dataclass
class _Line:
    """A line while it is being paid."""

    fact: LineFact
    asked: Decimal
    left: Decimal
    by_family: dict[UUID, Decimal] = field(default_factory=dict)
    voucher_family: UUID | None = None
    is_closed: bool = False

    def room(self, lot: LotFact, within: Fraction) -> Decimal:
        """The most this lot may pay here, in whole fen, never more than its share."""
        if lot.kind == VOUCHER and self._refuses(lot):
            return Decimal(0)
        share = Fraction(lot.share_of(self.fact.origin)) * within
        most = _floor_fen(Fraction(self.asked) * share)
        paid = self.by_family.get(lot.family, Decimal(0))
        return max(min(most - paid, self.left, lot.remaining), Decimal(0))

    def _refuses(self, lot: LotFact) -> bool:
        """A voucher that does not stack stands alone on a line."""
        if self.voucher_family in (None, lot.family):
            return False
        return self.is_closed or not lot.is_stackable

    def pay(self, lot: LotFact, amount: Decimal) -> None:
        self.left -= amount
        self.by_family[lot.family] = self.by_family.get(lot.family, Decimal(0)) + amount
        if lot.kind == VOUCHER:
            self.voucher_family = lot.family
            self.is_closed = self.is_closed or not lot.is_stackable


def _floor_fen(amount: Fraction) -> Decimal:
    return Decimal(amount.numerator * 100 // amount.denominator) * FEN


def pay(
    lines: Sequence[LineFact],
    lots: Iterable[LotFact],
    within: Mapping[tuple[UUID, UUID], Fraction] | None = None,
) -> tuple[Payment, ...]:
    """What each lot pays of each line.

    Shape: ``within`` gives, by (lot, line), the part of a line's quantity that was used in the
    lot's time, for the pairs that ``crossing`` names; every other pair is whole.
    """
    parts = within or {}
    asked = payable(lines)
    open_lines = [
        _Line(line, asked[line.id], asked[line.id])
        for line in sorted(lines, key=lambda line: line.position)
        if asked[line.id] > 0
    ]
    payments: list[Payment] = []
    for lot in in_order(lots):
        fitting = [line for line in open_lines if eligible(lot, line.fact)]
        if sum((line.asked for line in fitting), Decimal(0)) < lot.min_spend:
            continue
        left = lot.remaining
        for line in fitting:
            amount = min(line.room(lot, parts.get((lot.id, line.fact.id), ALL)), left)
            if amount <= 0:
                continue
            line.pay(lot, amount)
            left -= amount
            origin = line.fact.origin
            share = lot.share_of(origin)
            payments.append(Payment(lot.id, line.fact.id, len(payments) + 1, amount, share, origin))
    return tuple(payments)


@dataclass(frozen=True)
class Covered:
    """What one package covers of one quantity."""

    lot_id: UUID
    quantity: int


def cover(
    lots: Iterable[LotFact],
    *,
    meter: str,
    dimensions: Mapping[str, str],
    project_id: UUID | None,
    service_from: datetime,
    service_to: datetime,
    quantity: int,
    left: Mapping[UUID, int],
) -> tuple[Covered, ...]:
    """Which packages cover how much of a quantity, before it is priced.

    Shape: ``left`` is what each package still has; the caller lowers it between quantities.
    """
    covered: list[Covered] = []
    for lot in in_order(lots):
        fits = (
            lot.kind == PACKAGE
            and lot.meter == meter
            and lot.match.items() <= dimensions.items()
            and lot.project_id in (None, project_id)
            and service_to > lot.effective_at
            and (lot.expires_at is None or service_from < lot.expires_at)
        )
        part = min(left.get(lot.id, 0), quantity) if fits else 0
        if part > 0:
            covered.append(Covered(lot.id, part))
            quantity -= part
    return tuple(covered)
