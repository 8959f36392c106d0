"""Deployments.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport

ServiceClass = Literal["on_demand", "shared", "urgent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """``DeploymentOut`` of the API."""

    id: UUID
    project: str
    appliance: str
    name: str
    model: str
    state: str
    reason: str
    # The end of what the engine said.
    last_lines: str
    reservation: UUID | None
    pool: str
    cards: int
    # "on_demand", "shared" or "urgent"; "covered" in a reservation.
    service_class: str
    until: datetime | None
    # Where model calls go, with this key and the deployment's model name.
    base_url: str
    # Whether this state costs money.
    billed: bool
    # When it was last looked at.
    observed_at: datetime | None
    created_at: datetime


class DeploymentsApi:
    """The operations of ``/api/v1/deployments``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Deployment]:
        """List the deployments, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: appliances:deployment:read.
        """
        return self._transport.pages(
            Deployment, Call("GET", path("deployments"), query={"limit": limit}), cursor
        )

    def create(
        self,
        *,
        project: str,
        appliance: str,
        name: str,
        served_model_name: str | None = None,
        reservation: UUID | None = None,
        pool: str | None = None,
        until: datetime | None = None,
        service_class: ServiceClass | None = None,
        idempotency_key: str | None = None,
    ) -> Deployment:
        """Start an appliance in a reservation, or on demand in a pool.

        ``project``: The project's code.
        ``appliance``: The appliance's code.
        ``served_model_name``: What callers send as "model"; the name, where that can be one.
        ``reservation``: Run in this reservation; or name a pool.
        ``pool``: Run on demand in this pool.
        ``until``: On demand only; a day from now by default.
        ``service_class``: With a pool only, and on demand unless told; a pool lists what it
        offers. Shared work ends when work of a higher class needs its cards. It is fixed
        from then on.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: appliances:deployment:create.
        """
        return self._transport.answer(
            Deployment,
            Call(
                "POST",
                path("deployments"),
                body=body_of(
                    {"project": project, "appliance": appliance, "name": name},
                    {
                        "served_model_name": served_model_name,
                        "reservation": reservation,
                        "pool": pool,
                        "until": until,
                        "service_class": service_class,
                    },
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def get(self, deployment_id: UUID | str) -> Deployment:
        """Show one deployment.

        Scope: appliances:deployment:read.
        """
        return self._transport.answer(Deployment, Call("GET", path("deployments", deployment_id)))

    def stop(self, deployment_id: UUID | str, *, idempotency_key: str | None = None) -> Deployment:
        """Stop a deployment; its cards are free when the engine has ended it.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: appliances:deployment:stop.
        """
        return self._transport.answer(
            Deployment,
            Call("POST", path("deployments", deployment_id, "stop"), key=key_for(idempotency_key)),
        )
