"""The price book."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.queries.terms import prices_in_force
from portal.api.endpoint import Call, Endpoint, reads
from portal.api.fields import InLanguage, Instant, Money
from portal.api.pagination import PageQuery
from tenants.permissions import Permission


class PricesQuery(PageQuery):
    at = Instant(required=False, help_text=_("In force then; now by default."))


# Output serializers are generic over models this layer must not import.
class PriceOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    sku = serializers.CharField()
    title = InLanguage("title")
    meter = serializers.CharField()
    dimensions = serializers.DictField(
        child=serializers.CharField(), source="match", help_text=_("What it is the price of.")
    )
    unit_price = Money(help_text=_("Net."))
    unit_quantity = serializers.IntegerField(
        help_text=_("How many of the meter's base units the price is for.")
    )


class Prices(Endpoint):
    """What a unit of each meter costs."""

    @reads(Permission.PRICE_READ, PriceOut, query=PricesQuery, page=True)
    def get(self, call: Call) -> object:
        """List the prices in force, by SKU; the most specific one counts."""
        return prices_in_force(at=call.query.get("at", call.now), **call.page)
