"""The prices that earlier quotes named, by their ids."""

from collections.abc import Collection, Mapping
from uuid import UUID

from billing.models import Price
from billing.pricing import Terms
from billing.pricing.stored import terms_of


def unit_prices(price_ids: Collection[UUID]) -> Mapping[UUID, Terms]:
    """What a unit costs at each of these prices, whatever book they stand in; one statement."""
    return {price.pk: terms_of(price) for price in Price.objects.filter(pk__in=price_ids)}
