"""Organisations come, are suspended, and come back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.clock import utc_now
from common.errors import DomainError, NotFound
from tenants.audit import record
from tenants.commands.invitations import place_invitation
from tenants.models import MemberRole, Membership, Organisation, OrganisationState, User
from tenants.models.organisation import ORGANISATION_TRANSITIONS
from tenants.naming import clean_code, clean_email, clean_text
from tenants.permissions import Actor, Permission, require


class CodeTaken(DomainError):
    """Another one of its kind has this code."""

    code = "code_taken"
    status = 409
    message = _("This code is already in use.")


class StateRefused(DomainError):
    """The organisation is not in a state this can start from."""

    code = "state_refused"
    status = 409
    message = _("The organisation is %(state)s.")


@transaction.atomic
def create_organisation(
    *,
    actor: Actor,
    code: str,
    name: str,
    owner_email: str | None = None,
    legal_name: str = "",
    credit_code: str = "",
    now: datetime | None = None,
) -> Organisation:
    """Take in a tenant; its owner is the person of that address, or is invited by mail.

    Raises: PermissionRefused, InvalidInput, CodeTaken.
    """
    require(actor, Permission.TENANT_OPERATE)
    organisation = Organisation(
        code=clean_code(code),
        name=clean_text(name, pointer="/name"),
        legal_name=clean_text(legal_name, pointer="/legal_name", limit=200, required=False),
        credit_code=clean_text(credit_code, pointer="/credit_code", limit=18, required=False),
    )
    made = Organisation.objects.bulk_create([organisation], ignore_conflicts=True)
    if not made or not Organisation.objects.filter(pk=organisation.pk).exists():
        raise CodeTaken
    record(
        actor,
        "tenants.organisation.created",
        subject=f"tenants.organisation:{organisation.pk}",
        tenant_id=organisation.pk,
        detail={"code": organisation.code, "name": organisation.name},
    )
    if owner_email is not None:
        _give_owner(actor, organisation, clean_email(owner_email, pointer="/owner_email"), now)
    return organisation


def _give_owner(actor: Actor, organisation: Organisation, email: str, now: datetime | None) -> None:
    person = User.objects.filter(email=email, is_active=True).first()
    if person is None:
        place_invitation(
            actor=actor,
            tenant_id=organisation.pk,
            email=email,
            role=MemberRole.OWNER,
            invited_by_id=actor.id,
            now=now or utc_now(),
        )
        return
    member = Membership.objects.create(tenant=organisation, user=person, role=MemberRole.OWNER)
    record(
        actor,
        "tenants.member.joined",
        subject=f"tenants.membership:{member.pk}",
        tenant_id=organisation.pk,
        detail={"user": str(person.pk), "role": MemberRole.OWNER.value},
    )


@transaction.atomic
def rename(*, actor: Actor, tenant_id: UUID, name: str) -> None:
    """Change what the organisation is called; its code never changes.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.ORGANISATION_MANAGE, tenant_id)
    wanted = clean_text(name, pointer="/name")
    if not Organisation.objects.filter(pk=tenant_id).update(name=wanted):
        raise NotFound
    record(
        actor,
        "tenants.organisation.renamed",
        subject=f"tenants.organisation:{tenant_id}",
        tenant_id=tenant_id,
        detail={"name": wanted},
    )


@transaction.atomic
def suspend(*, actor: Actor, tenant_id: UUID, reason: str) -> None:
    """Leave the tenant's people and keys nothing but looking.

    Raises: PermissionRefused, NotFound, StateRefused.
    """
    _move(actor, tenant_id, OrganisationState.SUSPENDED, reason)


@transaction.atomic
def reactivate(*, actor: Actor, tenant_id: UUID, reason: str = "") -> None:
    """Give a suspended tenant back what its roles allow.

    Raises: PermissionRefused, NotFound, StateRefused.
    """
    _move(actor, tenant_id, OrganisationState.ACTIVE, reason)


def _move(actor: Actor, tenant_id: UUID, state: OrganisationState, reason: str) -> None:
    require(actor, Permission.TENANT_OPERATE)
    reason = clean_text(reason, pointer="/reason", limit=500, required=state != "active")
    sources = ORGANISATION_TRANSITIONS[state]
    rows = Organisation.objects.filter(pk=tenant_id)
    if not rows.filter(state__in=sources).update(state=state):
        current = rows.first()
        if current is None:
            raise NotFound
        raise StateRefused(state=current.get_state_display())
    record(
        actor,
        f"tenants.organisation.{state.value}",
        subject=f"tenants.organisation:{tenant_id}",
        tenant_id=tenant_id,
        detail={"reason": reason},
    )
