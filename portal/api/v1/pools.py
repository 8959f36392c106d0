"""Pools: what is on offer and when it is free."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from common.period import Period
from compute.queries.classes import pool_classes
from compute.queries.listings import pool_listings, pool_steps
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Amount, InLanguage, Instant, Strict, refuse_reversed
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class ChipOut(serializers.Serializer):  # type: ignore[type-arg]
    code = serializers.CharField()
    vendor = InLanguage("vendor")
    model = serializers.CharField(source="name")
    memory_gb = serializers.IntegerField(allow_null=True)
    petaflops = Amount(allow_null=True, help_text=_("Dense FP16, of one card."))


class PoolOut(serializers.Serializer):  # type: ignore[type-arg]
    code = serializers.CharField(source="pool.code")
    name = InLanguage("name", source="pool")
    centre = serializers.CharField(source="pool.cluster.centre.code")
    cluster = serializers.CharField(source="pool.cluster.code")
    chip = ChipOut(source="pool.chip")
    is_sold = serializers.BooleanField()
    capacity_cards = serializers.IntegerField(source="capacity")
    free_cards = serializers.IntegerField(source="free")
    largest_gang = serializers.IntegerField(
        allow_null=True, help_text=_("The most cards free together on one node.")
    )
    as_of = Instant(
        source="pool.cluster.last_synced_at",
        allow_null=True,
        help_text=_("When its scheduler last answered."),
    )
    stale = serializers.BooleanField()


class Pools(Endpoint):
    """Cards of one chip model in one cluster, sold together."""

    @says(_("List the pools, by code, as they stand now."))
    @reads(Permission.POOL_READ, PoolOut, page=True)
    def get(self, call: Call) -> object:
        return pool_listings(actor=call.actor, now=call.now, **call.page)


class PeriodQuery(Strict):
    starts_at = Instant()
    ends_at = Instant()

    def validate(self, attrs: Any) -> Any:
        refuse_reversed(attrs, "starts_at", "ends_at")
        return attrs


class StepOut(serializers.Serializer):  # type: ignore[type-arg]
    starts_at = Instant(source="period.start")
    ends_at = Instant(source="period.end")
    capacity = serializers.IntegerField()
    free = serializers.IntegerField()


class PoolAvailabilityOut(serializers.Serializer):  # type: ignore[type-arg]
    steps = StepOut(many=True)


class PoolAvailability(Endpoint):
    """What a pool has free over a period."""

    @says(_("Show the pool's steps: the free cards change only where one ends and another begins."))
    @reads(Permission.POOL_READ, PoolAvailabilityOut, query=PeriodQuery)
    def get(self, call: Call, code: str) -> object:
        period = Period(call.query["starts_at"], call.query["ends_at"])
        return {"steps": pool_steps(actor=call.actor, code=code, period=period)}


class ClassOfferOut(serializers.Serializer):  # type: ignore[type-arg]
    service_class = serializers.CharField(help_text=_('"on_demand", "shared" or "urgent".'))
    card_hour = Amount(help_text=_("Net, for one card for an hour."))
    currency = serializers.CharField()


class PoolServiceClassesOut(serializers.Serializer):  # type: ignore[type-arg]
    service_classes = ClassOfferOut(many=True)


class PoolServiceClasses(Endpoint):
    """What a deployment may choose in a pool."""

    @says(_("Show the service classes a pool offers outside reservations, with their prices."))
    @reads(Permission.POOL_READ, PoolServiceClassesOut)
    def get(self, call: Call, code: str) -> object:
        return {"service_classes": pool_classes(actor=call.actor, code=code, now=call.now)}
