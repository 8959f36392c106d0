"""What tests of webhooks share: endpoints, notices, and a delivery at an instant of the test's."""

from datetime import datetime
from uuid import UUID

from tenants import notices
from tenants.commands.deliveries import claim_delivery, claim_round, record_attempt
from tenants.commands.spreading import spread_notice
from tenants.commands.webhooks import create_endpoint
from tenants.models import Notice, Organisation, WebhookDelivery, WebhookEndpoint
from tenants.notices import Kind
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tenants.webhooks.sending import send

KIND = Kind(code="tests.told", title="Told %(number)s", body="It is %(number)s.")


def endpoint(
    tenant: Organisation, url: str, now: datetime, **changes: object
) -> tuple[WebhookEndpoint, str]:
    """An enabled endpoint and its secret."""
    with operator_scope():
        return create_endpoint(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            url=url,
            now=now,
            **changes,  # type: ignore[arg-type]
        )


def told(tenant: Organisation, key: str, now: datetime) -> list[UUID]:
    """A notice, spread: the deliveries it made."""
    with operator_scope():
        notices.declare(KIND)
        notices.post(
            tenant_id=tenant.pk,
            kind=KIND.code,
            key=key,
            detail={"number": key},
            now=now,
            roles=("owner",),
        )
        notice = Notice.objects.get(tenant_id=tenant.pk, key=key)
        spread_notice(notice_id=notice.pk, now=now)
        rows = WebhookDelivery.objects.filter(notice=notice).order_by("pk")
        return list(rows.values_list("pk", flat=True))


def deliver(delivery_id: UUID, now: datetime, timeout_seconds: float = 15) -> bool:
    """What the task does, at the test's own instant; False where there was nothing to do."""
    with operator_scope():
        claim = claim_delivery(delivery_id=delivery_id, now=now)
    if claim is None:
        return False
    answer = send(
        url=claim.url, headers=claim.headers, body=claim.body, timeout_seconds=timeout_seconds
    )
    with operator_scope():
        return record_attempt(claim=claim, answer=answer, now=now)


def one_round(now: datetime, timeout_seconds: float = 15) -> int:
    """One round of the sweeper; gives how many calls it made."""
    with operator_scope():
        claims = claim_round(now=now)
    for claim in claims:
        answer = send(
            url=claim.url, headers=claim.headers, body=claim.body, timeout_seconds=timeout_seconds
        )
        with operator_scope():
            record_attempt(claim=claim, answer=answer, now=now)
    return len(claims)


def row(delivery_id: UUID) -> WebhookDelivery:
    with operator_scope():
        return WebhookDelivery.objects.select_related("endpoint").get(pk=delivery_id)
