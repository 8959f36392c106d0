"""Costs, pure: what a charge costs, shared out over its days and series in whole fen.

Nothing is priced here. A charge's money is what rating made of it; docs/algorithms/cost-explorer.md
says with figures how it is shared out and what stays without a day.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from billing.money import FEN


class Place(NamedTuple):
    """A day of the centre's calendar and a series that was used on it."""

    day: date
    series_id: int


def spread(net: Decimal, used: Mapping[Place, int]) -> dict[Place, Decimal]:
    """Share a charge's net out by quantity; the shares add up to it, to the fen.

    Shape: a day has the difference of two rounded running totals, as invoices have; within a day
    each series has what it is due so far, by largest remainder, the lower series first of equals.
    Nothing comes back where the quantities add up to nothing: such money belongs to no day.
    """
    total = sum(used.values())
    if not total:
        return {}
    # With a total below zero both signs turn, so that the divisor never is.
    fen = int(net / FEN) * (1 if total > 0 else -1)
    total = abs(total)
    days: dict[date, list[Place]] = {}
    for place in sorted(used):
        days.setdefault(place.day, []).append(place)
    is_one_sided = min(used.values()) >= 0 or max(used.values()) <= 0
    due: dict[int, int] = {}
    given: dict[int, int] = {}
    shares: dict[Place, Decimal] = {}
    counted = before = 0
    for day in sorted(days):
        counted += sum(used[place] for place in days[day])
        after = _half_up(fen * counted, total)
        for place in days[day]:
            due[place.series_id] = due.get(place.series_id, 0) + fen * used[place]
        owed = [due[place.series_id] - given.get(place.series_id, 0) * total for place in days[day]]
        parts = _share(after - before, owed, total, is_one_sided=is_one_sided)
        before = after
        for place, part in zip(days[day], parts, strict=True):
            given[place.series_id] = given.get(place.series_id, 0) + part
            shares[place] = part * FEN
    return shares


def _half_up(numerator: int, divisor: int) -> int:
    """Half up, away from zero below it, as money is rounded everywhere."""
    whole = (2 * abs(numerator) + divisor) // (2 * divisor)
    return whole if numerator >= 0 else -whole


def _share(amount: int, owed: Sequence[int], divisor: int, *, is_one_sided: bool) -> list[int]:
    """Whole fen that add up to ``amount``, near ``owed / divisor``.

    Where all use has one sign no part gets another sign than the whole.
    """
    sign = -1 if amount < 0 or (amount == 0 and sum(owed) < 0) else 1
    wanted = [sign * one for one in owed]
    parts = [max(one // divisor, 0) if is_one_sided else one // divisor for one in wanted]
    rest = sign * amount - sum(parts)
    # What is left of each, the largest first; the order of the series decides between equals.
    places = sorted(range(len(owed)), key=lambda one: parts[one] * divisor - wanted[one])
    step = 1 if rest > 0 else -1
    if rest < 0:
        places.reverse()
    while rest:
        for place in places:
            if rest and (step > 0 or not is_one_sided or parts[place] > 0):
                parts[place] += step
                rest -= step
    return [sign * part for part in parts]
