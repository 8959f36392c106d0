"""The price book: what is in force when, and what something would cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.models import Price, PriceVersion, SpotPrice, TaxChange, TaxRate, VersionState
from billing.money import CURRENCY, round_to_fen, tax_on
from billing.pricing import charge
from billing.pricing.agreed import AgreedTerm, agreed_price
from billing.pricing.match import best_match
from billing.pricing.stored import terms_of
from billing.queries.contracts import agreements
from billing.queries.currencies import billed_in
from common.errors import DomainError

# How far back a quote that still holds is looked for on the page.
SPOT_SHOWN = timedelta(days=31)


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
    """What one line costs, as contracted; the ``list_`` fields say what the list asks.

    Shape: ``contract_number`` is empty where no agreed term applies.
    """

    price_id: UUID
    sku: str
    unit_price: Decimal
    unit_quantity: int
    net: Decimal
    tax: Decimal
    gross: Decimal
    list_unit_price: Decimal
    list_unit_quantity: int
    list_net: Decimal
    contract_number: str = ""

    @property
    def discount(self) -> Decimal:
        """How much less than the list; below zero where the agreed price is dearer."""
        return self.list_net - self.net


@dataclass(frozen=True)
class Quote:
    """What the lines cost at an instant, each rounded as an invoice line would be."""

    currency: str
    lines: tuple[QuotedLine, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal


def version_at(at: datetime, currency: str | Coalesce) -> PriceVersion | None:
    """The price version of a currency in force at an instant."""
    return _in_force(at, currency).first()


def in_force(at: datetime) -> QuerySet[PriceVersion]:
    """Of each currency the version in force at an instant."""
    begun = PriceVersion.objects.filter(state=VersionState.PUBLISHED, effective_at__lte=at)
    return begun.order_by("currency", "-effective_at").distinct("currency")


def price_book(at: datetime, currency: str) -> tuple[Price, ...]:
    """All prices of a currency in force at an instant, by meter and SKU."""
    version = version_at(at, currency)
    return () if version is None else tuple(version.prices.order_by("meter", "sku"))


def _in_force(at: datetime, currency: str | Coalesce) -> QuerySet[PriceVersion]:
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED, currency=currency)
    return published.filter(effective_at__lte=at).order_by("-effective_at")


def versions() -> tuple[PriceVersion, ...]:
    """Every price version, the latest first."""
    return tuple(PriceVersion.objects.order_by("-effective_at", "-id"))


def version_prices(version_id: UUID) -> tuple[Price, ...]:
    """The prices of one version, by meter and SKU."""
    return tuple(Price.objects.filter(version_id=version_id).order_by("meter", "sku"))


def tax_rates() -> tuple[TaxRate, ...]:
    """Every tax rate with its stretch of time, by code."""
    return tuple(TaxRate.objects.order_by("tax_code", "during"))


def tax_changes() -> tuple[TaxChange, ...]:
    """Every proposed tax rate and what became of it, the latest first."""
    return tuple(TaxChange.objects.order_by("-proposed_at", "-pk"))


def spot_quotes(since: datetime) -> tuple[SpotPrice, ...]:
    """The quotes that hold at or begin after an instant, by currency, SKU and hour."""
    found = SpotPrice.objects.order_by("currency", "sku", "starts_at")
    kept: list[SpotPrice] = []
    for one in found.filter(starts_at__gt=since - SPOT_SHOWN):
        is_same = kept and (kept[-1].currency, kept[-1].sku) == (one.currency, one.sku)
        if is_same and one.starts_at <= since:
            kept.pop()
        kept.append(one)
    return tuple(kept)


def quote(*, tenant_id: UUID, lines: Sequence[QuoteLine], at: datetime) -> Quote:
    """What the lines would cost this tenant at an instant, its contracts and spot quotes applied.

    Shape: in the tenant's currency, by the lists of it.
    Two statements, however many lines, and one more where the list has spot prices.
    Raises: PriceMissing, TaxRateMissing.
    """
    newest = _in_force(at, billed_in(tenant_id)).values("pk")[:1]
    taxed = TaxRate.objects.filter(tax_code=OuterRef("tax_code"), during__contains=at)
    listed = Price.objects.filter(version_id=Subquery(newest)).select_related("version")
    prices = tuple(listed.annotate(tax_rate=Subquery(taxed.values("rate")[:1])))
    rates = {one.tax_code: one.tax_rate for one in prices if one.tax_rate is not None}
    currency = prices[0].version.currency if prices else CURRENCY
    spot = spot_prices_at(prices, at, currency)
    rules = _Rules(prices, rates, agreements(tenant_id).rates, spot, at)
    quoted = tuple(_quoted(line, rules) for line in lines)
    net = sum((line.net for line in quoted), Decimal(0))
    tax = sum((line.tax for line in quoted), Decimal(0))
    return Quote(currency=currency, lines=quoted, net=net, tax=tax, gross=net + tax)


def spot_prices_at(prices: Sequence[Price], at: datetime, currency: str) -> dict[str, Decimal]:
    """The quote in force at an instant for each spot SKU of these prices that has one.

    Shape: ``currency`` is that of the prices.
    """
    skus = {price.sku for price in prices if price.model == "spot"}
    if not skus:
        return {}
    found = SpotPrice.objects.filter(sku__in=skus, currency=currency, starts_at__lte=at)
    return dict(found.order_by("starts_at").values_list("sku", "unit_price"))


@dataclass(frozen=True)
class _Rules:
    prices: Sequence[Price]
    rates: Mapping[str, Decimal]
    agreed: Sequence[AgreedTerm]
    spot: Mapping[str, Decimal]
    at: datetime


def _quoted(line: QuoteLine, rules: _Rules) -> QuotedLine:
    price = best_match(rules.prices, line.meter, line.dimensions)
    if price is None:
        raise PriceMissing(meter=line.meter)
    if price.tax_code not in rules.rates:
        raise TaxRateMissing(tax_code=price.tax_code)
    listed = terms_of(price)
    if price.sku in rules.spot:
        listed = replace(listed, unit_price=rules.spot[price.sku])
    agreed = agreed_price(
        rules.agreed,
        meter=price.meter,
        sku=price.sku,
        dimensions=line.dimensions,
        at=rules.at,
        model=price.model,
        list_terms=listed,
    )
    net = round_to_fen(charge(agreed.model, agreed.terms, line.quantity))
    tax = tax_on(net, rules.rates[price.tax_code])
    return QuotedLine(
        price_id=price.pk,
        sku=price.sku,
        unit_price=agreed.terms.unit_price,
        unit_quantity=agreed.terms.unit_quantity,
        net=net,
        tax=tax,
        gross=net + tax,
        list_unit_price=listed.unit_price,
        list_unit_quantity=listed.unit_quantity,
        list_net=round_to_fen(charge(price.model, listed, line.quantity)),
        contract_number="" if agreed.term is None else agreed.term.contract_number,
    )
