"""True-up, pure: what an agreed amount still lacks once its month or its whole term is over.

Booked as a difference, like a charge: late use that raises the spend lowers the true-up again.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from billing.money import round_to_fen
from common.period import HOUR, Period, month_of

NOTHING = Decimal(0)


@dataclass(frozen=True)
class SpendTerm:
    """An amount to reach over each month or over the whole term, in its half-open stretch.

    Shape: ``ends_at`` is earlier than ``agreed_ends_at`` where the contract was ended early; the
    amount is then due in the same proportion.
    Units: ``amount`` net, in the contract's currency.
    """

    id: UUID
    contract_number: str
    kind: str
    interval: str
    amount: Decimal
    tax_code: str
    starts_at: datetime
    ends_at: datetime
    agreed_ends_at: datetime


@dataclass(frozen=True)
class SpendInterval:
    """One stretch over which a term's amount is counted.

    Shape: the spend counted is that of the whole months of ``counted``; the interval closes with
    the last of them.
    """

    term: SpendTerm
    service: Period
    counted: Period
    due: Decimal

    @property
    def key(self) -> UUID:
        """The same 16 bytes in every process, under which invoices book the true-up."""
        said = f"true_up:{self.term.id}:{int(self.service.start.timestamp())}"
        return UUID(bytes=hashlib.md5(said.encode(), usedforsecurity=False).digest())


def intervals(term: SpendTerm, zone: str) -> tuple[SpendInterval, ...]:
    """The months of a term, or the term as one; a month held in part is due in proportion."""
    if term.ends_at <= term.starts_at:
        return ()
    whole = Period(term.starts_at, term.ends_at)
    if term.interval == "term":
        counted = Period(month_of(whole.start, zone).start, month_of(whole.end - HOUR, zone).end)
        agreed = Period(term.starts_at, term.agreed_ends_at)
        return (SpendInterval(term, whole, counted, _share(term.amount, whole, agreed)),)
    found = []
    month = month_of(whole.start, zone)
    while month.start < whole.end:
        held = month.clipped_to(whole)
        if held is not None:
            due = _share(term.amount, held, month)
            found.append(SpendInterval(term, held, month, due))
        month = month_of(month.end + timedelta(hours=1), zone)
    return tuple(found)


def _share(amount: Decimal, held: Period, whole: Period) -> Decimal:
    return round_to_fen(Fraction(amount) * held.seconds / whole.seconds)


@dataclass(frozen=True)
class TrueUp:
    """The difference between what an interval lacks and what is booked for it, in whole fen."""

    interval: SpendInterval
    net: Decimal


def true_ups(
    terms: Iterable[SpendTerm],
    *,
    spent: Mapping[datetime, Decimal],
    booked: Mapping[UUID, Decimal],
    until: datetime,
    zone: str,
) -> tuple[TrueUp, ...]:
    """What to book for each interval that has closed; ``spent`` is by the start of the month.

    A month's true-up counts towards a commitment over the whole term, so nothing is paid twice.
    """
    closed = [one for term in terms for one in intervals(term, zone) if one.counted.end <= until]
    monthly: dict[datetime, Decimal] = {}
    found = []
    for one in sorted(closed, key=lambda each: (each.term.interval == "term", each.service.start)):
        reached = _sum_in(spent, one.counted)
        if one.term.interval == "term":
            reached += _sum_in(monthly, one.counted)
        lacking = max(one.due - reached, NOTHING)
        if one.term.interval != "term":
            start = one.counted.start
            monthly[start] = monthly.get(start, NOTHING) + lacking
        difference = lacking - booked.get(one.key, NOTHING)
        if difference:
            found.append(TrueUp(one, difference))
    return tuple(found)


def _sum_in(amounts: Mapping[datetime, Decimal], period: Period) -> Decimal:
    return sum((net for at, net in amounts.items() if period.start <= at < period.end), NOTHING)
