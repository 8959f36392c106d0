"""A tenant's deployments, and which of them need a look."""

from collections.abc import Collection
from dataclasses import dataclass
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


@dataclass(frozen=True)
class DeploymentName:
    """A deployment as lists of what it cost say it, and the workload that was its cards."""

    id: UUID
    name: str
    workload_id: UUID | None


def deployment_names(
    *, tenant_id: UUID, deployment_ids: Collection[UUID], workload_ids: Collection[UUID]
) -> tuple[DeploymentName, ...]:
    """A tenant's deployments with these ids, or of these workloads; one statement.

    Shape: who may read names is for the caller to ask.
    """
    wanted = Q(pk__in=deployment_ids) | Q(workload_id__in=workload_ids)
    rows = Deployment.objects.filter(wanted, tenant_id=tenant_id).order_by("pk")
    return tuple(DeploymentName(row.pk, row.name, row.workload_id) for row in rows)
