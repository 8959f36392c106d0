"""Objections to invoice lines: opening one, reading the answers, taking one back."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.commands.disputes import open_dispute, withdraw_dispute
from billing.queries.corrections import dispute_page
from portal.api.endpoint import Call, Endpoint, posts, reads, says
from portal.api.fields import Instant, Strict, Text
from portal.api.v1.reservations import Nothing
from tenants.permissions import Permission

# More lines than an invoice ever has, and within what the database counts with.
MOST_LINES = 1_000_000


# Output serializers are generic over models this layer must not import.
class DisputeOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    invoice_id = serializers.UUIDField(source="invoice_line.invoice_id")
    line = serializers.IntegerField(
        source="invoice_line.position", help_text=_("The number of the invoice's line.")
    )
    state = serializers.CharField(help_text=_("open, accepted, rejected or withdrawn."))
    reason = serializers.CharField()
    opened_at = Instant()
    opened_by = serializers.CharField()
    answer = serializers.CharField(help_text=_("What the centre said; empty while it is open."))
    answered_at = Instant(allow_null=True)
    credit_note_id = serializers.UUIDField(
        allow_null=True, help_text=_("What gave the line back, where it was accepted.")
    )


class DisputeIn(Strict):
    line = serializers.IntegerField(
        min_value=1, max_value=MOST_LINES, help_text=_("The number of the invoice's line.")
    )
    reason = Text(max_length=1000)


class Disputes(Endpoint):
    """Objections to the lines of one invoice."""

    @says(_("List the objections to an invoice, newest first."))
    @reads(Permission.INVOICE_READ, DisputeOut, page=True)
    def get(self, call: Call, invoice_id: UUID) -> object:
        return dispute_page(
            actor=call.actor, tenant_id=call.tenant_id, invoice_id=invoice_id, **call.page
        )

    @says(_("Object to one line; nothing is owed less before the centre accepts it."))
    @posts(Permission.DISPUTE_OPEN, DisputeIn, DisputeOut)
    def post(self, call: Call, invoice_id: UUID) -> object:
        return open_dispute(
            actor=call.actor,
            tenant_id=call.tenant_id,
            invoice_id=invoice_id,
            position=call.body["line"],
            reason=call.body["reason"],
            now=call.now,
        )


class DisputeWithdraw(Endpoint):
    """Taking an objection back."""

    @says(_("Take an objection back before it is answered."))
    @posts(Permission.DISPUTE_OPEN, Nothing, DisputeOut, status=200)
    def post(self, call: Call, invoice_id: UUID, dispute_id: UUID) -> object:
        return withdraw_dispute(
            actor=call.actor,
            tenant_id=call.tenant_id,
            invoice_id=invoice_id,
            dispute_id=dispute_id,
            now=call.now,
        )
