"""What was not counted, for its sender to see and put right."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from billing.models import EventKey, RejectedEvent
from billing.queries.pages import place
from billing.usage import identity
from common.paging import Page, check_limit, cut
from tenants.permissions import Actor, Permission, require, require_whole_tenant


@dataclass(frozen=True)
class RejectedRow:
    """An event or a correction that was not counted, with the code of the reason."""

    row_id: UUID
    source: str
    id: str
    code: str
    said: object
    received_at: datetime
    cursor: str


def rejected_events(
    *,
    tenant_id: UUID,
    source: str = "",
    code: str = "",
    since: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[RejectedRow, ...]:
    """What a tenant's senders should look at, newest first."""
    rows = _rows(tenant_id, source, since)
    if code:
        rows = rows.filter(code=code)
    if after:
        received, _, row_id = after.partition("|")
        at = datetime.fromisoformat(received)
        rows = rows.filter(Q(received_at__lt=at) | Q(received_at=at, pk__lt=UUID(row_id)))
    return tuple(
        RejectedRow(
            row_id=row.pk,
            source=row.source,
            id=row.event_id,
            code=row.code,
            said=row.payload,
            received_at=row.received_at,
            cursor=f"{row.received_at.isoformat()}|{row.pk}",
        )
        for row in rows.order_by("-received_at", "-pk")[:limit]
    )


def rejected_page(
    *,
    actor: Actor,
    tenant_id: UUID,
    source: str = "",
    code: str = "",
    since: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[RejectedRow]:
    """A page of what was refused; not for keys of one project, as it may be another's.

    Raises: PermissionRefused, InvalidInput.
    """
    _allow(actor, tenant_id)
    check_limit(limit)
    rows = rejected_events(
        tenant_id=tenant_id,
        source=source,
        code=code,
        since=since,
        after=place(cursor),
        limit=limit + 1,
    )
    return cut(rows, limit, lambda row: row.cursor)


def counted_since(*, tenant_id: UUID, rows: Iterable[RejectedRow]) -> frozenset[UUID]:
    """Which of the refused, by their row, were counted all the same; one statement."""
    keys = {identity(tenant_id, row.source, row.id): row.row_id for row in rows}
    found = EventKey.objects.filter(tenant_id=tenant_id, key__in=keys)
    return frozenset(keys[key] for key in found.values_list("key", flat=True))


@dataclass(frozen=True)
class RejectedCount:
    """How many were refused for one reason."""

    code: str
    count: int


def rejected_counts(
    *, actor: Actor, tenant_id: UUID, source: str = "", since: datetime | None = None
) -> tuple[RejectedCount, ...]:
    """How many were refused for each reason, most first. Raises: PermissionRefused."""
    _allow(actor, tenant_id)
    rows = _rows(tenant_id, source, since).values("code").annotate(count=Count("pk"))
    return tuple(
        RejectedCount(row["code"], row["count"]) for row in rows.order_by("-count", "code")
    )


def _allow(actor: Actor, tenant_id: UUID) -> None:
    require(actor, Permission.USAGE_READ, tenant_id)
    # What was refused belongs to no project yet.
    require_whole_tenant(actor)


def _rows(tenant_id: UUID, source: str, since: datetime | None) -> QuerySet[RejectedEvent]:
    rows = RejectedEvent.objects.filter(tenant_id=tenant_id)
    if source:
        rows = rows.filter(source=source)
    return rows if since is None else rows.filter(received_at__gte=since)
