"""Whose deployments are to be stopped for arrears, and whose may be started again."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from appliances.models import LIVE_STATES, Deployment, DeploymentState, Interruption
from appliances.models.interruption import InterruptionState
from billing.arrears import ResourceClass
from compute.models import Freeze, FreezeState


def tenants_to_obey() -> Sequence[UUID]:
    """Tenants with endpoints to stop, or with stopped ones that wait; needs operators' scope."""
    frozen = Freeze.objects.filter(state=FreezeState.FROZEN).values_list("tenant_id", flat=True)
    running = Deployment.objects.filter(tenant_id__in=list(frozen), state__in=to_stop())
    waiting = Interruption.objects.filter(state=InterruptionState.WAITING)
    found = {*running.values_list("tenant_id", flat=True)}
    return sorted(found | {*waiting.values_list("tenant_id", flat=True)})


def to_stop() -> frozenset[DeploymentState]:
    """States of a deployment that runs or is about to."""
    return LIVE_STATES - {DeploymentState.STOPPING}


def running(tenant_id: UUID, kinds: frozenset[ResourceClass]) -> Sequence[Deployment]:
    """The tenant's deployments of these classes that run or are about to."""
    classes = Q(pk__isnull=True)
    if ResourceClass.ON_DEMAND in kinds:
        classes |= Q(reservation_id__isnull=True)
    if ResourceClass.RESERVED in kinds:
        classes |= Q(reservation_id__isnull=False)
    rows = Deployment.objects.filter(classes, tenant_id=tenant_id, state__in=to_stop())
    return list(rows.order_by("created_at", "pk"))


def waiting(tenant_id: UUID) -> Sequence[Interruption]:
    """What was stopped for arrears and waits for a payment, the oldest first."""
    rows = Interruption.objects.select_related("deployment__version__appliance")
    rows = rows.filter(tenant_id=tenant_id, state=InterruptionState.WAITING)
    return list(rows.order_by("stopped_at", "pk"))


def is_over(deployment: Deployment, now: datetime) -> bool:
    """Whether its time on demand would have been up by now in any case."""
    return deployment.until is not None and deployment.until <= now
