"""How the tenant stands with what it owes, and until when."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.queries.arrears import standing_of
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Amount, Instant, Money
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class DeadlinesOut(serializers.Serializer):  # type: ignore[type-arg]
    on_demand_freeze_at = Instant()
    on_demand_release_at = Instant()
    reserved_freeze_at = Instant()
    reserved_release_at = Instant()


class StandingOut(serializers.Serializer):  # type: ignore[type-arg]
    state = serializers.CharField()
    since = Instant(allow_null=True)
    may_create = serializers.BooleanField()
    frozen = serializers.SerializerMethodField(
        help_text=_('Which classes of work are stopped: "on_demand", "reserved".')
    )
    deadline = Instant(allow_null=True)
    deadlines = DeadlinesOut(allow_null=True)
    amount_needed = Money()
    currency = serializers.CharField()
    daily_spend = Money()
    days_left = Amount(allow_null=True)
    exempt_until = Instant(allow_null=True)

    def get_frozen(self, arrears: Any) -> list[str]:
        return sorted(kind.value for kind in arrears.must_freeze)


class Standing(Endpoint):
    """The tenant's standing."""

    @says(_("Show the standing with its deadlines and the amount that clears it."))
    @reads(Permission.WALLET_READ, StandingOut)
    def get(self, call: Call) -> object:
        return standing_of(call.tenant_id, call.now)
