"""What workers do for this app: send invitations, finish what was left, forget old answers."""

import logging
import smtplib
from uuid import UUID

from celery import shared_task

from common.clock import utc_now
from tenants.commands.idempotency import forget_old_answers
from tenants.commands.invitations import claim_mail, mark_mailed
from tenants.mail import invitation_mail
from tenants.queries.members import unsent_invitations
from tenants.scoping import operator_scope

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
    try:
        invitation_mail(*claim).send()
    except (smtplib.SMTPException, OSError) as error:
        log.warning("mail.unsent", extra={"invitation": invitation_id, "reason": str(error)})
        return
    with operator_scope():
        mark_mailed(invitation_id=key, now=utc_now())


@shared_task(name="tenants.sweep", soft_time_limit=60)
def sweep(**_: object) -> None:
    """Send what was not sent, forget answers nobody asks for again."""
    with operator_scope():
        waiting = unsent_invitations(now=utc_now())
        forget_old_answers(now=utc_now())
    for invitation_id in waiting:
        send_mail.delay(invitation_id=str(invitation_id))
