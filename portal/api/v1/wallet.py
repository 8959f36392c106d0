"""The wallet: how the tenant stands."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.queries.wallet import standing
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Money
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class WalletOut(serializers.Serializer):  # type: ignore[type-arg]
    currency = serializers.CharField()
    balance = Money(help_text=_("Paid in, less what is owed on invoices."))
    credit_limit = Money()
    held = Money(help_text=_("Set aside for reservations and work."))
    unbilled = Money(help_text=_("Used and not yet invoiced, with tax."))
    available = Money(help_text=_("What a new promise may take."))


class Wallet(Endpoint):
    """The tenant's money."""

    @says(_("Show how the tenant stands."))
    @reads(Permission.WALLET_READ, WalletOut)
    def get(self, call: Call) -> object:
        return standing(call.tenant_id)
