"""What a tenant was told."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.paging import Page, newest_first
from tenants.models import Notice, NoticeMail
from tenants.notices import JSON, body_of, title_of
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class NoticeSeen:
    """A notice as it reads in the active language."""

    id: UUID
    kind: str
    at: datetime
    title: str
    body: str
    detail: dict[str, JSON]


def notices(
    *,
    actor: Actor,
    tenant_id: UUID,
    kind: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[NoticeSeen]:
    """A tenant's notices, newest first; of one kind where one is named.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.NOTICE_READ, tenant_id)
    rows = Notice.objects.filter(tenant_id=tenant_id)
    page = newest_first(rows.filter(kind=kind) if kind else rows, cursor=cursor, limit=limit)
    return Page(tuple(_seen(row) for row in page.items), page.next_cursor)


def unspread_notices(*, now: datetime, limit: int = 100) -> tuple[UUID, ...]:
    """Notices that stand in no queue yet, oldest first."""
    rows = Notice.objects.filter(spread_at=None, at__lte=now)
    return tuple(rows.order_by("at").values_list("pk", flat=True)[:limit])


def unsent_notice_mails(*, now: datetime, most_attempts: int, limit: int = 100) -> tuple[UUID, ...]:
    """Mails that have not left and are nobody's work at the moment, oldest first."""
    rows = NoticeMail.objects.filter(mailed_at=None, attempts__lt=most_attempts)
    free = rows.exclude(leased_until__gt=now)
    return tuple(free.order_by("created_at").values_list("pk", flat=True)[:limit])


def _seen(row: Notice) -> NoticeSeen:
    return NoticeSeen(
        id=row.pk,
        kind=row.kind,
        at=row.at,
        title=title_of(row.kind, row.detail),
        body=body_of(row.kind, row.detail),
        detail=row.detail,
    )
