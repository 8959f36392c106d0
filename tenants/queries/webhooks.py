"""Webhook addresses and their delivery log; never a secret."""

from dataclasses import dataclass
from uuid import UUID

from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.models.webhooks import EndpointState
from tenants.notices import declared
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class DeliveryDetail:
    """One delivery with every attempt, the first one first."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint
    attempts: tuple[WebhookAttempt, ...]


def event_types() -> tuple[str, ...]:
    """Every event type there is, by name."""
    return tuple(sorted(declared()))


def endpoints(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[WebhookEndpoint]:
    """A tenant's webhook addresses, newest first, without removed ones.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.WEBHOOK_READ, tenant_id)
    rows = WebhookEndpoint.objects.filter(tenant_id=tenant_id).exclude(state=EndpointState.REMOVED)
    return newest_first(rows, cursor=cursor, limit=limit)


def endpoint(*, actor: Actor, tenant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """One address. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.WEBHOOK_READ, tenant_id)
    rows = WebhookEndpoint.objects.filter(pk=endpoint_id, tenant_id=tenant_id)
    row = rows.exclude(state=EndpointState.REMOVED).first()
    if row is None:
        raise NotFound
    return row


def deliveries(
    *,
    actor: Actor,
    tenant_id: UUID,
    endpoint_id: UUID,
    state: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[WebhookDelivery]:
    """An address's delivery log, newest first; in one state where one is named.

    Raises: PermissionRefused, NotFound, InvalidInput.
    """
    endpoint(actor=actor, tenant_id=tenant_id, endpoint_id=endpoint_id)
    rows = WebhookDelivery.objects.filter(endpoint_id=endpoint_id, tenant_id=tenant_id)
    return newest_first(rows.filter(state=state) if state else rows, cursor=cursor, limit=limit)


def delivery(*, actor: Actor, tenant_id: UUID, delivery_id: UUID) -> DeliveryDetail:
    """One delivery, what was sent and what came back. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.WEBHOOK_READ, tenant_id)
    rows = WebhookDelivery.objects.select_related("endpoint")
    row = rows.filter(pk=delivery_id, tenant_id=tenant_id).first()
    if row is None:
        raise NotFound
    attempts = WebhookAttempt.objects.filter(delivery=row).order_by("number")
    return DeliveryDetail(delivery=row, endpoint=row.endpoint, attempts=tuple(attempts))
