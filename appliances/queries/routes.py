"""Where model calls of each tenant go."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from appliances.models import ROUTED_STATES, Deployment


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


def route_snapshot() -> tuple[Route, ...]:
    """Every deployment that takes calls now, of all tenants; needs the operators' scope."""
    rows = Deployment.objects.filter(state__in=ROUTED_STATES).order_by("served_model_name")
    return tuple(
        Route(
            tenant_id=row["tenant_id"],
            project_id=row["project_id"],
            model=row["served_model_name"],
            deployment_id=row["id"],
            endpoint=row["endpoint"].rstrip("/"),
            api=row["version__appliance__api"],
            ready_at=row["ready_at"],
        )
        for row in rows.values(
            "tenant_id",
            "project_id",
            "served_model_name",
            "id",
            "endpoint",
            "version__appliance__api",
            "ready_at",
        )
    )
