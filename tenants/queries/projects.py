"""Cost centres."""

from uuid import UUID

from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.models import Project
from tenants.permissions import Actor, Permission, require


def projects(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[Project]:
    """A tenant's projects, newest first; a key narrowed to one project sees that one.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.PROJECT_READ, tenant_id)
    rows = Project.objects.filter(tenant_id=tenant_id)
    if actor.project_id is not None:
        rows = rows.filter(pk=actor.project_id)
    return newest_first(rows, cursor=cursor, limit=limit)


def project(*, actor: Actor, tenant_id: UUID, project_id: UUID) -> Project:
    """One project.

    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.PROJECT_READ, tenant_id)
    found = Project.objects.filter(tenant_id=tenant_id, pk=project_id).first()
    if found is None or actor.project_id not in {None, project_id}:
        raise NotFound
    return found


def open_projects(*, actor: Actor, tenant_id: UUID) -> tuple[Project, ...]:
    """The projects that may still take something new, by name: at most a hundred.

    Raises: PermissionRefused.
    """
    require(actor, Permission.PROJECT_READ, tenant_id)
    rows = Project.objects.filter(tenant_id=tenant_id, archived_at=None)
    if actor.project_id is not None:
        rows = rows.filter(pk=actor.project_id)
    return tuple(rows.order_by("name", "pk")[:100])


def project_named(*, actor: Actor, tenant_id: UUID, code: str) -> Project:
    """The project a request names by its code, in order to do something for it.

    Shape: naming is no reading, so the permission is asked for by what is done next.
    Raises: NotFound.
    """
    found = Project.objects.filter(tenant_id=tenant_id, code=code).first()
    if found is None or actor.tenant_id not in {None, tenant_id}:
        raise NotFound
    if actor.project_id not in {None, found.pk}:
        raise NotFound
    return found
