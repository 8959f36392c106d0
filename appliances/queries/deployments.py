"""A tenant's deployments, and which of them need a look."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from appliances.models import LIVE_STATES, Deployment, DeploymentState
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require

S = DeploymentState


def visible_to(actor: Actor) -> QuerySet[Deployment]:
    """The deployments in scope that the actor may see."""
    require(actor, Permission.DEPLOYMENT_READ, actor.tenant_id)
    rows = Deployment.objects.select_related("project", "version__appliance", "version__profile")
    return rows.filter(project_id=actor.project_id) if actor.project_id else rows


def page(*, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[Deployment]:
    """One page, newest first. Raises: PermissionRefused, InvalidInput."""
    return newest_first(visible_to(actor), cursor=cursor, limit=limit)


def one(*, actor: Actor, deployment_id: UUID) -> Deployment:
    """Raises: NotFound for what is missing and for another tenant's."""
    deployment = visible_to(actor).filter(pk=deployment_id).first()
    if deployment is None:
        raise NotFound
    return deployment


def due_for_a_look(*, now: datetime, interval: timedelta) -> tuple[UUID, ...]:
    """Live deployments of all tenants whose last look is old; needs the operators' scope."""
    settled = {S.READY, S.DEGRADED}
    unsettled = LIVE_STATES - settled
    stale = Q(probed_at=None) | Q(probed_at__lte=now - interval)
    rows = Deployment.objects.filter(Q(state__in=unsettled) | (Q(state__in=settled) & stale))
    rows = rows.filter(Q(probe_lease_until=None) | Q(probe_lease_until__lte=now))
    return tuple(rows.order_by("state_at").values_list("pk", flat=True))
