"""The price book and the tax table, as rating looks things up in them."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from billing.models import SpotPrice
from billing.pricing.agreed import AgreedTerm
from billing.pricing.stored import tiers_of
from billing.pricing.terms import Terms
from billing.rating import PriceBookFacts, PriceFact, SeriesUse, SpotFact, TaxFact, VersionFact
from common.period import month_of

# Lists that were replaced before the month of the first hour can price nothing here.
PRICES = """
SELECT version.effective_at, price.id, price.meter, price.match, price.sku, price.title_en,
    price.title_zh, price.model, price.unit_price, price.unit_quantity, price.tiers, price.tax_code
FROM billing_price price JOIN billing_priceversion version ON version.id = price.version_id
WHERE version.currency = %(currency)s AND (
    price.id = ANY(%(quoted)s)
    OR version.state = 'published' AND version.effective_at >= (
        SELECT coalesce(max(earlier.effective_at), %(first)s) FROM billing_priceversion earlier
        WHERE earlier.state = 'published' AND earlier.currency = %(currency)s
            AND earlier.effective_at <= %(first)s
    )
)
"""


def book_facts(
    uses: Iterable[SeriesUse], agreed: tuple[AgreedTerm, ...] = (), *, currency: str
) -> PriceBookFacts:
    """The lists of a currency since the month these were used in began, quotes and tax table.

    Shape: ``agreed`` are the contract terms of the tenant whose use it is; a price that was quoted
    in another currency is none.
    Two statements, and one more where a list has spot prices.
    """
    rows = tuple(uses)
    quoted = {use.quoted_price_id for use in rows if use.quoted_price_id is not None}
    # From the month's beginning: a tier goes on counting through lists that say the same.
    first = month_of(min(use.first_hour for use in rows), settings.CENTRE_TIME_ZONE).start
    prices: dict[datetime, list[PriceFact]] = {}
    with connection.cursor() as cursor:
        cursor.execute(PRICES, {"currency": currency, "quoted": list(quoted), "first": first})
        for effective_at, *columns in cursor.fetchall():
            prices.setdefault(effective_at, []).append(_fact(*columns))
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


TAXES = "SELECT tax_code, rate, lower(during), upper(during) FROM billing_taxrate"


def tax_facts() -> tuple[TaxFact, ...]:
    """The whole tax table; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(TAXES)
        return tuple(TaxFact(*row) for row in cursor.fetchall())


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


def _fact(*columns: Any) -> PriceFact:
    """One row of a list, as the statement says its columns."""
    price_id, meter, match, sku, title_en, title_zh, model, amount, unit, tiers, tax_code = columns
    # The driver gives jsonb as text where no field of a model reads it.
    terms = Terms(amount, unit, tiers_of(json.loads(tiers)))
    return PriceFact(
        id=price_id,
        meter=meter,
        match=json.loads(match),
        sku=sku,
        title_en=title_en,
        title_zh=title_zh,
        model=model,
        terms=terms,
        tax_code=tax_code,
        list_terms=terms,
    )
