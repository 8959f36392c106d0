"""The delivery row as the queue: claimed, recorded, put back, given up.

A healthy endpoint's deliveries are claimed one by one as they are nudged, at most two at a time. An
endpoint that has failed since it last answered is left to the sweeper's rounds, one delivery a
round, so that a dead receiver costs nobody else a worker.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import connection
from django.db.models import F, Q

from common.nudge import after_commit
from tenants import notices
from tenants.audit import record
from tenants.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.models.webhooks import DELIVERY_TRANSITIONS, DeliveryState, EndpointState
from tenants.permissions import SYSTEM
from tenants.sealing import unseal
from tenants.webhooks.retries import asked_wait, next_try
from tenants.webhooks.sending import Answer
from tenants.webhooks.signing import headers

log = logging.getLogger(__name__)

# Longer than the longest call, so that a second sender is never earlier than the first one's end.
LEASE = timedelta(seconds=60)
IN_FLIGHT = 2
ROUND = 16
# A receiver that has answered nothing for so long is left alone until its people come back.
FAILING_LIMIT = timedelta(days=5)
GONE = 410


@dataclass(frozen=True)
class Claim:
    """One delivery taken for one call: everything the call needs, and the lease it holds."""

    delivery_id: UUID
    tenant_id: UUID
    endpoint_id: UUID
    url: str
    headers: dict[str, str]
    body: bytes
    leased_until: datetime


def claim_delivery(*, delivery_id: UUID, now: datetime) -> Claim | None:
    """Take one delivery of a healthy endpoint; None when it is not due or the endpoint is busy.

    Locks: the endpoint's row for the moment, so that no third call to it begins; whoever comes
    too late is followed by the sweeper or by the call that ends next.
    """
    endpoint = (
        WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            pk__in=WebhookDelivery.objects.filter(pk=delivery_id).values("endpoint_id"),
            state=EndpointState.ENABLED,
            failing_since=None,
        )
        .first()
    )
    if endpoint is None:
        return None
    line = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING)
    if line.filter(leased_until__gt=now).count() >= IN_FLIGHT:
        return None
    delivery = line.filter(_free(now), pk=delivery_id).first()
    taken = _taken([(delivery, endpoint)], now) if delivery is not None else []
    return taken[0] if taken else None


def claim_round(*, now: datetime, limit: int = ROUND) -> tuple[Claim, ...]:
    """Take what is due, at most one delivery an endpoint, the longest waiting first.

    Locks: rows that another session holds are left to it.
    """
    statement = """
        SELECT d.id FROM tenants_webhookendpoint e
        CROSS JOIN LATERAL (
            SELECT id, due_at FROM tenants_webhookdelivery
            WHERE endpoint_id = e.id AND state = 'pending' AND due_at <= %(now)s
              AND (leased_until IS NULL OR leased_until <= %(now)s)
            ORDER BY due_at LIMIT 1
        ) first_due
        JOIN tenants_webhookdelivery d ON d.id = first_due.id
        WHERE e.state = 'enabled' AND d.state = 'pending'
          AND NOT EXISTS (
            SELECT FROM tenants_webhookdelivery held
            WHERE held.endpoint_id = e.id AND held.state = 'pending'
              AND held.leased_until > %(now)s
          )
        ORDER BY first_due.due_at LIMIT %(limit)s
        FOR NO KEY UPDATE OF e, d SKIP LOCKED
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, {"now": now, "limit": limit})
        keys = [key for (key,) in cursor.fetchall()]
    # Read again under the locks: what the statement saw may have been taken in between.
    rows = WebhookDelivery.objects.select_related("endpoint").filter(
        _free(now), pk__in=keys, state=DeliveryState.PENDING
    )
    return tuple(_taken([(row, row.endpoint) for row in rows.order_by("due_at")], now))


def record_attempt(*, claim: Claim, answer: Answer, now: datetime) -> bool:
    """Write down how a call went and what follows; False where the lease had passed to another.

    Locks: the endpoint before its delivery, as everybody does.
    Idempotent: by the lease; a sender that comes back after its lease ran out changes nothing.
    """
    WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).get(pk=claim.endpoint_id)
    delivery = (
        WebhookDelivery.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            pk=claim.delivery_id,
            state=DeliveryState.PENDING,
            leased_until=claim.leased_until,
        )
        .first()
    )
    if delivery is None:
        return False
    WebhookAttempt.objects.create(
        tenant_id=claim.tenant_id,
        delivery=delivery,
        number=delivery.attempts + 1,
        at=now,
        duration_ms=answer.duration_ms,
        outcome=answer.outcome,
        status=answer.status,
        response_text=answer.text,
    )
    if answer.is_delivered:
        _delivered(delivery, answer, now)
    else:
        _not_delivered(delivery, answer, now)
    return True


def fail_pending(*, endpoint_id: UUID, now: datetime) -> int:
    """Give up what still waits for an endpoint that is no longer delivered to."""
    return WebhookDelivery.objects.filter(
        endpoint_id=endpoint_id, state__in=DELIVERY_TRANSITIONS[DeliveryState.FAILED]
    ).update(
        state=DeliveryState.FAILED,
        due_at=None,
        leased_until=None,
        finished_at=now,
        last_outcome="disabled",
    )


