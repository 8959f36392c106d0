"""People join an organisation, change their role in it, and leave it."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.commands.invitations import hash_of, place_invitation
from tenants.locks import lock_organisation
from tenants.models import Invitation, MemberRole, Membership, OrganisationState, User
from tenants.naming import clean_email
from tenants.permissions import Actor, ActorKind, Permission, PermissionRefused, require
from tenants.scoping import operator_scope


class AlreadyMember(DomainError):
    """The address belongs to somebody who is in already."""

    code = "already_member"
    status = 409
    message = _("This person is already a member.")


class LastOwner(DomainError):
    """The step would leave the organisation without an owner."""

    code = "last_owner"
    status = 409
    message = _("An organisation keeps at least one owner.")


class InvitationRefused(DomainError):
    """The token is unknown, used, withdrawn or too old, or was sent to somebody else."""

    code = "invitation_refused"
    status = 409
    message = _("This invitation cannot be used; ask for a new one.")


@transaction.atomic
def invite(
    *, actor: Actor, tenant_id: UUID, email: str, role: str, now: datetime
) -> tuple[Invitation, str]:
    """Ask an address to join; the mail is sent by a worker, the token is also given back.

    Raises: PermissionRefused, InvalidInput, AlreadyMember.
    Idempotent: a second invitation of the same address replaces the first.
    """
    require(actor, Permission.MEMBER_MANAGE, tenant_id)
    wanted = _known_role(role)
    _may_give(actor, wanted)
    address = clean_email(email)
    if Membership.objects.filter(tenant_id=tenant_id, user__email=address).exists():
        raise AlreadyMember
    return place_invitation(
        actor=actor,
        tenant_id=tenant_id,
        email=address,
        role=wanted,
        invited_by_id=actor.id if actor.kind == ActorKind.MEMBER else None,
        now=now,
    )


@transaction.atomic
def revoke_invitation(*, actor: Actor, tenant_id: UUID, invitation_id: UUID, now: datetime) -> None:
    """Take an open invitation back.

    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.MEMBER_MANAGE, tenant_id)
    rows = Invitation.objects.filter(
        pk=invitation_id, tenant_id=tenant_id, accepted_at=None, revoked_at=None
    )
    if not rows.update(revoked_at=now):
        raise NotFound
    record(
        actor,
        "tenants.member.invitation_revoked",
        subject=f"tenants.invitation:{invitation_id}",
        tenant_id=tenant_id,
    )


def accept_invitation(*, user: User, token: str, now: datetime) -> Membership:
    """Join the organisation whose mail this person got.

    Opens its own operator's scope: the token comes before the tenant is known.
    Raises: InvitationRefused.
    Idempotent: a member who accepts again keeps the role they have.
    """
    with operator_scope():
        invitation = (
            Invitation.objects.select_for_update(of=("self",))
            .select_related("tenant")
            .filter(token_hash=hash_of(token), revoked_at=None, expires_at__gt=now)
            .exclude(tenant__state=OrganisationState.CLOSED)
            .first()
        )
        if invitation is None or invitation.email != user.email:
            raise InvitationRefused
        existing = Membership.objects.filter(tenant=invitation.tenant, user=user).first()
        if invitation.accepted_at is not None:
            if existing is None:
                raise InvitationRefused
            return existing
        member = existing or Membership.objects.create(
            tenant=invitation.tenant, user=user, role=invitation.role
        )
        Invitation.objects.filter(pk=invitation.pk).update(accepted_at=now)
        record(
            Actor(
                kind=ActorKind.MEMBER,
                id=user.pk,
                name=str(user),
                tenant_id=invitation.tenant_id,
                permissions=frozenset(),
            ),
            "tenants.member.joined",
            subject=f"tenants.membership:{member.pk}",
            detail={"user": str(user.pk), "role": member.role},
        )
        return member


@transaction.atomic
def change_role(*, actor: Actor, tenant_id: UUID, member_id: UUID, role: str) -> Membership:
    """Give a member another role.

    Locks: the organisation, so that two owners cannot demote each other at the same moment.
    Raises: PermissionRefused, InvalidInput, NotFound, LastOwner, OrganisationBusy.
    """
    require(actor, Permission.MEMBER_MANAGE, tenant_id)
    wanted = _known_role(role)
    lock_organisation(tenant_id)
    member = _member(tenant_id, member_id)
    _may_give(actor, wanted)
    _may_give(actor, MemberRole(member.role))
    if member.role == wanted:
        return member
    if member.role == MemberRole.OWNER:
        _another_owner(member)
    previous = member.role
    Membership.objects.filter(pk=member.pk).update(role=wanted)
    member.role = wanted
    record(
        actor,
        "tenants.member.role_changed",
        subject=f"tenants.membership:{member.pk}",
        tenant_id=tenant_id,
        detail={"user": str(member.user_id), "from": previous, "to": wanted.value},
    )
    return member


@transaction.atomic
def remove_member(*, actor: Actor, tenant_id: UUID, member_id: UUID) -> None:
    """End a membership; what the person made stays.

    Locks: the organisation.
    Raises: PermissionRefused, NotFound, LastOwner, OrganisationBusy.
    """
    require(actor, Permission.MEMBER_MANAGE, tenant_id)
    lock_organisation(tenant_id)
    member = _member(tenant_id, member_id)
    _may_give(actor, MemberRole(member.role))
    if member.role == MemberRole.OWNER:
        _another_owner(member)
    Membership.objects.filter(pk=member.pk).delete()
    record(
        actor,
        "tenants.member.removed",
        subject=f"tenants.membership:{member_id}",
        tenant_id=tenant_id,
        detail={"user": str(member.user_id), "role": member.role},
    )


def _known_role(role: str) -> MemberRole:
    if role not in MemberRole.values:
        detail = _("This role does not exist.")
        raise InvalidInput(errors=[FieldError("/role", "unknown_role", detail)])
    return MemberRole(role)


def _may_give(actor: Actor, role: MemberRole) -> None:
    """Only owners make, change or remove owners."""
    if role == MemberRole.OWNER and Permission.ORGANISATION_MANAGE not in actor.permissions:
        raise PermissionRefused


def _member(tenant_id: UUID, member_id: UUID) -> Membership:
    member = Membership.objects.filter(tenant_id=tenant_id, pk=member_id).first()
    if member is None:
        raise NotFound
    return member


def _another_owner(member: Membership) -> None:
    owners = Membership.objects.filter(tenant_id=member.tenant_id, role=MemberRole.OWNER)
    if not owners.exclude(pk=member.pk).exists():
        raise LastOwner
