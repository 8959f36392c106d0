"""The catalogue: appliances on sale and where they fit."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from appliances.queries.sheets import ApplianceSheet, appliance_sheet, appliances_on_sale
from portal.api.endpoint import Call, Endpoint, reads, says
from portal.api.fields import Amount, InLanguage, Spoken
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class ApplianceOut(serializers.Serializer):  # type: ignore[type-arg]
    code = serializers.CharField()
    name = InLanguage("name")
    description = InLanguage("description")
    category = serializers.CharField()
    api = serializers.CharField()
    model = serializers.CharField()
    licence = serializers.CharField()
    params_b = Amount(allow_null=True, help_text=_("Parameters, in thousands of millions."))
    context_tokens = serializers.IntegerField(source="context_served", allow_null=True)


class FitStepOut(serializers.Serializer):  # type: ignore[type-arg]
    # A member named like an attribute of every field.
    label = Spoken(source="title")  # type: ignore[assignment]
    formula = serializers.CharField()
    value = Amount()
    unit = serializers.CharField()
    basis = serializers.CharField(
        source="label", help_text=_("How the number is known: measured down to assumed.")
    )


class FitOut(serializers.Serializer):  # type: ignore[type-arg]
    pool = serializers.CharField(source="pool.code")
    chip = serializers.CharField(source="pool.chip_id")
    verdict = serializers.CharField(source="verdict.answer")
    cards = serializers.IntegerField(source="verdict.cards", allow_null=True)
    nodes = serializers.IntegerField(source="verdict.nodes", allow_null=True)
    steps = FitStepOut(source="verdict.steps", many=True)
    notes = serializers.ListField(child=serializers.CharField())


class ApplianceSheetOut(ApplianceOut):
    fit = FitOut(many=True)

    def to_representation(self, instance: ApplianceSheet) -> dict[str, object]:
        """The appliance's own members with its fit beside them."""
        own = ApplianceOut(instance.appliance).data
        return {**own, "fit": FitOut(instance.fit, many=True).data}


class Appliances(Endpoint):
    """Models sold as one thing with their serving engine and their cards."""

    @says(_("List what is on sale, by code."))
    @reads(Permission.CATALOGUE_READ, ApplianceOut, page=True)
    def get(self, call: Call) -> object:
        return appliances_on_sale(actor=call.actor, **call.page)


class Appliance(Endpoint):
    """One appliance."""

    @says(_("Show one appliance, and whether it fits in each pool, with the arithmetic."))
    @reads(Permission.CATALOGUE_READ, ApplianceSheetOut)
    def get(self, call: Call, code: str) -> object:
        return appliance_sheet(actor=call.actor, code=code)