def new_delivery(
    *,
    endpoint: WebhookEndpoint,
    notice_id: UUID | None,
    message_id: str,
    event_type: str,
    at: datetime,
    detail: object,
    now: datetime,
) -> WebhookDelivery:
    """A message in an endpoint's line, not yet written: its text is made once and kept."""
    said = {
        "type": event_type,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "tenant_id": str(endpoint.tenant_id),
        "data": detail,
    }
    return WebhookDelivery(
        tenant_id=endpoint.tenant_id,
        endpoint=endpoint,
        notice_id=notice_id,
        message_id=message_id,
        event_type=event_type,
        body=json.dumps(said, ensure_ascii=False, separators=(",", ":")),
        due_at=now,
        created_at=now,
    )


def nudge(deliveries: Iterable[WebhookDelivery]) -> None:
    for delivery in deliveries:
        after_commit("tenants.deliver_webhook", delivery_id=delivery.pk)


def _free(now: datetime) -> Q:
    return Q(due_at__lte=now) & (Q(leased_until=None) | Q(leased_until__lte=now))


def _taken(rows: list[tuple[WebhookDelivery, WebhookEndpoint]], now: datetime) -> list[Claim]:
    until = now + LEASE
    claims = []
    for delivery, endpoint in rows:
        secrets = _secrets(endpoint, now)
        if not secrets:
            # One endpoint's lost secret must not stop a round that calls everybody's.
            _give_up(delivery, "no_secret", now)
            continue
        taken = WebhookDelivery.objects.filter(
            _free(now), pk=delivery.pk, state=DeliveryState.PENDING
        ).update(leased_until=until)
        if not taken:
            continue
        body = delivery.body.encode()
        signed = headers(secrets=secrets, message_id=delivery.message_id, at=now, body=body)
        claims.append(
            Claim(
                delivery_id=delivery.pk,
                tenant_id=delivery.tenant_id,
                endpoint_id=endpoint.pk,
                url=endpoint.url,
                headers=signed,
                body=body,
                leased_until=until,
            )
        )
    return claims


def _secrets(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign now; none where SECRET_KEY was changed and no older one was kept."""
    sealed = [endpoint.sealed_secret]
    until = endpoint.previous_secret_until
    if endpoint.sealed_previous_secret is not None and until is not None and until > now:
        sealed.append(endpoint.sealed_previous_secret)
    opened = []
    for one in sealed:
        try:
            opened.append(unseal(bytes(one)).decode())
        except InvalidToken:
            log.warning("webhook.secret_lost", extra={"webhook": str(endpoint.pk)})
    return opened


def _give_up(delivery: WebhookDelivery, outcome: str, now: datetime) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING).update(
        state=DeliveryState.FAILED,
        due_at=None,
        leased_until=None,
        finished_at=now,
        last_outcome=outcome,
    )


def _delivered(delivery: WebhookDelivery, answer: Answer, now: datetime) -> None:
    _write(delivery, answer, state=DeliveryState.DELIVERED, due_at=None, finished_at=now)
    WebhookEndpoint.objects.filter(pk=delivery.endpoint_id, failing_since__isnull=False).update(
        failing_since=None
    )
    # The place this call leaves free is the next one's.
    line = WebhookDelivery.objects.filter(
        _free(now), endpoint_id=delivery.endpoint_id, state=DeliveryState.PENDING
    )
    nudge(line.order_by("due_at")[:IN_FLIGHT])


def _not_delivered(delivery: WebhookDelivery, answer: Answer, now: datetime) -> None:
    again = next_try(
        message_id=delivery.message_id,
        tries=delivery.tries + 1,
        asked=asked_wait(answer.retry_after, now=now),
        now=now,
    )
    if answer.status == GONE or again is None:
        _write(delivery, answer, state=DeliveryState.FAILED, due_at=None, finished_at=now)
    else:
        _write(delivery, answer, state=DeliveryState.PENDING, due_at=again, finished_at=None)
    WebhookEndpoint.objects.filter(pk=delivery.endpoint_id, failing_since=None).update(
        failing_since=now
    )
    endpoint = WebhookEndpoint.objects.get(pk=delivery.endpoint_id)
    if answer.status == GONE:
        _stop(endpoint, EndpointState.DISABLED, "gone", now)
    elif endpoint.failing_since is not None and endpoint.failing_since <= now - FAILING_LIMIT:
        _stop(endpoint, EndpointState.AUTO_DISABLED, "failing", now)


def _write(delivery: WebhookDelivery, answer: Answer, **move: object) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        attempts=F("attempts") + 1,
        tries=F("tries") + 1,
        leased_until=None,
        last_status=answer.status,
        last_outcome=answer.outcome,
        **move,
    )


def _stop(endpoint: WebhookEndpoint, state: EndpointState, reason: str, now: datetime) -> None:
    """Disable an endpoint by itself, and tell the tenant."""
    stopped = WebhookEndpoint.objects.filter(pk=endpoint.pk, state=EndpointState.ENABLED).update(
        state=state, state_reason=reason, failing_since=None
    )
    if not stopped:
        return
    fail_pending(endpoint_id=endpoint.pk, now=now)
    record(
        SYSTEM,
        f"tenants.webhook.{state.value}",
        subject=f"tenants.webhookendpoint:{endpoint.pk}",
        tenant_id=endpoint.tenant_id,
        detail={"reason": reason},
    )
    notices.post(
        tenant_id=endpoint.tenant_id,
        kind="webhook.disabled",
        key=f"webhook.disabled:{endpoint.pk}:{now.isoformat()}",
        detail={"url": endpoint.url, "webhook_id": str(endpoint.pk), "reason": reason},
        now=now,
        roles=("owner", "admin"),
    )
