"""Planning, pure: which price and tax rate each hour of each series falls under.

What the hours of one charge then cost is ``billing.charging``; the page docs/algorithms/rating.md
explains both with figures.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from uuid import UUID

from billing.pricing import MODELS, Terms
from billing.pricing.agreed import AgreedTerm, agreed_price
from billing.pricing.match import best_match
from common.period import HOUR, floor_hour, month_of


@dataclass(frozen=True)
class PriceFact:
    """A published price, as rating needs it.

    Shape: ``terms`` are what this tenant pays, ``list_terms`` what the list says; they differ only
    by the contract term ``contract_term_id``. ``quoted_from`` is the hour of the spot quote.
    """

    id: UUID
    meter: str
    match: Mapping[str, str]
    sku: str
    title_en: str
    title_zh: str
    model: str
    terms: Terms
    tax_code: str
    list_terms: Terms
    contract_term_id: UUID | None = None
    list_model: str = ""
    quoted_from: datetime | None = None

    @property
    def says(self) -> tuple[object, ...]:
        """What is charged for what, whichever list says it; a list's titles may differ."""
        return (
            self.meter,
            self.sku,
            tuple(sorted(self.match.items())),
            self.model,
            self.terms,
            self.tax_code,
            self.contract_term_id,
        )

    @property
    def listed_as(self) -> str:
        """The list's own price model; a fixed price may have another."""
        return self.list_model or self.model


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
class SpotFact:
    """What a spot SKU costs from an hour until the next quote."""

    sku: str
    starts_at: datetime
    unit_price: Decimal


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
    """Everything rating looks things up in; ``agreed`` are the one tenant's contract terms."""

    versions: tuple[VersionFact, ...]
    quoted: Mapping[UUID, PriceFact]
    taxes: tuple[TaxFact, ...]
    zone: str
    agreed: tuple[AgreedTerm, ...] = ()
    spot: tuple[SpotFact, ...] = ()

    def price_for(self, use: SeriesUse, at: datetime) -> PriceFact | None:
        """What the tenant pays: the list's price, quoted for the hour where it is a spot price,
        and then as contracted.
        """
        listed = self.list_price_for(use, at)
        if listed is None:
            return None
        if listed.model == "spot":
            listed = self._spot_price(listed, at)
        return self._contracted(listed, use, at) if self.agreed else listed

    def list_price_for(self, use: SeriesUse, at: datetime) -> PriceFact | None:
        """The quoted price where there is one, else the best match of the list in force."""
        if use.quoted_price_id is not None:
            return self.quoted.get(use.quoted_price_id)
        in_force = [version for version in self.versions if version.effective_at <= at]
        if not in_force:
            return None
        newest = max(in_force, key=lambda version: version.effective_at)
        return best_match(newest.prices, use.meter, use.dimensions)

    def counted_as(
        self, use: SeriesUse, price: PriceFact, at: datetime, month_start: datetime
    ) -> PriceFact:
        """The price whose total this one goes on with: a list that says the same changes nothing.

        Only where a price depends on how much is used does it matter: then it is the first of the
        month's lists that said the same of this use without a break, and otherwise ``price``.
        """
        if MODELS[price.model].is_linear or use.quoted_price_id is not None:
            return price
        begun = (version for version in self.versions if version.effective_at <= at)
        newest_first = sorted(begun, key=lambda version: version.effective_at, reverse=True)
        first = price
        for later, version in pairwise(newest_first):
            listed = best_match(version.prices, use.meter, use.dimensions)
            if later.effective_at <= month_start or listed is None:
                break
            before = self._contracted(listed, use, at)
            if before.says != price.says:
                break
            first = before
        return first

    def _spot_price(self, listed: PriceFact, at: datetime) -> PriceFact:
        begun = [one for one in self.spot if one.sku == listed.sku and one.starts_at <= at]
        if not begun:
            return listed
        newest = max(begun, key=lambda one: one.starts_at)
        terms = replace(listed.terms, unit_price=newest.unit_price)
        return replace(listed, terms=terms, list_terms=terms, quoted_from=newest.starts_at)

    def _contracted(self, listed: PriceFact, use: SeriesUse, at: datetime) -> PriceFact:
        found = agreed_price(
            self.agreed,
            meter=use.meter,
            sku=listed.sku,
            dimensions=use.dimensions,
            at=at,
            model=listed.model,
            list_terms=listed.list_terms,
        )
        if found.term is None:
            return listed
        # A fixed price with tiers counts on through quotes, which do not move it.
        goes_on = found.term.terms is not None and not MODELS[found.model].is_linear
        return replace(
            listed,
            model=found.model,
            list_model=listed.model,
            terms=found.terms,
            contract_term_id=found.term.id,
            quoted_from=None if goes_on else listed.quoted_from,
        )

    def marks(self, use: SeriesUse) -> set[datetime]:
        """The hours at which the price of a series may change."""
        marks = {version.effective_at for version in self.versions}
        for tax in self.taxes:
            marks.update(mark for mark in (tax.starts_at, tax.ends_at) if mark is not None)
        for term in self.agreed:
            marks.update((term.starts_at, term.ends_at))
        skus = {one.sku for one in self.spot}
        if skus and any(
            price.sku in skus and price.meter == use.meter
            for version in self.versions
            for price in version.prices
        ):
            marks.update(one.starts_at for one in self.spot)
        return marks

    def tax_for(self, tax_code: str, at: datetime) -> Decimal | None:
        rates = (tax.rate for tax in self.taxes if tax.tax_code == tax_code and tax.covers(at))
        return next(rates, None)


