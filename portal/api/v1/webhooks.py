"""Webhooks: addresses, their secrets, the delivery log, sending again; and the notices behind."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from portal.api.endpoint import Call, Endpoint, deletes, posts, reads, says
from portal.api.fields import Instant, Strict, Text
from portal.api.pagination import PageQuery
from tenants.commands.resends import resend_delivery, resend_since, send_test
from tenants.commands.webhooks import (
    change_endpoint,
    create_endpoint,
    remove_endpoint,
    rotate_secret,
    switch_endpoint,
)
from tenants.permissions import Permission
from tenants.queries.notices import notices
from tenants.queries.webhooks import deliveries, delivery, endpoint, endpoints

_URL = _("An https address on the public Internet, port 443 or 8443.")
_TYPES = _("Event types to hear of; none named means all.")


class WebhookIn(Strict):
    url = Text(max_length=500, help_text=_URL)
    description = Text(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=100, help_text=_TYPES
    )


class WebhookChangeIn(Strict):
    url = Text(max_length=500, required=False, help_text=_URL)
    description = Text(max_length=200, required=False, allow_blank=True)
    event_types = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=100, help_text=_TYPES
    )


# Output serializers are generic over models this layer must not import.
class WebhookOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=["enabled", "disabled", "auto_disabled"])
    state_reason = serializers.CharField(
        help_text=_("Why it was disabled by itself: gone, or failing.")
    )
    failing_since = Instant(allow_null=True)
    previous_secret_until = Instant(allow_null=True)
    created_at = Instant()


class NewWebhookOut(WebhookOut):
    secret = serializers.CharField(help_text=_("Shown this once; keep it."))


class Webhooks(Endpoint):
    """Addresses of your programs that hear of notices."""

    @says(_("List the addresses, newest first; never their secrets."))
    @reads(Permission.WEBHOOK_READ, WebhookOut, page=True)
    def get(self, call: Call) -> object:
        return endpoints(actor=call.actor, tenant_id=call.tenant_id, **call.page)

    @says(_("Add an address; its secret is in this answer only."))
    @posts(Permission.WEBHOOK_MANAGE, WebhookIn, NewWebhookOut)
    def post(self, call: Call) -> object:
        made, secret = create_endpoint(
            actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.body
        )
        made.secret = secret  # type: ignore[attr-defined]  # for NewWebhookOut, never stored
        return made


class Webhook(Endpoint):
    """One address."""

    @says(_("Show one address."))
    @reads(Permission.WEBHOOK_READ, WebhookOut)
    def get(self, call: Call, webhook_id: UUID) -> object:
        return endpoint(actor=call.actor, tenant_id=call.tenant_id, endpoint_id=webhook_id)

    @says(_("Change what is given and leave the rest."))
    @posts(Permission.WEBHOOK_MANAGE, WebhookChangeIn, WebhookOut, status=200)
    def post(self, call: Call, webhook_id: UUID) -> object:
        return change_endpoint(
            actor=call.actor, tenant_id=call.tenant_id, endpoint_id=webhook_id, **call.body
        )

    @says(_("Remove an address and its secrets; its delivery log stays."))
    @deletes(Permission.WEBHOOK_MANAGE)
    def delete(self, call: Call, webhook_id: UUID) -> None:
        remove_endpoint(
            actor=call.actor, tenant_id=call.tenant_id, endpoint_id=webhook_id, now=call.now
        )


class WebhookSecret(Endpoint):
    """The secret of one address."""

    @says(_("Make a new secret, in this answer only; the one before signs too for a day."))
    @posts(Permission.WEBHOOK_MANAGE, Strict, NewWebhookOut, status=200)
    def post(self, call: Call, webhook_id: UUID) -> object:
        changed, secret = rotate_secret(
            actor=call.actor, tenant_id=call.tenant_id, endpoint_id=webhook_id, now=call.now
        )
        changed.secret = secret  # type: ignore[attr-defined]  # for NewWebhookOut, never stored
        return changed


class WebhookEnable(Endpoint):
    """Begin to deliver."""

    @says(_("Enable an address; what it missed is delivered only when asked for."))
    @posts(Permission.WEBHOOK_MANAGE, Strict, WebhookOut, status=200)
    def post(self, call: Call, webhook_id: UUID) -> object:
        return switch_endpoint(
            actor=call.actor,
            tenant_id=call.tenant_id,
            endpoint_id=webhook_id,
            enabled=True,
            now=call.now,
        )


class WebhookDisable(Endpoint):
    """Stop delivering."""

    @says(_("Disable an address; what waits for it counts as failed."))
    @posts(Permission.WEBHOOK_MANAGE, Strict, WebhookOut, status=200)
    def post(self, call: Call, webhook_id: UUID) -> object:
        return switch_endpoint(
            actor=call.actor,
            tenant_id=call.tenant_id,
            endpoint_id=webhook_id,
            enabled=False,
            now=call.now,
        )


class DeliveryOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    webhook_id = serializers.UUIDField(source="endpoint_id")
    message_id = serializers.CharField(help_text=_("The webhook-id of every attempt."))
    event_type = serializers.CharField()
    state = serializers.ChoiceField(choices=["pending", "delivered", "failed"])
    attempts = serializers.IntegerField()
    due_at = Instant(allow_null=True, help_text=_("When it is tried next."))
    created_at = Instant()
    finished_at = Instant(allow_null=True)
    last_status = serializers.IntegerField(allow_null=True)
    last_outcome = serializers.CharField()


class WebhookTest(Endpoint):
    """A test message."""

    @says(_("Send a message of type webhook.tested."))
    @posts(Permission.WEBHOOK_MANAGE, Strict, DeliveryOut)
    def post(self, call: Call, webhook_id: UUID) -> object:
        return send_test(
            actor=call.actor, tenant_id=call.tenant_id, endpoint_id=webhook_id, now=call.now
        )


class ResendIn(Strict):
    since = Instant(help_text=_("At most 30 days back."))


class ResentOut(serializers.Serializer):  # type: ignore[type-arg]
    messages = serializers.IntegerField(help_text=_("How many wait because of this, 1000 at most."))


class WebhookResend(Endpoint):
    """What failed or was missed."""

    @says(_("Send again what failed since a time, and what was said while it was disabled."))
    @posts(Permission.WEBHOOK_MANAGE, ResendIn, ResentOut, status=200)
    def post(self, call: Call, webhook_id: UUID) -> object:
        messages = resend_since(
            actor=call.actor,
            tenant_id=call.tenant_id,
            endpoint_id=webhook_id,
            now=call.now,
            **call.body,
        )
        return {"messages": messages}


class DeliveryQuery(PageQuery):
    state = serializers.ChoiceField(
        choices=["pending", "delivered", "failed"],
        default="",
        help_text=_("Only deliveries in this state."),
    )


class WebhookDeliveries(Endpoint):
    """The delivery log of one address."""

    @says(_("List the deliveries, newest first."))
    @reads(Permission.WEBHOOK_READ, DeliveryOut, query=DeliveryQuery, page=True)
    def get(self, call: Call, webhook_id: UUID) -> object:
        return deliveries(
            actor=call.actor,
            tenant_id=call.tenant_id,
            endpoint_id=webhook_id,
            state=call.query["state"],
            **call.page,
        )


class AttemptOut(serializers.Serializer):  # type: ignore[type-arg]
    number = serializers.IntegerField()
    at = Instant()
    duration_ms = serializers.IntegerField()
    outcome = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    response_text = serializers.CharField(help_text=_("The first KiB of the answer."))


class DeliveryDetailOut(serializers.Serializer):  # type: ignore[type-arg]
    delivery = DeliveryOut()
    body = serializers.CharField(source="delivery.body", help_text=_("The text that is signed."))
    history = AttemptOut(many=True, source="attempts")


class WebhookDelivery(Endpoint):
    """One delivery."""

    @says(_("Show what was sent and what came back, attempt by attempt."))
    @reads(Permission.WEBHOOK_READ, DeliveryDetailOut)
    def get(self, call: Call, delivery_id: UUID) -> object:
        return delivery(actor=call.actor, tenant_id=call.tenant_id, delivery_id=delivery_id)


class WebhookDeliveryResend(Endpoint):
    """One delivery, once more."""

    @says(_("Send again under the same webhook-id."))
    @posts(Permission.WEBHOOK_MANAGE, Strict, DeliveryOut, status=200)
    def post(self, call: Call, delivery_id: UUID) -> object:
        return resend_delivery(
            actor=call.actor, tenant_id=call.tenant_id, delivery_id=delivery_id, now=call.now
        )


class NoticeQuery(PageQuery):
    kind = Text(max_length=60, default="", help_text=_("Only notices of this kind."))


class NoticeOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    kind = serializers.CharField(help_text=_("The event type of webhooks."))
    at = Instant()
    title = serializers.CharField()
    body = serializers.CharField()
    detail = serializers.DictField()


class Notices(Endpoint):
    """What the organisation was told."""

    @says(_("List the notices, newest first."))
    @reads(Permission.NOTICE_READ, NoticeOut, query=NoticeQuery, page=True)
    def get(self, call: Call) -> object:
        return notices(
            actor=call.actor, tenant_id=call.tenant_id, kind=call.query["kind"], **call.page
        )
