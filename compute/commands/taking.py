"""What every taker of cards must pass: permission, an active tenant, a project of its own."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from tenants.models import OrganisationState, Project
from tenants.permissions import Actor, Permission, require


class TenantNotActive(DomainError):
    """A suspended or closed organisation takes nothing new."""

    code = "tenant_not_active"
    status = 403
    message = _("The organisation is suspended and cannot take new capacity.")


class ProjectArchived(DomainError):
    code = "project_archived"
    status = 409
    message = _("This project is archived.")


def project_for(actor: Actor, permission: Permission, project_id: UUID) -> Project:
    """The project an actor may take cards for.

    Raises: NotFound, PermissionRefused, ProjectArchived, TenantNotActive.
    """
    require(actor, permission)
    project = Project.objects.select_related("tenant").filter(pk=project_id).first()
    if project is None or actor.project_id not in {None, project.pk}:
        raise NotFound
    require(actor, permission, project.tenant_id)
    if project.archived_at is not None:
        raise ProjectArchived
    if project.tenant.state != OrganisationState.ACTIVE:
        raise TenantNotActive
    return project
