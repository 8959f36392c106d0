"""The invitation row: made, mailed, found again by the token in the mail."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils.crypto import salted_hmac

from common.ids import uuid7
from common.nudge import after_commit
from tenants.audit import record
from tenants.models import Invitation, MemberRole
from tenants.permissions import Actor

VALID_FOR = timedelta(days=7)
MAIL_LEASE = timedelta(minutes=2)
MAIL_ATTEMPTS = 8


def token_of(invitation_id: UUID) -> str:
    """The secret that proves the mail arrived; remade from the row, so it is stored nowhere."""
    proof = salted_hmac("tenants.invitation", invitation_id.hex, algorithm="sha256").hexdigest()
    return f"{invitation_id.hex}{proof}"


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def place_invitation(
    *,
    actor: Actor,
    tenant_id: UUID,
    email: str,
    role: MemberRole,
    invited_by_id: UUID | None,
    now: datetime,
) -> tuple[Invitation, str]:
    """Write the row that asks an address to join, in place of an earlier open one.

    Locks: nothing; the caller's transaction holds the one open row per address.
    """
    Invitation.objects.filter(
        tenant_id=tenant_id, email=email, accepted_at=None, revoked_at=None
    ).update(revoked_at=now)
    key = uuid7()
    token = token_of(key)
    invitation = Invitation.objects.create(
        pk=key,
        tenant_id=tenant_id,
        email=email,
        role=role,
        invited_by_id=invited_by_id,
        token_hash=hash_of(token),
        expires_at=now + VALID_FOR,
    )
    record(
        actor,
        "tenants.member.invited",
        subject=f"tenants.invitation:{invitation.pk}",
        tenant_id=tenant_id,
        detail={"email": email, "role": role.value},
    )
    after_commit("tenants.send_mail", invitation_id=invitation.pk)
    return invitation, token


def claim_mail(*, invitation_id: UUID, now: datetime) -> tuple[Invitation, str] | None:
    """Take the sending of one invitation's mail; None when there is nothing to do.

    Idempotent: a second caller gets None until the lease has run out unreported. Each lease is
    twice as long as the one before, from two minutes, so eight attempts span about four hours.
    """
    waiting = Invitation.objects.filter(
        Q(mail_leased_until=None) | Q(mail_leased_until__lte=now),
        pk=invitation_id,
        mailed_at=None,
        accepted_at=None,
        revoked_at=None,
        expires_at__gt=now,
        mail_attempts__lt=MAIL_ATTEMPTS,
    )
    attempts = waiting.values_list("mail_attempts", flat=True).first()
    if attempts is None:
        return None
    token = token_of(invitation_id)
    # The hash is written anew because SECRET_KEY may have changed since the row was made.
    taken = waiting.filter(mail_attempts=attempts).update(
        mail_leased_until=now + MAIL_LEASE * 2**attempts,
        mail_attempts=attempts + 1,
        token_hash=hash_of(token),
    )
    if not taken:
        return None
    return Invitation.objects.select_related("tenant").get(pk=invitation_id), token


def mark_mailed(*, invitation_id: UUID, now: datetime) -> None:
    """Record that the mail left."""
    Invitation.objects.filter(pk=invitation_id, mailed_at=None).update(
        mailed_at=now, mail_leased_until=None
    )
