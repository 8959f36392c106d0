"""What workers do for this app: send mail, spread notices, call webhooks, finish what was left."""

import logging
import smtplib
from concurrent.futures import ThreadPoolExecutor, as_completed
from uuid import UUID

from celery import shared_task
from django.core.mail import EmailMessage

from common.clock import utc_now
from tenants.commands.deliveries import ROUND, Claim, claim_delivery, claim_round, record_attempt
from tenants.commands.idempotency import forget_old_answers
from tenants.commands.invitations import claim_mail, mark_mailed
from tenants.commands.spreading import (
    MAIL_ATTEMPTS,
    claim_notice_mail,
    mark_notice_mailed,
)
from tenants.commands.spreading import spread_notice as spread
from tenants.commands.webhook_log import PORTION, retire_deliveries
from tenants.mail import invitation_mail, notice_mail
from tenants.queries.members import unsent_invitations
from tenants.queries.notices import unsent_notice_mails, unspread_notices
from tenants.scoping import operator_scope
from tenants.webhooks.sending import Answer, send

log = logging.getLogger(__name__)


@shared_task(name="tenants.send_mail", soft_time_limit=60)
def send_mail(*, invitation_id: str, **_: object) -> None:
    """Mail one invitation. Running it twice sends one mail, unless a sender died while sending.

    A mail server that refuses or is away costs a delay: the sweeper comes back, ever later.
    """
    key = UUID(invitation_id)
    with operator_scope():
        claim = claim_mail(invitation_id=key, now=utc_now())
    if claim is None:
        return
    # No transaction is open while we talk to the mail server.
    if _has_left(invitation_mail(*claim), invitation=invitation_id):
        with operator_scope():
            mark_mailed(invitation_id=key, now=utc_now())


@shared_task(name="tenants.send_notice_mail", soft_time_limit=60)
def send_notice_mail(*, mail_id: str, **_: object) -> None:
    """Mail one notice to one member, with the same promises as an invitation's mail."""
    key = UUID(mail_id)
    with operator_scope():
        claim = claim_notice_mail(mail_id=key, now=utc_now())
    if claim is None:
        return
    if _has_left(notice_mail(claim), notice_mail=mail_id):
        with operator_scope():
            mark_notice_mailed(mail_id=key, now=utc_now())


@shared_task(name="tenants.spread_notice", soft_time_limit=60)
def spread_notice(*, notice_id: str, **_: object) -> None:
    """Put one notice's mails and deliveries into their queues."""
    with operator_scope():
        spread(notice_id=UUID(notice_id), now=utc_now())


@shared_task(name="tenants.deliver_webhook", soft_time_limit=60)
def deliver_webhook(*, delivery_id: str, **_: object) -> None:
    """Call one healthy endpoint; a failing one is left to the rounds."""
    with operator_scope():
        claim = claim_delivery(delivery_id=UUID(delivery_id), now=utc_now())
    if claim is None:
        return
    # No transaction is open while we talk to somebody else's server.
    answer = _called(claim)
    with operator_scope():
        record_attempt(claim=claim, answer=answer, now=utc_now())


@shared_task(name="tenants.sweep_webhooks", soft_time_limit=60)
def sweep_webhooks(**_: object) -> None:
    """One round over every endpoint with something due: all are called at the same time.

    The threads only call; claims and records are made here. A round therefore ends with its
    slowest receiver, within the time of one call.
    """
    with operator_scope():
        claims = claim_round(now=utc_now())
    if not claims:
        return
    with ThreadPoolExecutor(max_workers=ROUND) as threads:
        calls = {threads.submit(_called, claim): claim for claim in claims}
        for call in as_completed(calls):
            with operator_scope():
                record_attempt(claim=calls[call], answer=call.result(), now=utc_now())


@shared_task(name="tenants.retire_webhook_log", soft_time_limit=600)
def retire_webhook_log(**_: object) -> None:
    """Drop what is too old for the delivery log, a portion a transaction, until none is left."""
    now = utc_now()
    gone = PORTION
    while gone == PORTION:
        with operator_scope():
            gone = retire_deliveries(now=now)


@shared_task(name="tenants.sweep", soft_time_limit=60)
def sweep(**_: object) -> None:
    """Send what was not sent, spread what was not spread, forget answers nobody asks for again."""
    with operator_scope():
        invitations = unsent_invitations(now=utc_now())
        notices = unspread_notices(now=utc_now())
        mails = unsent_notice_mails(now=utc_now(), most_attempts=MAIL_ATTEMPTS)
        forget_old_answers(now=utc_now())
    for invitation_id in invitations:
        send_mail.delay(invitation_id=str(invitation_id))
    for notice_id in notices:
        spread_notice.delay(notice_id=str(notice_id))
    for mail_id in mails:
        send_notice_mail.delay(mail_id=str(mail_id))


def _called(claim: Claim) -> Answer:
    return send(url=claim.url, headers=claim.headers, body=claim.body)


def _has_left(mail: EmailMessage, **row: str) -> bool:
    """Whether the mail server took it; the row says for whom it waits."""
    try:
        mail.send()
    except (smtplib.SMTPException, OSError) as error:
        log.warning("mail.unsent", extra={**row, "reason": str(error)})
        return False
    return True
