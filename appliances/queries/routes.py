"""Where model calls of each tenant go."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from appliances.models import ROUTED_STATES, Deployment
from tenants.scoping import operator_scope


@dataclass(frozen=True)
class Route:
    """One deployment that answers calls to ``model`` for its tenant.

    Shape: ``endpoint`` is the model server's root without a trailing slash; ``api`` is the kind of
    appliance.
    """

    tenant_id: UUID
    project_id: UUID
    model: str
    deployment_id: UUID
    endpoint: str
    api: str
    ready_at: datetime
    is_reserved: bool = False


def route_snapshot() -> tuple[Route, ...]:
    """Every deployment that takes calls now, of all tenants."""
    with operator_scope():
        rows = (
            Deployment.objects.filter(state__in=ROUTED_STATES)
            .select_related("version__appliance")
            .order_by("served_model_name")
        )
        return tuple(
            Route(
                tenant_id=row.tenant_id,
                project_id=row.project_id,
                model=row.served_model_name,
                deployment_id=row.pk,
                endpoint=row.endpoint.rstrip("/"),
                api=row.version.appliance.api,
                ready_at=row.ready_at or row.state_at,
                is_reserved=row.reservation_id is not None,
            )
            for row in rows
        )
