"""Webhook deliveries.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal_client.api.shared import Delivery
from portal_client.calls import Call, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """``AttemptOut`` of the API."""

    number: int
    at: datetime
    duration_ms: int
    outcome: str
    status: int | None
    # The first KiB of the answer.
    response_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDetail:
    """``DeliveryDetailOut`` of the API."""

    delivery: Delivery
    # The text that is signed.
    body: str
    history: tuple[Attempt, ...]


class WebhookDeliveriesApi:
    """The operations of ``/api/v1/webhook-deliveries``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, delivery_id: UUID | str) -> DeliveryDetail:
        """Show what was sent and what came back, attempt by attempt.

        Scope: tenants:webhook:read.
        """
        return self._transport.answer(
            DeliveryDetail, Call("GET", path("webhook-deliveries", delivery_id))
        )

    def resend(self, delivery_id: UUID | str, *, idempotency_key: str | None = None) -> Delivery:
        """Send again under the same webhook-id.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:webhook:manage.
        """
        return self._transport.answer(
            Delivery,
            Call(
                "POST",
                path("webhook-deliveries", delivery_id, "resend"),
                key=key_for(idempotency_key),
            ),
        )
