"""Where a tenant's programs listen, what is to be delivered there, and how each attempt went."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.base import TenantOwned


class EndpointState(models.TextChoices):
    ENABLED = "enabled", _("Enabled")
    DISABLED = "disabled", _("Disabled")
    AUTO_DISABLED = "auto_disabled", _("Disabled after failing")
    REMOVED = "removed", _("Removed")


# From which states an endpoint may come into a state.
ENDPOINT_TRANSITIONS: dict[str, frozenset[str]] = {
    EndpointState.ENABLED: frozenset({EndpointState.DISABLED, EndpointState.AUTO_DISABLED}),
    EndpointState.DISABLED: frozenset({EndpointState.ENABLED, EndpointState.AUTO_DISABLED}),
    EndpointState.AUTO_DISABLED: frozenset({EndpointState.ENABLED}),
    EndpointState.REMOVED: frozenset(
        {EndpointState.ENABLED, EndpointState.DISABLED, EndpointState.AUTO_DISABLED}
    ),
}


class WebhookEndpoint(TenantOwned):
    """One address of a tenant's program that hears of notices.

    Shape: no ``event_types`` means all of them; the secret is sealed, and the one before it signs
    too until ``previous_secret_until``. ``failing_since`` is the first failure after the last
    success; while it is set the endpoint is tried by the sweeper only.
    """

    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    event_types = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    state = models.CharField(
        max_length=20, choices=EndpointState.choices, default=EndpointState.ENABLED
    )
    state_reason = models.CharField(max_length=20, blank=True, default="")
    sealed_secret = models.BinaryField()
    sealed_previous_secret = models.BinaryField(null=True)
    previous_secret_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=EndpointState.values),
                name="tenants_webhookendpoint_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(sealed_previous_secret=None, previous_secret_until=None)
                | models.Q(
                    sealed_previous_secret__isnull=False, previous_secret_until__isnull=False
                ),
                name="tenants_webhookendpoint_overlap_ends",
            ),
        ]


class DeliveryState(models.TextChoices):
    PENDING = "pending", _("Pending")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


# From which states a delivery may come into a state; back to pending by a resend.
DELIVERY_TRANSITIONS: dict[str, frozenset[str]] = {
    DeliveryState.DELIVERED: frozenset({DeliveryState.PENDING}),
    DeliveryState.FAILED: frozenset({DeliveryState.PENDING}),
    DeliveryState.PENDING: frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED}),
}


class WebhookDelivery(TenantOwned):
    """One message for one endpoint; the row is its place in the queue.

    Shape: ``message_id`` is the webhook-id of every attempt and ``body`` the very text that is
    signed; ``tries`` counts since the last resend and ``attempts`` since ever. A pending row is
    due at ``due_at`` unless somebody holds it until ``leased_until``.
    """

    endpoint = models.ForeignKey(
        "tenants.WebhookEndpoint", on_delete=models.PROTECT, related_name="+"
    )
    notice = models.ForeignKey(
        "tenants.Notice", on_delete=models.PROTECT, related_name="+", null=True
    )
    message_id = models.CharField(max_length=60)
    event_type = models.CharField(max_length=60)
    body = models.TextField()
    state = models.CharField(
        max_length=20, choices=DeliveryState.choices, default=DeliveryState.PENDING
    )
    tries = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_outcome = models.CharField(max_length=30, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "notice"], name="tenants_webhookdelivery_once"
            ),
            models.UniqueConstraint(
                fields=["endpoint", "message_id"], name="tenants_webhookdelivery_message"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=DeliveryState.values),
                name="tenants_webhookdelivery_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="pending", finished_at=None, due_at__isnull=False)
                | models.Q(
                    ~models.Q(state="pending"),
                    finished_at__isnull=False,
                    due_at=None,
                    leased_until=None,
                ),
                name="tenants_webhookdelivery_pending_is_due",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state="pending"),
                name="tenants_webhookdelivery_due",
            ),
            models.Index(
                fields=["endpoint", "due_at"],
                condition=models.Q(state="pending"),
                name="tenants_webhookdelivery_line",
            ),
            models.Index(fields=["endpoint", "-id"], name="tenants_webhookdelivery_log"),
            models.Index(
                fields=["finished_at"],
                condition=~models.Q(state="pending"),
                name="tenants_webhookdelivery_old",
            ),
            models.Index(
                fields=["endpoint", "-id"],
                condition=models.Q(state="failed"),
                name="tenants_webhookdelivery_failed",
            ),
        ]


class WebhookAttempt(TenantOwned):
    """One call: when, how long, what came back; it goes only with its delivery, when that is old.

    Shape: ``response_text`` is at most the first KiB of the answer; ``status`` is empty where no
    answer came, and ``outcome`` says why.
    """

    delivery = models.ForeignKey(
        "tenants.WebhookDelivery", on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    outcome = models.CharField(max_length=30)
    status = models.PositiveSmallIntegerField(null=True)
    response_text = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "number"], name="tenants_webhookattempt_number"
            ),
        ]
