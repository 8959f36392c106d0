"""Who belongs to a tenant, and who has been asked to."""

from datetime import datetime
from uuid import UUID

from common.paging import Page, newest_first
from tenants.commands.invitations import hash_of
from tenants.models import Invitation, Membership
from tenants.permissions import Actor, Permission, require
from tenants.scoping import operator_scope


def members(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[Membership]:
    """A tenant's members with their people, newest first.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.MEMBER_READ, tenant_id)
    rows = Membership.objects.select_related("user").filter(tenant_id=tenant_id)
    return newest_first(rows, cursor=cursor, limit=limit)


def open_invitations(*, actor: Actor, tenant_id: UUID, now: datetime) -> tuple[Invitation, ...]:
    """Addresses asked and not yet in, newest first.

    Raises: PermissionRefused.
    """
    require(actor, Permission.MEMBER_READ, tenant_id)
    return tuple(
        Invitation.objects.filter(
            tenant_id=tenant_id, accepted_at=None, revoked_at=None, expires_at__gt=now
        ).order_by("-pk")
    )


def invitation_of(*, token: str, now: datetime) -> Invitation | None:
    """The open invitation a mailed token belongs to, with its tenant; opens its own scope."""
    with operator_scope():
        return (
            Invitation.objects.select_related("tenant")
            .filter(
                token_hash=hash_of(token), accepted_at=None, revoked_at=None, expires_at__gt=now
            )
            .first()
        )


def unsent_invitations(*, now: datetime, limit: int = 100) -> tuple[UUID, ...]:
    """Invitations whose mail has not left and is nobody's work at the moment, oldest first."""
    rows = Invitation.objects.filter(
        mailed_at=None, accepted_at=None, revoked_at=None, expires_at__gt=now
    ).exclude(mail_leased_until__gt=now)
    return tuple(rows.order_by("created_at").values_list("pk", flat=True)[:limit])
