"""Tenants as their people and the operators see them."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.models import Membership, Organisation, OrganisationState, User
from tenants.permissions import Actor, Permission, require
from tenants.scoping import operator_scope


@dataclass(frozen=True)
class Belonging:
    """One tenant a person belongs to, and as what."""

    organisation: Organisation
    role: str


def organisations_of(user: User) -> tuple[Belonging, ...]:
    """The tenants this person may enter, by name; opens its own scope, no tenant being chosen."""
    with operator_scope():
        rows = (
            Membership.objects.select_related("tenant")
            .filter(user_id=user.pk)
            .exclude(tenant__state=OrganisationState.CLOSED)
            .order_by("tenant__name", "tenant_id")
        )
        return tuple(Belonging(row.tenant, row.role) for row in rows)


def organisation(*, actor: Actor, tenant_id: UUID) -> Organisation:
    """One tenant.

    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.ORGANISATION_READ, tenant_id)
    found = Organisation.objects.filter(pk=tenant_id).first()
    if found is None:
        raise NotFound
    return found


def all_organisations(
    *, actor: Actor, search: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Organisation]:
    """Every tenant of the centre, newest first, found by a part of code or name.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.TENANT_READ_ALL)
    rows = Organisation.objects.all()
    if search:
        rows = rows.filter(Q(code__icontains=search) | Q(name__icontains=search))
    return newest_first(rows, cursor=cursor, limit=limit)
