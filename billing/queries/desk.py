"""The price book as the people who keep it read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing import meters
from billing.models import Price
from billing.pricing import Tier
from billing.pricing.stored import tiers_of
from billing.queries.prices import in_force, price_book, version_prices


@dataclass(frozen=True)
class PriceFact:
    """One price. Units: net, per ``unit_quantity`` base units; ``unit`` is said in words."""

    meter: str
    sku: str
    title_en: str
    title_zh: str
    unit_price: Decimal
    unit_quantity: int
    unit: str
    tax_code: str
    match: Mapping[str, str]
    model: str
    tiers: tuple[Tier, ...] = ()

    def at_price(self, unit_price: Decimal) -> "PriceFact":
        return replace(self, unit_price=unit_price)

    @property
    def terms(self) -> tuple[object, ...]:
        """All that decides what is paid, and for what."""
        return (
            self.meter,
            self.match,
            self.model,
            self.unit_price,
            self.unit_quantity,
            self.tiers,
            self.tax_code,
        )


@dataclass(frozen=True)
class Change:
    """What two lists say of one SKU; None where the list does not have it.

    Shape: ``before_fact`` and ``after_fact`` are the whole prices; ``parts`` names what else than
    the unit price differs.
    """

    fact: PriceFact
    before: Decimal | None
    after: Decimal | None
    before_fact: PriceFact | None = None
    after_fact: PriceFact | None = None
    parts: tuple[str, ...] = ()

    @property
    def share(self) -> Decimal | None:
        """The change as a share of the price before; None where tiers have no one price."""
        if not self.before or self.after is None or "tiers" in self.parts:
            return None
        return (self.after - self.before) / self.before


def price_list(version_id: UUID) -> tuple[PriceFact, ...]:
    """The prices of one version, by meter and SKU; one statement."""
    return tuple(_fact(price) for price in version_prices(version_id))


def list_in_force(at: datetime, currency: str) -> tuple[PriceFact, ...]:
    """The prices of a currency in force at an instant, by meter and SKU; two statements."""
    return tuple(_fact(price) for price in price_book(at, currency))


def spot_facts(at: datetime) -> tuple[tuple[str, PriceFact], ...]:
    """The spot prices of every currency's list in force, with the currency; one statement."""
    found = Price.objects.filter(model="spot", version__in=in_force(at)).select_related("version")
    rows = found.order_by("version__currency", "meter", "sku")
    return tuple((price.version.currency, _fact(price)) for price in rows)


def changes(before: Sequence[PriceFact], after: Sequence[PriceFact]) -> tuple[Change, ...]:
    """What differs between two lists, by SKU; empty where they say the same."""
    old, new = {one.sku: one for one in before}, {one.sku: one for one in after}
    found = []
    for sku in sorted({*old, *new}):
        left, right = old.get(sku), new.get(sku)
        was = left.unit_price if left is not None else None
        will_be = right.unit_price if right is not None else None
        fact = right or left
        if fact is not None and (left is None or right is None or left.terms != right.terms):
            found.append(Change(fact, was, will_be, left, right, _parts(left, right)))
    return tuple(found)


PARTS = ("meter", "match", "model", "unit_quantity", "tiers", "tax_code")


def _parts(left: PriceFact | None, right: PriceFact | None) -> tuple[str, ...]:
    if left is None or right is None:
        return ()
    return tuple(part for part in PARTS if getattr(left, part) != getattr(right, part))


def _fact(price: Price) -> PriceFact:
    known = meters.declared().get(price.meter)
    # A price per one display unit is said by its name; any other by its number of base units.
    unit = f"{price.unit_quantity:,}"
    if known is not None and known.display_divisor == price.unit_quantity:
        unit = str(known.display_unit)
    return PriceFact(
        meter=price.meter,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        unit_price=price.unit_price,
        unit_quantity=price.unit_quantity,
        unit=unit,
        tax_code=price.tax_code,
        match=price.match,
        model=price.model,
        tiers=tiers_of(price.tiers),
    )
