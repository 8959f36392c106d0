"""The prices that earlier quotes named, by their ids, and the price book as a list."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from billing.models import Price
from billing.pricing import Terms
from billing.pricing.stored import terms_of
from billing.queries.prices import price_book
from common.paging import Page, in_order


def unit_prices(price_ids: Collection[UUID]) -> Mapping[UUID, Terms]:
    """What a unit costs at each of these prices, whatever book they stand in; one statement."""
    return {price.pk: terms_of(price) for price in Price.objects.filter(pk__in=price_ids)}


def prices_in_force(*, at: datetime, cursor: str | None = None, limit: int = 50) -> Page[Price]:
    """The price book in force at an instant, by SKU. Raises: InvalidInput."""
    rows = sorted(price_book(at), key=_sku)
    return in_order(rows, _sku, cursor=cursor, limit=limit)


def _sku(price: Price) -> str:
    return price.sku
