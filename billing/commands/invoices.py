"""Issuing invoices: one transaction that numbers, freezes, books and settles."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.accrual import refresh_unbilled
from billing.commands.ledger import book
from billing.commands.wallet import settle_open_invoices
from billing.locks import busy_when_waiting, lock_account
from billing.models import Invoice, InvoiceCounter, InvoiceLine, LedgerKind
from billing.queries.drafts import SEGMENTS, Draft, draft, segment_values
from billing.rating import Counted, LineKey, RatedLine, in_reading_order, rate
from common.errors import DomainError
from common.ids import uuid7
from common.period import month_of
from tenants.audit import record
from tenants.models import Organisation, Project
from tenants.permissions import SYSTEM, Actor, Permission, require


class NothingToInvoice(DomainError):
    """No usage stands open for the period."""

    code = "nothing_to_invoice"
    status = 409
    message = _("There is no usage to invoice up to this time.")


class InvoicePeriodRefused(DomainError):
    """An invoice ends after the last one and not in the future."""

    code = "invoice_period_refused"
    status = 422
    message = _("An invoice ends after the last one and not in the future.")


class UsageUnpriced(DomainError):
    """Some usage has no price; billing the rest would hide it."""

    code = "usage_unpriced"
    status = 409
    message = _("Some usage of %(meter)s has no price. Publish one first.")


@transaction.atomic
def issue_invoice(*, actor: Actor, tenant_id: UUID, until: datetime, now: datetime) -> Invoice:
    """Bill everything used in hours starting before ``until`` that stands on no invoice yet.

    The period runs from the end of the last invoice, or from the month of the first usage. Usage
    of earlier periods that came in late gets lines of its own with its own service period.
    Locks: the account, the buckets in key order, then the number's counter.
    Raises: PermissionRefused, AccountBusy, InvoicePeriodRefused, NothingToInvoice, UsageUnpriced.
    """
    require(actor, Permission.INVOICE_ISSUE, tenant_id)

    lock_account(tenant_id)
    open_usage = draft(tenant_id=tenant_id, until=until)
    start = open_usage.period_start
    if until > now or (start is not None and until <= start):
        raise InvoicePeriodRefused
    if open_usage.unpriced:
        raise UsageUnpriced(meter=open_usage.unpriced[0].meter)
    if start is None or not open_usage.lines:
        raise NothingToInvoice
    taken = _take(tenant_id, open_usage)
    invoice = _write(tenant_id, start, until, taken, now)
    _book(invoice)
    settle_open_invoices(tenant_id=tenant_id, now=now)
    refresh_unbilled(tenant_id=tenant_id, now=now)
    record(
        actor,
        "billing.invoice.issued",
        subject=f"billing.invoice:{invoice.pk}",
        tenant_id=tenant_id,
        detail={"number": invoice.number, "gross": str(invoice.gross)},
    )
    return invoice


@dataclass(frozen=True)
class TakenLine:
    """A rated line under the identity its allocations already carry."""

    id: UUID
    rated: RatedLine


ALLOCATE = f"""
INSERT INTO billing_allocation (tenant_id, line_id, series_id, hour, quantity)
SELECT %(tenant)s, due.line, due.series_id, due.hour, due.quantity
FROM (
    SELECT segment.line, bucket.series_id, bucket.hour,
        bucket.quantity - bucket.billed_quantity AS quantity
    FROM {SEGMENTS.format(line="uuid")}
    WHERE bucket.quantity > bucket.billed_quantity
    ORDER BY bucket.series_id, bucket.hour
    FOR UPDATE OF bucket
) due
"""  # noqa: S608 - only the type of a column is put in
TAKEN = """
SELECT line_id, sum(quantity)::bigint, min(hour), max(hour)
FROM billing_allocation WHERE line_id = ANY(%(lines)s) GROUP BY line_id
"""


def _take(tenant_id: UUID, open_usage: Draft) -> tuple[TakenLine, ...]:
    """Mark the buckets as billed and rate exactly what was marked.

    Events go on arriving meanwhile: the quantities come from the locked rows and not from the
    draft, while what was billed before stands still under the account lock.
    """
    segments = [part for part in open_usage.plan.segments if part.line in open_usage.counted]
    ids = {key: uuid7() for key in dict.fromkeys(part.line for part in segments)}
    lines = [ids[part.line] for part in segments]
    values = segment_values(segments, lines, open_usage.until)
    with busy_when_waiting(), connection.cursor() as cursor:
        cursor.execute(ALLOCATE, {"tenant": tenant_id, **values})
        cursor.execute(TAKEN, {"lines": list(ids.values())})
        sums = {row[0]: row[1:] for row in cursor.fetchall()}
    keys: Mapping[UUID, LineKey] = {line_id: key for key, line_id in ids.items()}
    identity: dict[LineKey, UUID] = {}
    rated = []
    for line_id, (quantity, first_hour, last_hour) in sums.items():
        key = keys[line_id]
        before = open_usage.counted[key].billed_before
        identity[key] = line_id
        rated.append(
            rate(
                key,
                open_usage.plan.prices[key.price_id],
                Counted(quantity, before, first_hour, last_hour),
            )
        )
    return tuple(TakenLine(identity[line.key], line) for line in in_reading_order(rated))


def _write(
    tenant_id: UUID, start: datetime, until: datetime, taken: Sequence[TakenLine], now: datetime
) -> Invoice:
    buyer = Organisation.objects.get(pk=tenant_id)
    keys = (line.rated.key for line in taken)
    named = {key.project_id for key in keys if key.project_id is not None}
    projects = dict(
        Project.objects.filter(tenant_id=tenant_id, pk__in=named).values_list("pk", "name")
    )
    net = sum((line.rated.net for line in taken), Decimal(0))
    tax = sum((line.rated.tax for line in taken), Decimal(0))
    counter = _next_number(now)
    invoice = Invoice(
        tenant_id=tenant_id,
        issuer=counter.issuer,
        year=counter.year,
        sequence=counter.last_sequence + 1,
        number=f"{counter.issuer}-{counter.year}-{counter.last_sequence + 1:06d}",
        period_start=start,
        period_end=until,
        currency="CNY",
        net=net,
        tax=tax,
        gross=net + tax,
        line_count=len(taken),
        buyer_code=buyer.code,
        buyer_name=buyer.legal_name or buyer.name,
        buyer_credit_code=buyer.credit_code,
        seller_name=settings.INVOICE_SELLER_NAME,
        seller_credit_code=settings.INVOICE_SELLER_CREDIT_CODE,
        issued_at=now,
        previous_hash=counter.last_hash,
    )
    lines = [
        _line(invoice, position, line, projects) for position, line in enumerate(taken, start=1)
    ]
    invoice.content_hash = content_hash(invoice, lines)
    invoice.save(force_insert=True)
    InvoiceLine.objects.bulk_create(lines)
    InvoiceCounter.objects.filter(pk=counter.pk).update(
        last_sequence=invoice.sequence, last_hash=invoice.content_hash
    )
    return invoice


def _next_number(now: datetime) -> InvoiceCounter:
    """Lock the year's counter until the transaction ends: numbers have no gaps and no twins.

    Raises: AccountBusy after three seconds, like the account's own lock.
    """
    key = {
        "issuer": settings.INVOICE_ISSUER,
        "year": now.astimezone(ZoneInfo(settings.CENTRE_TIME_ZONE)).year,
    }
    with busy_when_waiting():
        InvoiceCounter.objects.bulk_create([InvoiceCounter(**key)], ignore_conflicts=True)
        return InvoiceCounter.objects.select_for_update().get(**key)


def _line(
    invoice: Invoice, position: int, taken: TakenLine, projects: Mapping[UUID, str]
) -> InvoiceLine:
    rated, price = taken.rated, taken.rated.price
    project_id = rated.key.project_id
    return InvoiceLine(
        id=taken.id,
        tenant_id=invoice.tenant_id,
        invoice=invoice,
        position=position,
        price_id=price.id,
        project_id=project_id,
        project_name=projects[project_id] if project_id is not None else "",
        meter=price.meter,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        dimensions=dict(rated.key.shown),
        service_from=rated.service_from,
        service_to=rated.service_to,
        is_late=rated.key.is_late,
        quantity=rated.quantity,
        unit_price=price.terms.unit_price,
        unit_quantity=price.terms.unit_quantity,
        tax_code=price.tax_code,
        tax_rate=rated.key.tax_rate,
        net=rated.net,
        tax=rated.tax,
        gross=rated.gross,
    )


# The bytes an invoice's hash covers; the order is part of them.
HASHED_FIELDS = (
    "number",
    "previous_hash",
    "tenant_id",
    "period_start",
    "period_end",
    "currency",
    "net",
    "tax",
    "gross",
    "buyer_code",
    "buyer_name",
    "buyer_credit_code",
    "seller_name",
    "seller_credit_code",
    "issued_at",
)
HASHED_LINE_FIELDS = (
    "position",
    "meter",
    "sku",
    "project_id",
    "dimensions",
    "service_from",
    "service_to",
    "is_late",
    "quantity",
    "unit_price",
    "unit_quantity",
    "tax_code",
    "tax_rate",
    "net",
    "tax",
    "gross",
)


def content_hash(invoice: Invoice, lines: Sequence[InvoiceLine]) -> str:
    """SHA-256 of everything an invoice says, chained to the one issued before it."""
    said = [
        [_said(getattr(invoice, name)) for name in HASHED_FIELDS],
        *[[_said(getattr(line, name)) for name in HASHED_LINE_FIELDS] for line in lines],
    ]
    canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _said(value: object) -> object:
    """One value as the hash reads it, the same before and after a trip through the database."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.timestamp().hex() if value.microsecond else int(value.timestamp())
    return value if isinstance(value, dict | int | str | None) else str(value)


