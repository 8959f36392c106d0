"""Taking back and correcting what was counted."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.commands.corrections import CorrectionReceipt, correct_items
from billing.usage import EventStatus
from portal.api.endpoint import Call, Endpoint, says, takes_in
from portal.api.fields import Strict, Text, Whole
from portal.api.parsing import PartsParser
from portal.api.v1.usage import writable
from portal.reasons import REASONS
from tenants.permissions import Permission


class CorrectedEventIn(Strict):
    source = Text(max_length=100)  # type: ignore[assignment]  # CloudEvents' own name
    id = Text(max_length=200)


class CorrectionIn(Strict):
    """What an event should have said; described here, made out by the domain."""

    id = Text(max_length=200, help_text=_("With the source, the correction's own identity."))
    source = Text(max_length=100)  # type: ignore[assignment]  # CloudEvents' own name
    event = CorrectedEventIn()
    kind = serializers.ChoiceField(choices=["correct", "void"])
    quantity = Whole(
        max_value=10**15,
        required=False,
        help_text=_("Of a correction, what the event should have said; a void has none."),
    )
    reason = Text(max_length=500)


class CorrectionResultOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # CloudEvents' own name
    status = serializers.ChoiceField(choices=[status.value for status in EventStatus])
    code = serializers.CharField(help_text=_("Why it was not accepted; stable."))
    detail = serializers.CharField()
    # No choice: the document's generator leaves the empty one out of an enumeration.
    effect = serializers.CharField(
        help_text=_("draft_updated or next_invoice_correction; empty where nothing was booked.")
    )
    difference = serializers.IntegerField(help_text=_("What was booked, in base units."))


class CorrectionReceiptOut(serializers.Serializer):  # type: ignore[type-arg]
    results = CorrectionResultOut(many=True)
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    conflict = serializers.IntegerField()
    rejected = serializers.IntegerField()

    def to_representation(self, instance: CorrectionReceipt) -> dict[str, Any]:
        counts = instance.counts
        return {
            "results": [
                {
                    "id": writable(result.id),
                    "source": writable(result.source),
                    "status": result.status.value,
                    "code": result.code,
                    "detail": str(REASONS.get(result.code, "")),
                    "effect": result.effect.value if result.effect else "",
                    "difference": result.difference,
                }
                for result in instance.results
            ],
            **{status.value: counts[status] for status in EventStatus},
        }


class UsageCorrections(Endpoint):
    """What was said of counted events afterwards."""

    parser_classes = (PartsParser,)

    @says(
        _("Correct or void events: one correction, or up to 1,000; each has a result of its own.")
    )
    @takes_in(Permission.USAGE_CORRECT, CorrectionIn, CorrectionReceiptOut)
    def post(self, call: Call) -> object:
        return correct_items(
            actor=call.actor, tenant_id=call.tenant_id, items=call.body["parts"], now=call.now
        )
