"""Members.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """``MemberOut`` of the API."""

    id: UUID
    email: str
    name: str
    role: str
    created_at: datetime


class MembersApi:
    """The operations of ``/api/v1/members``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Member]:
        """List the members, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: tenants:member:read.
        """
        return self._transport.pages(
            Member, Call("GET", path("members"), query={"limit": limit}), cursor
        )