@dataclass(frozen=True)
class RunningKey:
    """What is counted together through a month: same price, rate, project, look and month.

    ``price_id`` is of the list that began the total, where later ones of the month say the same.
    """

    price_id: UUID
    contract_term_id: UUID | None
    tax_rate: Decimal
    project_id: UUID | None
    shown: tuple[tuple[str, str], ...]
    month_start: datetime
    quoted_from: datetime | None = None

    @cached_property
    def digest(self) -> UUID:
        """The same 16 bytes in every process, under which invoices book what they charge."""
        said: list[object] = [
            str(self.price_id),
            str(self.contract_term_id or ""),
            f"{self.tax_rate.normalize():f}",
            str(self.project_id or ""),
            sorted(self.shown),
            int(self.month_start.timestamp()),
        ]
        # Only where there is one: what was booked before quotes existed keeps its name.
        if self.quoted_from is not None:
            said.append(int(self.quoted_from.timestamp()))
        canonical = json.dumps(said, ensure_ascii=False)
        return UUID(bytes=hashlib.md5(canonical.encode(), usedforsecurity=False).digest())


@dataclass(frozen=True)
class ChargeKey:
    """What one charge of an invoice counts: the part of a running total that is late, or not."""

    running: RunningKey
    is_late: bool


@dataclass(frozen=True)
class Segment:
    """Hours of one series, from ``start`` to before ``end``, that belong to one charge."""

    series_id: int
    start: datetime
    end: datetime
    charge: ChargeKey


@dataclass(frozen=True)
class Unpriced:
    """Hours that no price or tax rate covers; they stay unbilled until one does."""

    series_id: int
    meter: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Plan:
    """How a tenant's unbilled hours fall onto charges, before anything is counted."""

    segments: tuple[Segment, ...]
    unpriced: tuple[Unpriced, ...]
    prices: Mapping[RunningKey, PriceFact]


def plan(
    uses: Iterable[SeriesUse], book: PriceBookFacts, *, period_start: datetime, until: datetime
) -> Plan:
    """Cut each series where its price, its tax rate, the month or the invoice period changes."""
    segments: list[Segment] = []
    unpriced: list[Unpriced] = []
    prices: dict[RunningKey, PriceFact] = {}
    # An hour that an invoice cut through is no earlier period: its rest was used after the cut.
    on_time_from = floor_hour(period_start)
    for use in uses:
        for start, end in _pieces(use, book, on_time_from, until):
            price = book.price_for(use, start)
            rate = None if price is None else book.tax_for(price.tax_code, start)
            if price is None or rate is None:
                unpriced.append(Unpriced(use.series_id, use.meter, start, end))
                continue
            month_start = month_of(start, book.zone).start
            counted = book.counted_as(use, price, start, month_start)
            running = _running_key(use, counted, rate, month_start)
            prices[running] = counted
            part = Segment(use.series_id, start, end, ChargeKey(running, start < on_time_from))
            # A mark that changes nothing for this series leaves it whole.
            if segments and _continues(segments[-1], part):
                part = replace(segments.pop(), end=end)
            segments.append(part)
    return Plan(tuple(segments), tuple(unpriced), prices)


def _continues(before: Segment, part: Segment) -> bool:
    return (before.series_id, before.end, before.charge) == (
        part.series_id,
        part.start,
        part.charge,
    )


def _running_key(
    use: SeriesUse, price: PriceFact, rate: Decimal, month_start: datetime
) -> RunningKey:
    """A price that depends on how much is used counts all of the tenant's use together."""
    is_linear = MODELS[price.model].is_linear
    return RunningKey(
        price_id=price.id,
        contract_term_id=price.contract_term_id,
        tax_rate=rate,
        project_id=use.project_id if is_linear else None,
        shown=use.shown if is_linear else (),
        month_start=month_start,
        quoted_from=price.quoted_from,
    )


def _pieces(
    use: SeriesUse, book: PriceBookFacts, on_time_from: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    start = use.first_hour
    end = min(use.last_hour + HOUR, _ceil_hour(until))
    if start >= end:
        return []
    marks = {on_time_from, *book.marks(use)}
    month = month_of(start, book.zone)
    while month.end < end:
        marks.add(month.end)
        month = month_of(month.end, book.zone)
    cuts = [start, *sorted(mark for mark in marks if start < mark < end), end]
    return list(zip(cuts, cuts[1:], strict=False))


def _ceil_hour(instant: datetime) -> datetime:
    floor = floor_hour(instant)
    return floor if floor == instant else floor + HOUR
