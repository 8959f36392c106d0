"""Audit.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """``AuditEntryOut`` of the API."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    action: str
    subject: str
    request_id: str
    detail: Mapping[str, object]


class AuditApi:
    """The operations of ``/api/v1/audit``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        action: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        subject: str | None = None,
    ) -> Pages[AuditEntry]:
        """List what was done, newest first.

        ``action``: An action, or its beginning ("tenants.key.").
        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.
        ``subject``: One thing, written whole.

        Scope: tenants:audit:read.
        """
        return self._transport.pages(
            AuditEntry,
            Call(
                "GET", path("audit"), query={"action": action, "limit": limit, "subject": subject}
            ),
            cursor,
        )
