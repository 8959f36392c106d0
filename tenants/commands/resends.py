"""Sending again: one delivery, all that failed or was missed since a time, a test."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.ids import uuid7
from tenants.audit import record
from tenants.commands.deliveries import new_delivery, nudge
from tenants.commands.spreading import message_id_of
from tenants.models import Notice, WebhookDelivery, WebhookEndpoint
from tenants.models.webhooks import DELIVERY_TRANSITIONS, DeliveryState, EndpointState
from tenants.permissions import Actor, Permission, require

TEST_EVENT = "webhook.tested"
RESEND_LIMIT = 1000
RESEND_DAYS = 30


class EndpointNotEnabled(DomainError):
    """Nothing is delivered to this endpoint at the moment."""

    code = "webhook_not_enabled"
    status = 409
    message = _("This webhook address is disabled; enable it first.")


@transaction.atomic
def resend_delivery(
    *, actor: Actor, tenant_id: UUID, delivery_id: UUID, now: datetime
) -> WebhookDelivery:
    """Deliver a message once more under the same webhook-id, with a new row of tries.

    Raises: PermissionRefused, NotFound, EndpointNotEnabled.
    Idempotent: one that waits is made due now; one being sent at the moment is left alone.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    rows = WebhookDelivery.objects.filter(pk=delivery_id, tenant_id=tenant_id)
    delivery = rows.first()
    if delivery is None:
        raise NotFound
    _enabled(tenant_id, delivery.endpoint_id)
    again = rows.filter(state__in=DELIVERY_TRANSITIONS[DeliveryState.PENDING]).update(
        state=DeliveryState.PENDING, tries=0, due_at=now, finished_at=None
    )
    if not again:
        rows.filter(state=DeliveryState.PENDING, leased_until=None).update(due_at=now)
    nudge([delivery])
    record(
        actor,
        "tenants.webhook.resent",
        subject=f"tenants.webhookdelivery:{delivery_id}",
        tenant_id=tenant_id,
    )
    return rows.get()


@transaction.atomic
def resend_since(
    *, actor: Actor, tenant_id: UUID, endpoint_id: UUID, since: datetime, now: datetime
) -> int:
    """Deliver again what failed since a time, and what was said while the endpoint was disabled.

    Shape: gives how many messages wait now because of this, a thousand at most.
    Raises: PermissionRefused, NotFound, InvalidInput, EndpointNotEnabled.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    if since < now - timedelta(days=RESEND_DAYS):
        detail = _("At most 30 days back.")
        raise InvalidInput(errors=[FieldError("/since", "too_early", detail)])
    endpoint = _enabled(tenant_id, endpoint_id)
    failed = WebhookDelivery.objects.filter(
        endpoint=endpoint, state=DeliveryState.FAILED, created_at__gte=since
    )
    keys = list(failed.order_by("pk").values_list("pk", flat=True)[:RESEND_LIMIT])
    WebhookDelivery.objects.filter(pk__in=keys, state=DeliveryState.FAILED).update(
        state=DeliveryState.PENDING, tries=0, due_at=now, finished_at=None
    )
    missed = _missed(endpoint, since, now, RESEND_LIMIT - len(keys))
    WebhookDelivery.objects.bulk_create(missed, ignore_conflicts=True)
    waiting = WebhookDelivery.objects.filter(pk__in=[*keys, *(one.pk for one in missed)])
    count = waiting.count()
    # The line is worked off from its head: each call that ends wakes the next.
    nudge(waiting.order_by("pk")[:2])
    record(
        actor,
        "tenants.webhook.resent",
        subject=f"tenants.webhookendpoint:{endpoint_id}",
        tenant_id=tenant_id,
        detail={"since": since.isoformat(), "messages": count},
    )
    return count


@transaction.atomic
def send_test(
    *, actor: Actor, tenant_id: UUID, endpoint_id: UUID, now: datetime
) -> WebhookDelivery:
    """Deliver a message that says nothing but that it arrived.

    Raises: PermissionRefused, NotFound, EndpointNotEnabled.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    endpoint = _enabled(tenant_id, endpoint_id)
    delivery = new_delivery(
        endpoint=endpoint,
        notice_id=None,
        message_id=message_id_of(uuid7()),
        event_type=TEST_EVENT,
        at=now,
        detail={"webhook_id": str(endpoint_id)},
        now=now,
    )
    WebhookDelivery.objects.bulk_create([delivery])
    nudge([delivery])
    record(
        actor,
        "tenants.webhook.tested",
        subject=f"tenants.webhookendpoint:{endpoint_id}",
        tenant_id=tenant_id,
    )
    return delivery


def _enabled(tenant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """Locks: the endpoint, so that it is not disabled while its line grows."""
    endpoint = (
        WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk=endpoint_id, tenant_id=tenant_id)
        .exclude(state=EndpointState.REMOVED)
        .first()
    )
    if endpoint is None:
        raise NotFound
    if endpoint.state != EndpointState.ENABLED:
        raise EndpointNotEnabled
    return endpoint


def _missed(
    endpoint: WebhookEndpoint, since: datetime, now: datetime, limit: int
) -> list[WebhookDelivery]:
    """What this endpoint would have heard of had it been enabled."""
    said = Notice.objects.filter(
        tenant_id=endpoint.tenant_id, at__gte=max(since, endpoint.created_at)
    ).exclude(
        pk__in=WebhookDelivery.objects.filter(endpoint=endpoint)
        .exclude(notice=None)
        .values("notice_id")
    )
    if endpoint.event_types:
        said = said.filter(kind__in=endpoint.event_types)
    return [
        new_delivery(
            endpoint=endpoint,
            notice_id=notice.pk,
            message_id=message_id_of(notice.pk),
            event_type=notice.kind,
            at=notice.at,
            detail=notice.detail,
            now=now,
        )
        for notice in said.order_by("pk")[:limit]
    ]
