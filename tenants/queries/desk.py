"""Tenants one by one, as the centre's operators open them."""

from collections.abc import Iterable
from uuid import UUID

from common.errors import NotFound
from tenants.models import Organisation
from tenants.permissions import Actor, Permission, require


def tenant_of_code(*, actor: Actor, code: str) -> Organisation:
    """Raises: PermissionRefused, NotFound."""
    require(actor, Permission.TENANT_READ_ALL)
    found = Organisation.objects.filter(code=code).first()
    if found is None:
        raise NotFound
    return found


def tenant_codes(*, actor: Actor, ids: Iterable[UUID]) -> dict[UUID, str]:
    """These tenants' codes by their ids, for a page that shows rows of many tenants."""
    require(actor, Permission.TENANT_READ_ALL)
    return dict(Organisation.objects.filter(pk__in=set(ids)).values_list("pk", "code"))
