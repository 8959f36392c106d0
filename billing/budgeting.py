"""Budget arithmetic, pure: thresholds, what is left, the forecast of a month, unusual days.

The pages docs/algorithms/budgets.md and docs/algorithms/forecast.md explain all of it with figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from billing.money import FEN

THRESHOLDS = (50, 80, 100)
HUNDRED = Decimal(100)
DAY_SECONDS = 86_400

# The pace of a forecast is that of the last seven full days; its range, of the three least and the
# three most expensive of them.
PACE_DAYS = 7
EDGE_DAYS = 3

# A day is unusual above three times the median of the fourteen days before it and above the floor;
# a tenant with fewer than seven days behind it has no usual yet.
USUAL_DAYS = 14
LEAST_DAYS = 7
TIMES_USUAL = 3
FLOOR = Decimal("100.00")


@dataclass(frozen=True)
class BudgetFigures:
    """One budget in one month. Units: net."""

    amount: Decimal
    spent: Decimal

    @property
    def remaining(self) -> Decimal:
        """Never below zero: what was spent beyond the amount is not owed to anybody."""
        return max(self.amount - self.spent, Decimal(0))

    @property
    def is_reached(self) -> bool:
        """From exactly the amount on."""
        return self.spent >= self.amount

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 says that the amount is reached."""
        share = max(self.spent, Decimal(0)) * HUNDRED / self.amount
        return int(share.to_integral_value(rounding=ROUND_DOWN))

    def reached(self) -> tuple[int, ...]:
        """The thresholds at or below what was spent."""
        return tuple(one for one in THRESHOLDS if self.spent * HUNDRED >= self.amount * one)


@dataclass(frozen=True)
class Forecast:
    """What a month is likely to cost in the end, between two bounds.

    Shape: ``days`` full days made the pace; ``reaches_at`` is when a budget would be reached at
    that pace, None where it would not be in this month.
    """

    low: Decimal
    expected: Decimal
    high: Decimal
    days: int
    reaches_at: datetime | None = None


def forecast(
    *,
    spent: Decimal,
    full_days: Sequence[Decimal],
    now: datetime,
    month_end: datetime,
    amount: Decimal | None = None,
) -> Forecast | None:
    """Spent so far, and what is left of the month at the pace of the last full days.

    Shape: ``full_days`` are what the last days cost, the newest last, without today; days before
    the first use are not among them. None where there is no full day yet.
    """
    days = sorted(max(day, Decimal(0)) for day in full_days[-PACE_DAYS:])
    if not days:
        return None
    edge = min(EDGE_DAYS, len(days))
    paces = (_mean(days[:edge]), _mean(days), _mean(days[-edge:]))
    left_seconds = max(month_end - now, timedelta(0)) // timedelta(seconds=1)
    low, expected, high = (_at_pace(spent, pace, left_seconds) for pace in paces)
    return Forecast(
        low=low,
        expected=expected,
        high=high,
        days=len(days),
        reaches_at=_reaches_at(spent, paces[1], amount, now, left_seconds),
    )


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _at_pace(spent: Decimal, pace: Decimal, seconds: int) -> Decimal:
    return (spent + pace * seconds / DAY_SECONDS).quantize(FEN)


def _reaches_at(
    spent: Decimal, pace: Decimal, amount: Decimal | None, now: datetime, left_seconds: int
) -> datetime | None:
    if amount is None or spent >= amount or pace <= 0:
        return None
    seconds = int((amount - spent) * DAY_SECONDS / pace)
    return now + timedelta(seconds=seconds) if seconds <= left_seconds else None


@dataclass(frozen=True)
class Unusual:
    """A day that cost more than ``limit``, which the ``days`` before it explain."""

    net: Decimal
    usual: Decimal
    limit: Decimal
    days: int


def unusual(*, net: Decimal, before: Sequence[Decimal], floor: Decimal = FLOOR) -> Unusual | None:
    """Whether a day's cost stands out from the days before it.

    Shape: ``before`` are whole days, the newest last, from the first use on. A day that is not
    over yet may stand out already; it cannot stop doing so by more use.
    """
    known = before[-USUAL_DAYS:]
    if len(known) < LEAST_DAYS:
        return None
    usual = max(_median(known), Decimal(0))
    limit = max(usual * TIMES_USUAL, floor)
    return Unusual(net, usual, limit, len(known)) if net > limit else None


def _median(values: Sequence[Decimal]) -> Decimal:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
