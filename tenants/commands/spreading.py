"""From a notice to the queues: a mail for each member it concerns, a delivery for each endpoint."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from common.nudge import after_commit
from tenants.commands.deliveries import new_delivery, nudge
from tenants.models import Membership, Notice, NoticeMail, WebhookDelivery, WebhookEndpoint
from tenants.models.webhooks import EndpointState

MAIL_LEASE = timedelta(minutes=2)
MAIL_ATTEMPTS = 8


def message_id_of(key: UUID) -> str:
    """The webhook-id of a notice: the same for every endpoint and every attempt."""
    return f"msg_{key.hex}"


def spread_notice(*, notice_id: UUID, now: datetime) -> bool:
    """Put a notice's mails and deliveries into their queues; False where that was done.

    Locks: the notice, passed by where another worker has it; then the tenant's endpoints, so that
    none is disabled while its line grows.
    Idempotent: a killed worker leaves the notice unspread and nothing in the queues.
    """
    notice = (
        Notice.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        .filter(pk=notice_id, spread_at=None)
        .first()
    )
    if notice is None:
        return False
    mails = _mails(notice, now)
    NoticeMail.objects.bulk_create(mails, ignore_conflicts=True)
    deliveries, healthy = _deliveries(notice, now)
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    Notice.objects.filter(pk=notice_id).update(spread_at=now)
    for mail in mails:
        after_commit("tenants.send_notice_mail", mail_id=mail.pk)
    nudge(healthy)
    return True


def claim_notice_mail(*, mail_id: UUID, now: datetime) -> NoticeMail | None:
    """Take the sending of one mail; None when there is nothing to do.

    Idempotent: as with invitations, each lease is twice as long as the one before, eight in all.
    """
    waiting = NoticeMail.objects.filter(
        Q(leased_until=None) | Q(leased_until__lte=now),
        pk=mail_id,
        mailed_at=None,
        attempts__lt=MAIL_ATTEMPTS,
    )
    attempts = waiting.values_list("attempts", flat=True).first()
    if attempts is None:
        return None
    taken = waiting.filter(attempts=attempts).update(
        leased_until=now + MAIL_LEASE * 2**attempts, attempts=attempts + 1
    )
    if not taken:
        return None
    return NoticeMail.objects.select_related("tenant", "notice", "user").get(pk=mail_id)


def mark_notice_mailed(*, mail_id: UUID, now: datetime) -> None:
    """Record that the mail left."""
    NoticeMail.objects.filter(pk=mail_id, mailed_at=None).update(mailed_at=now, leased_until=None)


def _mails(notice: Notice, now: datetime) -> list[NoticeMail]:
    readers = Membership.objects.filter(
        tenant_id=notice.tenant_id, role__in=notice.roles, user__is_active=True
    )
    return [
        NoticeMail(tenant_id=notice.tenant_id, notice=notice, user_id=user_id, created_at=now)
        for user_id in readers.order_by("pk").values_list("user_id", flat=True)
    ]


def _deliveries(
    notice: Notice, now: datetime
) -> tuple[list[WebhookDelivery], list[WebhookDelivery]]:
    """A delivery for each enabled endpoint that listens, and those of them to be sent at once."""
    endpoints = (
        WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            Q(event_types=[]) | Q(event_types__contains=[notice.kind]),
            tenant_id=notice.tenant_id,
            state=EndpointState.ENABLED,
            created_at__lte=notice.at,
        )
        .order_by("pk")
    )
    made, healthy = [], []
    for endpoint in endpoints:
        delivery = new_delivery(
            endpoint=endpoint,
            notice_id=notice.pk,
            message_id=message_id_of(notice.pk),
            event_type=notice.kind,
            at=notice.at,
            detail=notice.detail,
            now=now,
        )
        made.append(delivery)
        if endpoint.failing_since is None:
            healthy.append(delivery)
    return made, healthy
