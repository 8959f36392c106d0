"""Billing's lists in keyset pages, from the programs' side: a cursor nobody gave out is refused."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connection

from billing import meters
from billing.documents import InvoiceRow
from billing.models import InvoiceLine
from billing.queries.invoices import LineEvent, invoice_list, line_events
from billing.queries.wallet import StatementRow, statement
from common.errors import NotFound
from common.paging import Page, bad_cursor, check_limit, cut, opened
from common.period import Period
from tenants.permissions import Actor, Permission, require


def place(cursor: str | None) -> str | None:
    """ "instant|id", as billing's lists keep their place. Raises: InvalidInput."""
    if not cursor:
        return None
    said = opened(cursor)
    at, _, row_id = said.partition("|")
    try:
        UUID(row_id)
        if datetime.fromisoformat(at).tzinfo is None:
            raise bad_cursor(cursor)
    except ValueError as error:
        raise bad_cursor(cursor) from error
    return said


class Placed(Protocol):
    """A row that knows its own place in its list."""

    @property
    def cursor(self) -> str: ...


def _cursor(row: Placed) -> str:
    return row.cursor


def invoice_page(
    *, actor: Actor, tenant_id: UUID | None, cursor: str | None = None, limit: int = 50
) -> Page[InvoiceRow]:
    """A tenant's invoices, newest first; operators may leave the tenant open.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.INVOICE_READ, tenant_id)
    if tenant_id is None:
        require(actor, Permission.TENANT_READ_ALL)
    check_limit(limit)
    rows = invoice_list(tenant_id=tenant_id, after=place(cursor), limit=limit + 1)
    return cut(rows, limit, _cursor)


def line_event_page(
    *,
    actor: Actor,
    tenant_id: UUID,
    invoice_id: UUID,
    position: int,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[LineEvent]:
    """The events behind one line of an invoice, in order of service.

    Raises: PermissionRefused, NotFound, InvalidInput.
    """
    require(actor, Permission.INVOICE_READ, tenant_id)
    check_limit(limit)
    after = place(cursor)
    line = InvoiceLine.objects.filter(
        tenant_id=tenant_id, invoice_id=invoice_id, position=position
    ).first()
    if line is None:
        raise NotFound
    rows = line_events(tenant_id=tenant_id, line_id=line.pk, after=after, limit=limit + 1)
    return cut(rows, limit, _cursor)


@dataclass(frozen=True)
class CountedEvent:
    """One counted event as its sender named it; corrections are events of their own kind.

    Units: base units of the meter; of a correction, the difference it makes.
    """

    source: str
    id: str
    meter: str
    subject: str
    at: datetime
    quantity: int
    dimensions: dict[str, str]
    project: str
    received_at: datetime
    kind: str
    key: UUID


# The events of a series are indexed by time, and a tenant's series are few beside its events.
COUNTED = """
SELECT event.source, event.event_id, series.meter, event.subject, event.at, event.quantity,
    series.dimensions, coalesce(project.code, ''), event.received_at, event.kind,
    event.key
FROM billing_usageevent event
JOIN billing_series series ON series.id = event.series_id
LEFT JOIN tenants_project project ON project.id = series.project_id
WHERE event.tenant_id = %(tenant)s AND series.tenant_id = %(tenant)s
    AND event.at >= %(start)s AND event.at < %(end)s
    AND (%(meter)s = '' OR series.meter = %(meter)s)
    AND (%(project)s::uuid IS NULL OR series.project_id = %(project)s)
    AND (event.at, event.key) < (%(at)s, %(key)s)
ORDER BY event.at DESC, event.key DESC LIMIT %(limit)s
"""
LAST_KEY = UUID(int=2**128 - 1)


def counted_events(
    *,
    actor: Actor,
    tenant_id: UUID,
    period: Period,
    meter: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[CountedEvent]:
    """What was counted in a period, the latest use first; a narrowed key sees its project's.

    Raises: PermissionRefused, UnknownMeter, InvalidInput.
    """
    require(actor, Permission.USAGE_READ, tenant_id)
    check_limit(limit)
    if meter:
        meters.get(meter)
    at, _, key = (place(cursor) or "").partition("|")
    # Columns' values are as various as their types.
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "start": period.start,
        "end": period.end,
        "meter": meter,
        "project": actor.project_id,
        "at": datetime.fromisoformat(at) if at else period.end,
        "key": UUID(key) if key else LAST_KEY,
        "limit": limit + 1,
    }
    with connection.cursor() as statement:
        statement.execute(COUNTED, values)
        rows = tuple(_counted(*row) for row in statement.fetchall())
    return cut(rows, limit, _last_seen)


def _last_seen(event: CountedEvent) -> str:
    return f"{event.at.isoformat()}|{event.key}"


# psycopg gives each column with a type of its own; jsonb comes as its text.
def _counted(*columns: Any) -> CountedEvent:
    source, event_id, meter, subject, at, quantity, dimensions, *rest = columns
    shown = json.loads(dimensions)
    return CountedEvent(source, event_id, meter, subject, at, quantity, shown, *rest)


def statement_page(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[StatementRow]:
    """The movements of a tenant's money, newest first. Raises: PermissionRefused, InvalidInput."""
    require(actor, Permission.WALLET_READ, tenant_id)
    check_limit(limit)
    rows = statement(tenant_id=tenant_id, after=place(cursor), limit=limit + 1)
    return cut(rows, limit, _cursor)
