"""The price book and the tax table, as rating looks things up in them."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Q, Subquery, Value
from django.db.models.functions import Coalesce

from billing.models import Price, PriceVersion, SpotPrice, TaxRate, VersionState
from billing.pricing.agreed import AgreedTerm
from billing.pricing.stored import terms_of
from billing.rating import PriceBookFacts, PriceFact, SeriesUse, SpotFact, TaxFact, VersionFact


def book_facts(
    uses: Iterable[SeriesUse], agreed: tuple[AgreedTerm, ...] = (), *, currency: str
) -> PriceBookFacts:
    """The lists of a currency while these were used, the quoted prices and the tax table.

    Shape: ``agreed`` are the contract terms of the tenant whose use it is; a price that was quoted
    in another currency is none.
    Two statements, and one more where a list has spot prices.
    """
    rows = tuple(uses)
    quoted = {use.quoted_price_id for use in rows if use.quoted_price_id is not None}
    first = min(use.first_hour for use in rows)
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED, currency=currency)
    # Lists that were replaced before the first hour can price nothing here.
    in_force = published.filter(effective_at__lte=first).order_by("-effective_at")[:1]
    since = Coalesce(Subquery(in_force.values("effective_at")), Value(first))
    relevant = published.filter(effective_at__gte=since)
    wanted = Price.objects.filter(
        Q(version__in=relevant) | Q(pk__in=quoted), version__currency=currency
    )
    prices: dict[datetime, list[PriceFact]] = {}
    for price in wanted.select_related("version"):
        prices.setdefault(price.version.effective_at, []).append(_fact(price))
    # A quoted price may be of an older list, which itself prices nothing any more.
    oldest = max((at for at in prices if at <= first), default=first)
    versions = tuple(VersionFact(at, tuple(prices[at])) for at in sorted(prices) if at >= oldest)
    by_quote = {one.id: one for facts in prices.values() for one in facts if one.id in quoted}
    listed = [*by_quote.values(), *(price for version in versions for price in version.prices)]
    return PriceBookFacts(
        versions=versions,
        quoted=by_quote,
        taxes=tax_facts(),
        zone=settings.CENTRE_TIME_ZONE,
        agreed=agreed,
        spot=_spot_facts({price.sku for price in listed if price.model == "spot"}, currency, first),
    )


def tax_facts() -> tuple[TaxFact, ...]:
    """The whole tax table; one statement."""
    return tuple(
        TaxFact(tax.tax_code, tax.rate, tax.during.lower, tax.during.upper)
        for tax in TaxRate.objects.all()
    )


def _spot_facts(skus: set[str], currency: str, first: datetime) -> tuple[SpotFact, ...]:
    """The quotes that held from ``first`` on."""
    if not skus:
        return ()
    rows = SpotPrice.objects.filter(sku__in=skus, currency=currency).order_by("sku", "starts_at")
    kept: list[SpotFact] = []
    for one in rows:
        if kept and kept[-1].sku == one.sku and one.starts_at <= first:
            kept.pop()
        kept.append(SpotFact(one.sku, one.starts_at, one.unit_price))
    return tuple(kept)


def _fact(price: Price) -> PriceFact:
    terms = terms_of(price)
    return PriceFact(
        id=price.pk,
        meter=price.meter,
        match=price.match,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        model=price.model,
        terms=terms,
        tax_code=price.tax_code,
        list_terms=terms,
    )
