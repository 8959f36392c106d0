"""The price book: what is in force when, and what something would cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Subquery
from django.utils.translation import gettext_lazy as _

from billing.models import Price, PriceVersion, TaxRate, VersionState
from billing.money import CURRENCY, round_to_fen, tax_on
from billing.pricing import Terms, delta
from billing.pricing.match import best_match
from common.errors import DomainError


class PriceMissing(DomainError):
    """Nothing in the price book in force covers this use."""

    code = "price_missing"
    status = 409
    message = _("There is no price for %(meter)s with these properties.")


class TaxRateMissing(DomainError):
    """No tax rate is in force for a priced thing: the centre's tables are incomplete."""

    code = "tax_rate_missing"
    status = 409
    message = _("There is no tax rate for %(tax_code)s at that time.")


@dataclass(frozen=True)
class QuoteLine:
    """What is asked about; ``quantity`` in base units of the meter."""

    meter: str
    dimensions: Mapping[str, str]
    quantity: int


@dataclass(frozen=True)
class QuotedLine:
    price_id: UUID
    sku: str
    unit_price: Decimal
    unit_quantity: int
    net: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True)
class Quote:
    """What the lines cost at an instant, each rounded as an invoice line would be."""

    currency: str
    lines: tuple[QuotedLine, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal


def version_at(at: datetime) -> PriceVersion | None:
    """The price version in force at an instant."""
    in_force = PriceVersion.objects.filter(state=VersionState.PUBLISHED, effective_at__lte=at)
    return in_force.order_by("-effective_at").first()


def price_book(at: datetime) -> tuple[Price, ...]:
    """All prices in force at an instant, by meter and SKU."""
    version = version_at(at)
    return () if version is None else tuple(version.prices.order_by("meter", "sku"))


def versions() -> tuple[PriceVersion, ...]:
    """Every price version, the latest first."""
    return tuple(PriceVersion.objects.order_by("-effective_at", "-id"))


def version_prices(version_id: UUID) -> tuple[Price, ...]:
    """The prices of one version, by meter and SKU."""
    return tuple(Price.objects.filter(version_id=version_id).order_by("meter", "sku"))


def tax_rates() -> tuple[TaxRate, ...]:
    """Every tax rate with its stretch of time, by code."""
    return tuple(TaxRate.objects.order_by("tax_code", "during"))


def quote(*, tenant_id: UUID, lines: Sequence[QuoteLine], at: datetime) -> Quote:
    """What the lines would cost this tenant at an instant. Two statements, however many lines.

    Raises: PriceMissing, TaxRateMissing.
    """
    in_force = PriceVersion.objects.filter(state=VersionState.PUBLISHED, effective_at__lte=at)
    newest = in_force.order_by("-effective_at").values("pk")[:1]
    prices = tuple(Price.objects.filter(version_id=Subquery(newest)).select_related("version"))
    rates = dict(TaxRate.objects.filter(during__contains=at).values_list("tax_code", "rate"))
    quoted = tuple(_quoted(line, prices, rates) for line in lines)
    net = sum((line.net for line in quoted), Decimal(0))
    tax = sum((line.tax for line in quoted), Decimal(0))
    currency = prices[0].version.currency if prices else CURRENCY
    return Quote(currency=currency, lines=quoted, net=net, tax=tax, gross=net + tax)


def _quoted(line: QuoteLine, prices: Sequence[Price], rates: Mapping[str, Decimal]) -> QuotedLine:
    price = best_match(prices, line.meter, line.dimensions)
    if price is None:
        raise PriceMissing(meter=line.meter)
    if price.tax_code not in rates:
        raise TaxRateMissing(tax_code=price.tax_code)
    terms = Terms(price.unit_price, price.unit_quantity)
    net = round_to_fen(delta(price.model, terms, before=0, after=line.quantity))
    tax = tax_on(net, rates[price.tax_code])
    return QuotedLine(
        price_id=price.pk,
        sku=price.sku,
        unit_price=price.unit_price,
        unit_quantity=price.unit_quantity,
        net=net,
        tax=tax,
        gross=net + tax,
    )
