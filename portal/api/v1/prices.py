"""The price book as the tenant pays it."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.queries.own_prices import own_price_page
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import InLanguage, Instant, Money
from portal.api.pagination import PageQuery
from tenants.permissions import Permission


class PricesQuery(PageQuery):
    at = Instant(required=False, help_text=_("In force then; now by default."))


# Output serializers are generic over models this layer must not import.
class TierOut(serializers.Serializer):  # type: ignore[type-arg]
    up_to = serializers.IntegerField(
        allow_null=True, help_text=_("In base units, of the month's total; null has no end.")
    )
    unit_price = Money(help_text=_("Net."))
    fee = Money(help_text=_("Net, once, when the tier is entered."))


class PriceOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    sku = serializers.CharField()
    title = InLanguage("title")
    meter = serializers.CharField()
    dimensions = serializers.DictField(
        child=serializers.CharField(), source="match", help_text=_("What it is the price of.")
    )
    model = serializers.CharField(
        help_text=_("How the month's total is priced: flat, graduated, volume, package or spot.")
    )
    currency = serializers.CharField()
    unit_price = Money(help_text=_("Net."))
    unit_quantity = serializers.IntegerField(
        help_text=_("How many of the meter's base units the price is for.")
    )
    tiers = TierOut(many=True)
    list_unit_price = Money(help_text=_("What the list asks, net."))
    list_unit_quantity = serializers.IntegerField()
    contract_number = serializers.CharField(
        allow_blank=True, help_text=_("The contract that makes the price; empty for the list's.")
    )


class Prices(Endpoint):
    """What a unit of each meter costs."""

    @says(_("List the tenant's prices in force, by SKU; the most specific one counts."))
    @reads(Permission.PRICE_READ, PriceOut, query=PricesQuery, page=True)
    def get(self, call: Call) -> object:
        return own_price_page(
            actor=call.actor,
            tenant_id=call.tenant_id,
            at=call.query.get("at", call.now),
            **call.page,
        )
