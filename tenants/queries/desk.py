"""Tenants one by one, as the centre's operators open them."""

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


def tenant_codes(*, actor: Actor) -> dict[UUID, str]:
    """Every tenant's code by its id, for pages that show rows of many tenants."""
    require(actor, Permission.TENANT_READ_ALL)
    return dict(Organisation.objects.values_list("pk", "code"))
