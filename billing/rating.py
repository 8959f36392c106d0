"""Rating, pure: which price and tax rate each hour of each series falls under, and what it costs.

The page docs/algorithms/rating.md explains the steps with figures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from billing.money import round_to_fen, tax_on
from billing.pricing import Terms, delta
from billing.pricing.match import best_match
from common.period import HOUR, floor_hour, month_of


@dataclass(frozen=True)
class PriceFact:
    """A published price, as rating needs it."""

    id: UUID
    meter: str
    match: Mapping[str, str]
    sku: str
    title_en: str
    title_zh: str
    model: str
    terms: Terms
    tax_code: str


@dataclass(frozen=True)
class VersionFact:
    """A published price list and the hour it starts."""

    effective_at: datetime
    prices: tuple[PriceFact, ...]


@dataclass(frozen=True)
class TaxFact:
    """A tax rate and its half-open stretch; None is open."""

    tax_code: str
    rate: Decimal
    starts_at: datetime | None
    ends_at: datetime | None

    def covers(self, at: datetime) -> bool:
        return (self.starts_at is None or self.starts_at <= at) and (
            self.ends_at is None or at < self.ends_at
        )


@dataclass(frozen=True)
class SeriesUse:
    """A series with hours not yet billed: what it counts, and the first and last such hour."""

    series_id: int
    meter: str
    project_id: UUID | None
    quoted_price_id: UUID | None
    dimensions: Mapping[str, str]
    shown: tuple[tuple[str, str], ...]
    first_hour: datetime
    last_hour: datetime


@dataclass(frozen=True)
class PriceBookFacts:
    """Everything rating looks things up in."""

    versions: tuple[VersionFact, ...]
    quoted: Mapping[UUID, PriceFact]
    taxes: tuple[TaxFact, ...]
    zone: str

    def price_for(self, use: SeriesUse, at: datetime) -> PriceFact | None:
        """The quoted price where there is one, else the best match of the list in force."""
        if use.quoted_price_id is not None:
            return self.quoted.get(use.quoted_price_id)
        in_force = [version for version in self.versions if version.effective_at <= at]
        if not in_force:
            return None
        newest = max(in_force, key=lambda version: version.effective_at)
        return best_match(newest.prices, use.meter, use.dimensions)

    def tax_for(self, tax_code: str, at: datetime) -> Decimal | None:
        rates = (tax.rate for tax in self.taxes if tax.tax_code == tax_code and tax.covers(at))
        return next(rates, None)


@dataclass(frozen=True)
class LineKey:
    """What stands on one invoice line together: same price, rate, project, look and month."""

    price_id: UUID
    tax_rate: Decimal
    project_id: UUID | None
    shown: tuple[tuple[str, str], ...]
    month_start: datetime
    is_late: bool


@dataclass(frozen=True)
class Segment:
    """Hours of one series, from ``start`` to before ``end``, that belong to one line."""

    series_id: int
    start: datetime
    end: datetime
    line: LineKey


@dataclass(frozen=True)
class Unpriced:
    """Hours that no price or tax rate covers; they stay unbilled until one does."""

    series_id: int
    meter: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Plan:
    """How a tenant's unbilled hours fall onto lines, before anything is counted."""

    segments: tuple[Segment, ...]
    unpriced: tuple[Unpriced, ...]
    prices: Mapping[UUID, PriceFact]


def plan(
    uses: Iterable[SeriesUse], book: PriceBookFacts, *, period_start: datetime, until: datetime
) -> Plan:
    """Cut each series where its price, its tax rate, the month or the invoice period changes."""
    segments: list[Segment] = []
    unpriced: list[Unpriced] = []
    prices: dict[UUID, PriceFact] = {}
    on_time_from = _ceil_hour(period_start)
    for use in uses:
        for start, end in _pieces(use, book, on_time_from, until):
            price = book.price_for(use, start)
            rate = None if price is None else book.tax_for(price.tax_code, start)
            if price is None or rate is None:
                unpriced.append(Unpriced(use.series_id, use.meter, start, end))
                continue
            prices[price.id] = price
            line = LineKey(
                price_id=price.id,
                tax_rate=rate,
                project_id=use.project_id,
                shown=use.shown,
                month_start=month_of(start, book.zone).start,
                is_late=start < on_time_from,
            )
            segments.append(Segment(use.series_id, start, end, line))
    return Plan(tuple(segments), tuple(unpriced), prices)


def _pieces(
    use: SeriesUse, book: PriceBookFacts, on_time_from: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    # From the month's first hour, because a running total counts from there.
    start = month_of(use.first_hour, book.zone).start
    end = min(use.last_hour + HOUR, _ceil_hour(until))
    if start >= end:
        return []
    marks = {on_time_from}
    marks.update(version.effective_at for version in book.versions)
    for tax in book.taxes:
        marks.update(mark for mark in (tax.starts_at, tax.ends_at) if mark is not None)
    month = month_of(start, book.zone)
    while month.end < end:
        marks.add(month.end)
        month = month_of(month.end, book.zone)
    cuts = [start, *sorted(mark for mark in marks if start < mark < end), end]
    return list(zip(cuts, cuts[1:], strict=False))


def _ceil_hour(instant: datetime) -> datetime:
    floor = floor_hour(instant)
    return floor if floor == instant else floor + HOUR


@dataclass(frozen=True)
class Counted:
    """What was counted for one line: now due, billed before on the same running total, when."""

    quantity: int
    billed_before: int
    first_hour: datetime
    last_hour: datetime


@dataclass(frozen=True)
class RatedLine:
    """A line with its money: the one place where amounts are rounded."""

    key: LineKey
    price: PriceFact
    quantity: int
    service_from: datetime
    service_to: datetime
    net: Decimal
    tax: Decimal
    gross: Decimal


def rate(key: LineKey, price: PriceFact, counted: Counted) -> RatedLine:
    """Price what is due beyond what was billed, round it half up to the fen, add the tax."""
    exact = delta(
        price.model,
        price.terms,
        before=counted.billed_before,
        after=counted.billed_before + counted.quantity,
    )
    net = round_to_fen(exact)
    tax = tax_on(net, key.tax_rate)
    return RatedLine(
        key=key,
        price=price,
        quantity=counted.quantity,
        service_from=counted.first_hour,
        service_to=counted.last_hour + timedelta(hours=1),
        net=net,
        tax=tax,
        gross=net + tax,
    )


def in_reading_order(lines: Iterable[RatedLine]) -> Sequence[RatedLine]:
    """Lines as a reader expects them: late ones last, then by meter, SKU, project and time."""
    return sorted(
        lines,
        key=lambda line: (
            line.key.is_late,
            line.price.meter,
            line.price.sku,
            str(line.key.project_id or ""),
            line.key.shown,
            line.service_from,
            str(line.key.price_id),
            line.key.tax_rate,
        ),
    )
