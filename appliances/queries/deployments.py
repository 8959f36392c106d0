"""A tenant's deployments, and which of them need a look."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from appliances.models import LIVE_STATES, Deployment, DeploymentState
from common.errors import NotFound
from tenants.permissions import Actor, Permission, require

PAGE = 50
S = DeploymentState


def visible_to(actor: Actor) -> QuerySet[Deployment]:
    """The deployments in scope that the actor may see, newest first."""
    require(actor, Permission.DEPLOYMENT_READ, actor.tenant_id)
    rows = Deployment.objects.select_related("project", "version__appliance", "version__profile")
    rows = rows.order_by("-created_at", "-pk")
    return rows.filter(project_id=actor.project_id) if actor.project_id else rows


def page(
    *, actor: Actor, after: tuple[datetime, UUID] | None = None, size: int = PAGE
) -> list[Deployment]:
    """One page by keyset: ``after`` is (created_at, id) of the last row already shown."""
    rows = visible_to(actor)
    if after is not None:
        created_at, pk = after
        rows = rows.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk))
    return list(rows[:size])


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