def _book(invoice: Invoice) -> None:
    """Owe what the invoice says; an invoice of covered usage only moves nothing."""
    if not invoice.gross:
        return
    book(
        tenant_id=invoice.tenant_id,
        kind="invoice",
        key=f"invoice:{invoice.pk}",
        legs={
            LedgerKind.RECEIVABLE: invoice.gross,
            LedgerKind.REVENUE: -invoice.net,
            LedgerKind.VAT_OUTPUT: -invoice.tax,
        },
        reference=invoice.number,
        booked_at=invoice.issued_at,
    )


# How long after a month's end late records of engines are waited for before it is billed.
GRACE = timedelta(hours=6)


def due_month_end(now: datetime) -> datetime:
    """The end of the last month whose usage has had its time to come in."""
    return month_of(now - GRACE, settings.CENTRE_TIME_ZONE).start


@transaction.atomic
def issue_due_invoice(*, tenant_id: UUID, now: datetime) -> Invoice | None:
    """Bill the tenant up to the last due month end; None where that is done or empty.

    Raises: AccountBusy, UsageUnpriced.
    Idempotent: a month already billed leaves nothing to bill.
    """
    require(SYSTEM, Permission.INVOICE_ISSUE, tenant_id)
    try:
        return issue_invoice(actor=SYSTEM, tenant_id=tenant_id, until=due_month_end(now), now=now)
    except (NothingToInvoice, InvoicePeriodRefused):
        return None
