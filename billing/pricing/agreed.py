"""Which agreed term a price falls under, and the price it makes of the list's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from uuid import UUID

from billing.pricing.terms import Terms

# A contracted unit price is a number of its own, kept to the places that a price has.
PLACES = Decimal(1).scaleb(-15)
DIGITS = 60
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class AgreedTerm:
    """A discount or a fixed price over a half-open stretch of whole hours.

    Shape: exactly one of ``discount_percent`` and ``terms`` is there; ``model`` goes with the
    latter. Empty ``meter``, ``sku`` and ``match`` are for all.
    """

    id: UUID
    contract_number: str
    meter: str
    sku: str
    match: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    discount_percent: Decimal | None = None
    model: str = ""
    terms: Terms | None = None

    def fits(self, *, meter: str, sku: str, dimensions: Mapping[str, str], at: datetime) -> bool:
        return (
            self.starts_at <= at < self.ends_at
            and self.meter in ("", meter)
            and self.sku in ("", sku)
            and self.match.items() <= dimensions.items()
        )

    @property
    def rank(self) -> tuple[bool, int, bool, bool, str]:
        """Small for what says most precisely what it is for: SKU, then dimensions, then meter.

        Of equals a fixed price comes before a discount.
        """
        return (not self.sku, -len(self.match), not self.meter, self.terms is None, str(self.id))


@dataclass(frozen=True)
class AgreedPrice:
    """What is charged: the list's price, or what an agreed term made of it."""

    model: str
    terms: Terms
    term: AgreedTerm | None = None


def agreed_price(
    agreed: Iterable[AgreedTerm],
    *,
    meter: str,
    sku: str,
    dimensions: Mapping[str, str],
    at: datetime,
    model: str,
    list_terms: Terms,
) -> AgreedPrice:
    """The one term that says most precisely what it is for, applied; terms never add up."""
    fitting = (
        term for term in agreed if term.fits(meter=meter, sku=sku, dimensions=dimensions, at=at)
    )
    term = min(fitting, key=lambda one: one.rank, default=None)
    if term is None:
        return AgreedPrice(model, list_terms)
    if term.terms is not None:
        return AgreedPrice(term.model, term.terms, term)
    return AgreedPrice(model, discounted(list_terms, term.discount_percent or Decimal(0)), term)


def discounted(terms: Terms, percent: Decimal) -> Terms:
    """The terms with each amount less by so many per cent, to the places a price has."""
    return replace(
        terms,
        unit_price=_less(terms.unit_price, percent),
        tiers=tuple(
            replace(tier, unit_price=_less(tier.unit_price, percent), fee=_less(tier.fee, percent))
            for tier in terms.tiers
        ),
    )


def _less(amount: Decimal, percent: Decimal) -> Decimal:
    with localcontext(prec=DIGITS):
        exact = amount * (HUNDRED - percent) / HUNDRED
        return exact.quantize(PLACES, rounding=ROUND_HALF_UP).normalize() + Decimal(0)
