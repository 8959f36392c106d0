"""Projects.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """``ProjectOut`` of the API."""

    id: UUID
    code: str
    name: str
    created_at: datetime
    archived_at: datetime | None


class ProjectsApi:
    """The operations of ``/api/v1/projects``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Project]:
        """List the projects, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: tenants:project:read.
        """
        return self._transport.pages(
            Project, Call("GET", path("projects"), query={"limit": limit}), cursor
        )

    def create(self, *, code: str, name: str, idempotency_key: str | None = None) -> Project:
        """Open a project.

        ``code``: Lower-case letters, digits and hyphens; never changes.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:project:manage.
        """
        return self._transport.answer(
            Project,
            Call(
                "POST",
                path("projects"),
                body=body_of({"code": code, "name": name}, {}),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def get(self, project_id: UUID | str) -> Project:
        """Show one project.

        Scope: tenants:project:read.
        """
        return self._transport.answer(Project, Call("GET", path("projects", project_id)))
