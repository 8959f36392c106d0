"""Notices.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """``NoticeOut`` of the API."""

    id: UUID
    # The event type of webhooks.
    kind: str
    at: datetime
    title: str
    body: str
    detail: Mapping[str, object]


class NoticesApi:
    """The operations of ``/api/v1/notices``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, cursor: str | None = None, kind: str | None = None, limit: int | None = None
    ) -> Pages[Notice]:
        """List the notices, newest first.

        ``cursor``: What the page before gave as its next.
        ``kind``: Only notices of this kind.
        ``limit``: How many rows at most.

        Scope: tenants:notice:read.
        """
        return self._transport.pages(
            Notice, Call("GET", path("notices"), query={"kind": kind, "limit": limit}), cursor
        )
