"""The wallet: how the tenant stands."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.queries.pages import statement_page
from billing.queries.wallet import standing
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Instant, Money
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


class MovementOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField(source="transaction_id")
    kind = serializers.CharField(
        help_text=_("What moved it, such as top_up, invoice, settlement or credit_note.")
    )
    reference = serializers.CharField(help_text=_("The invoice, note or payment it is of."))
    booked_at = Instant()
    wallet = Money(help_text=_("Into the wallet; below zero out of it."))
    receivable = Money(help_text=_("Owed in addition; below zero less."))


class WalletMovements(Endpoint):
    """What moved the tenant's money."""

    @says(_("List the movements of the wallet and of what is owed, newest first."))
    @reads(Permission.WALLET_READ, MovementOut, page=True)
    def get(self, call: Call) -> object:
        return statement_page(actor=call.actor, tenant_id=call.tenant_id, **call.page)
