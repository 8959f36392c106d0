"""Webhooks.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from portal_client.api.shared import Delivery
from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """``NewWebhookOut`` of the API."""

    id: UUID
    url: str
    description: str
    event_types: tuple[str, ...]
    state: str
    # Why it was disabled by itself: gone, or failing.
    state_reason: str
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    # Shown this once; keep it.
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """``ResentOut`` of the API."""

    # How many wait because of this, 1000 at most.
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """``WebhookOut`` of the API."""

    id: UUID
    url: str
    description: str
    event_types: tuple[str, ...]
    state: str
    # Why it was disabled by itself: gone, or failing.
    state_reason: str
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


class WebhooksApi:
    """The operations of ``/api/v1/webhooks``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Webhook]:
        """List the addresses, newest first; never their secrets.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: tenants:webhook:read.
        """
        return self._transport.pages(
            Webhook, Call("GET", path("webhooks"), query={"limit": limit}), cursor
        )

    def create(
        self,
        *,
        url: str,
        description: str | None = None,
        event_types: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> NewWebhook:
        """Add an address; its secret is in this answer only.

        ``url``: An https address on the public Internet, port 443 or 8443.
        ``event_types``: Event types to hear of; none named means all.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            NewWebhook,
            Call(
                "POST",
                path("webhooks"),
                body=body_of(
                    {"url": url}, {"description": description, "event_types": event_types}
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def get(self, webhook_id: UUID | str) -> Webhook:
        """Show one address.

        Scope: tenants:webhook:read.
        """
        return self._transport.answer(Webhook, Call("GET", path("webhooks", webhook_id)))

    def change(
        self,
        webhook_id: UUID | str,
        *,
        url: str | None = None,
        description: str | None = None,
        event_types: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Webhook:
        """Change what is given and leave the rest.

        ``url``: An https address on the public Internet, port 443 or 8443.
        ``event_types``: Event types to hear of; none named means all.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            Webhook,
            Call(
                "POST",
                path("webhooks", webhook_id),
                body=body_of(
                    {}, {"url": url, "description": description, "event_types": event_types}
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def delete(self, webhook_id: UUID | str) -> None:
        """Remove an address and its secrets; its delivery log stays.

        Scope: tenants:webhook:manage.
        """
        self._transport.nothing(Call("DELETE", path("webhooks", webhook_id)))

    def list_deliveries(
        self,
        webhook_id: UUID | str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["pending", "delivered", "failed"] | None = None,
    ) -> Pages[Delivery]:
        """List the deliveries, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.
        ``state``: Only deliveries in this state.

        Scope: tenants:webhook:read.
        """
        return self._transport.pages(
            Delivery,
            Call(
                "GET",
                path("webhooks", webhook_id, "deliveries"),
                query={"limit": limit, "state": state},
            ),
            cursor,
        )

    def disable(self, webhook_id: UUID | str, *, idempotency_key: str | None = None) -> Webhook:
        """Disable an address; what waits for it counts as failed.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            Webhook,
            Call("POST", path("webhooks", webhook_id, "disable"), key=key_for(idempotency_key)),
        )

    def enable(self, webhook_id: UUID | str, *, idempotency_key: str | None = None) -> Webhook:
        """Enable an address; what it missed is delivered only when asked for.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            Webhook,
            Call("POST", path("webhooks", webhook_id, "enable"), key=key_for(idempotency_key)),
        )

    def resend(
        self, webhook_id: UUID | str, *, since: datetime, idempotency_key: str | None = None
    ) -> Resent:
        """Send again what failed since a time, and what was said while it was disabled.

        ``since``: At most 30 days back.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            Resent,
            Call(
                "POST",
                path("webhooks", webhook_id, "resend"),
                body=body_of({"since": since}, {}),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def secret(self, webhook_id: UUID | str, *, idempotency_key: str | None = None) -> NewWebhook:
        """Make a new secret, in this answer only; the one before signs too for a day.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            NewWebhook,
            Call("POST", path("webhooks", webhook_id, "secret"), key=key_for(idempotency_key)),
        )

    def test(self, webhook_id: UUID | str, *, idempotency_key: str | None = None) -> Delivery:
        """Send a message of type webhook.tested.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            Delivery,
            Call("POST", path("webhooks", webhook_id, "test"), key=key_for(idempotency_key)),
        )
