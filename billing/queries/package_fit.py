"""Whether a package could cover anything at the prices in force: asked before it is sold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from billing.models import CreditLot, Price
from billing.pricing import MODELS
from billing.pricing.agreed import AgreedPrice, AgreedTerm, agreed_price
from billing.pricing.stored import terms_of
from billing.queries.contracts import agreements
from billing.queries.prices import spot_prices_at, version_at
from common.errors import DomainError


class PackageCoversNothing(DomainError):
    """Sold now, the package would lapse unused."""

    code = "package_covers_nothing"
    status = 409
    message = _(
        "At the prices in force now this package would cover nothing: %(meter)s has no price "
        "above zero and without tiers that fits it."
    )


def refuse_useless(lot: CreditLot, at: datetime) -> None:
    """Refuse a package for which its tenant's prices at an instant have no use.

    Shape: the lot need not be written yet.
    Two statements, and one more where the list has spot prices.
    Raises: PackageCoversNothing.
    """
    version = version_at(at, lot.currency)
    if version is not None:
        prices = tuple(version.prices.filter(meter=lot.meter))
        spot = spot_prices_at(prices, at, version.currency)
        agreed = agreements(lot.tenant_id).rates
        is_narrow = bool(lot.match) or lot.project_id is not None
        if any(
            _covers(_as_agreed(price, spot, agreed, lot.match, at), is_narrow=is_narrow)
            for price in prices
            # What the package is for may be some of what the price is for, or all of it and more.
            if all(lot.match.get(name, value) == value for name, value in price.match.items())
        ):
            return
    raise PackageCoversNothing(meter=lot.meter)


def _as_agreed(
    price: Price,
    spot: Mapping[str, Decimal],
    agreed: Sequence[AgreedTerm],
    match: Mapping[str, str],
    at: datetime,
) -> AgreedPrice:
    listed = terms_of(price)
    if price.sku in spot:
        listed = replace(listed, unit_price=spot[price.sku])
    return agreed_price(
        agreed,
        meter=price.meter,
        sku=price.sku,
        dimensions={**price.match, **match},
        at=at,
        model=price.model,
        list_terms=listed,
    )


def _covers(price: AgreedPrice, *, is_narrow: bool) -> bool:
    """As rating does: what is free needs no package, and tiers have no one price to take off.

    A price that counts all use together forgets project and dimensions, so nothing narrow fits it.
    """
    if not price.terms.unit_price:
        return False
    return MODELS[price.model].is_linear or not is_narrow
