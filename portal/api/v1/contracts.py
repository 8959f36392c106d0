"""What the tenant agreed with the centre."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.queries.contracts import contract_page
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Money
from portal.api.v1.prices import TierOut
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class TermOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    kind = serializers.CharField(help_text=_("discount, price, minimum or commitment."))
    meter = serializers.CharField(allow_blank=True, help_text=_("Empty is every meter."))
    sku = serializers.CharField(allow_blank=True, help_text=_("Empty is every SKU."))
    dimensions = serializers.DictField(child=serializers.CharField(), source="match")
    discount_percent = Money(allow_null=True, help_text=_("Of the list price."))
    model = serializers.CharField(allow_blank=True)
    unit_price = Money(allow_null=True, help_text=_("Net."))
    unit_quantity = serializers.IntegerField(allow_null=True)
    tiers = TierOut(many=True)
    amount = Money(allow_null=True, help_text=_("Net, to be reached in each interval."))
    interval = serializers.CharField(allow_blank=True, help_text=_("month or term."))
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class ContractOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    number = serializers.CharField()
    title = serializers.CharField()
    state = serializers.CharField(help_text=_("active or ended."))
    currency = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    terms = TermOut(many=True, source="terms.all")


class Contracts(Endpoint):
    """Contracts with the centre."""

    @says(_("List the contracts that were agreed, with their terms, by number."))
    @reads(Permission.CONTRACT_READ, ContractOut, page=True)
    def get(self, call: Call) -> object:
        return contract_page(actor=call.actor, tenant_id=call.tenant_id, **call.page)
