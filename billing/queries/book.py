"""The price book and the tax table, as rating looks things up in them."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import Subquery, Value
from django.db.models.functions import Coalesce

from billing.models import Price, PriceVersion, TaxRate, VersionState
from billing.pricing import Terms
from billing.rating import PriceBookFacts, PriceFact, SeriesUse, TaxFact, VersionFact


def book_facts(uses: Iterable[SeriesUse]) -> PriceBookFacts:
    """The lists in force while these were used, the quoted prices and the tax table.

    Four statements at most.
    """
    rows = tuple(uses)
    quoted = {use.quoted_price_id for use in rows if use.quoted_price_id is not None}
    first = min(use.first_hour for use in rows)
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED)
    # Lists that were replaced before the first hour can price nothing here.
    in_force = published.filter(effective_at__lte=first).order_by("-effective_at")[:1]
    since = Coalesce(Subquery(in_force.values("effective_at")), Value(first))
    relevant = published.filter(effective_at__gte=since)
    versions = tuple(
        VersionFact(version.effective_at, tuple(_fact(price) for price in version.prices.all()))
        for version in relevant.order_by("effective_at").prefetch_related("prices")
    )
    return PriceBookFacts(
        versions=versions,
        quoted={price.pk: _fact(price) for price in Price.objects.filter(pk__in=quoted)},
        taxes=tuple(
            TaxFact(tax.tax_code, tax.rate, tax.during.lower, tax.during.upper)
            for tax in TaxRate.objects.all()
        ),
        zone=settings.CENTRE_TIME_ZONE,
    )


def _fact(price: Price) -> PriceFact:
    terms = Terms(price.unit_price, price.unit_quantity)
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
