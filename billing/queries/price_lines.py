"""The prices of one version as lines, for copying, checking and carrying out as a file."""

from uuid import UUID

from billing.models import Price
from billing.pricing.stored import tiers_of
from billing.queries.price_faults import PriceLine


def lines_of(version_id: UUID) -> tuple[PriceLine, ...]:
    """The prices of one version, by meter and SKU; one statement."""
    found = Price.objects.filter(version_id=version_id).order_by("meter", "sku")
    return tuple(line_of(price) for price in found)


def line_of(price: Price) -> PriceLine:
    return PriceLine(
        meter=price.meter,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        unit_price=price.unit_price,
        unit_quantity=price.unit_quantity,
        tax_code=price.tax_code,
        match=price.match,
        model=price.model,
        tiers=tiers_of(price.tiers),
    )
