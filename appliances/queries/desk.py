"""Deployments and the catalogue as the centre's operators look after them."""

from collections.abc import Sequence

from appliances.models import Appliance, Deployment, DeploymentState, Resale
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require


def deployments_of_everybody(
    *, actor: Actor, states: Sequence[str], cursor: str | None = None, limit: int = 50
) -> Page[Deployment]:
    """Deployments of all tenants in these states, newest first; one statement.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.TENANT_READ_ALL)
    rows = Deployment.objects.select_related("project", "version__appliance", "tenant")
    return newest_first(rows.filter(state__in=states), cursor=cursor, limit=limit)


def failed_lately(*, actor: Actor, limit: int = 5) -> Sequence[Deployment]:
    """The deployments that failed last, or that run and answer badly."""
    require(actor, Permission.TENANT_READ_ALL)
    rows = Deployment.objects.select_related("version__appliance", "tenant")
    troubled = rows.filter(state__in={DeploymentState.FAILED, DeploymentState.DEGRADED})
    return list(troubled.order_by("-state_at")[:limit])


def whole_catalogue(*, actor: Actor) -> Sequence[Appliance]:
    """Every appliance whatever its listing, for operators; one statement."""
    require(actor, Permission.CATALOGUE_READ)
    require(actor, Permission.TENANT_READ_ALL)
    return list(Appliance.objects.order_by("category", "code"))


def may_be_sold(appliance: Appliance) -> bool:
    """Whether the licence gate lets it through."""
    return appliance.resale == Resale.ALLOWED
