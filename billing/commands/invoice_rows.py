"""What an issue writes: the rows of charges and lines, and the hash over what they say."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.charging import RatedLine
from billing.documents import NEWEST_FORM
from billing.models import Charge, ChargeSegment, Invoice, InvoiceLine, LineKind
from billing.queries.adjusting import AdjustmentFact
from billing.queries.drafts import Draft
from billing.queries.trueups import true_up_line
from billing.rating import ChargeKey
from common.ids import uuid7
from tenants.models import Project


def charge_rows(
    invoice: Invoice, billed: Draft
) -> tuple[dict[ChargeKey, Charge], list[ChargeSegment]]:
    """Every charge, also one that nets to nothing, with the bucket hours it is made of."""
    charges = {
        rated.key: Charge(
            id=uuid7(),
            tenant_id=invoice.tenant_id,
            invoice_id=invoice.pk,
            key=rated.key.running.digest,
            price_id=rated.price.id,
            quantity=rated.quantity,
            service_from=rated.service_from,
            service_to=rated.service_to,
        )
        for rated in billed.charges
    }
    segments = [
        ChargeSegment(
            tenant_id=invoice.tenant_id,
            charge_id=charges[part.charge].pk,
            series_id=part.series_id,
            starts_at=part.start,
            ends_at=part.end,
        )
        for part in billed.plan.segments
        # A stretch between two hours of use may have had none itself.
        if part.charge in charges
    ]
    return charges, segments


def line_rows(
    invoice: Invoice, charges: Mapping[ChargeKey, Charge], billed: Draft
) -> list[InvoiceLine]:
    """The lines in reading order, with what they name spelled out as it is called today."""
    keys = (line.key.running for line in billed.lines)
    named = {key.project_id for key in keys if key.project_id is not None}
    projects = dict(
        Project.objects.filter(tenant_id=invoice.tenant_id, pk__in=named).values_list("pk", "name")
    )
    lines = [
        _line(invoice, position, charges[line.key], line, projects)
        for position, line in enumerate(billed.lines, start=1)
    ]
    lines += [
        _placed(true_up_line(one), invoice, position)
        for position, one in enumerate(billed.true_ups, start=len(lines) + 1)
    ]
    # Below what was used, in the order they were proposed.
    return lines + [
        _adjustment(invoice, position, fact)
        for position, fact in enumerate(billed.adjustments, start=len(lines) + 1)
    ]


def _placed(line: InvoiceLine, invoice: Invoice, position: int) -> InvoiceLine:
    line.tenant_id, line.invoice_id, line.position = invoice.tenant_id, invoice.pk, position
    return line


def _adjustment(invoice: Invoice, position: int, fact: AdjustmentFact) -> InvoiceLine:
    return InvoiceLine(
        tenant_id=invoice.tenant_id,
        invoice_id=invoice.pk,
        position=position,
        kind=LineKind.ADJUSTMENT,
        portion="adjustment",
        sku="adjustment",
        title_en=fact.title_en,
        title_zh=fact.title_zh,
        service_from=invoice.period_start,
        service_to=invoice.period_end,
        quantity=1,
        priced_quantity=1,
        list_unit_price=fact.net,
        unit_price=fact.net,
        unit_quantity=1,
        tax_code=fact.tax_code,
        tax_rate=fact.tax_rate,
        net=fact.net,
        tax=fact.tax,
        gross=fact.gross,
    )


def _line(
    invoice: Invoice,
    position: int,
    charge: Charge,
    rated: RatedLine,
    projects: Mapping[UUID, str],
) -> InvoiceLine:
    price, running = rated.price, rated.key.running
    return InvoiceLine(
        tenant_id=invoice.tenant_id,
        invoice_id=invoice.pk,
        position=position,
        charge_id=charge.pk,
        portion=rated.portion,
        price_id=price.id,
        project_id=running.project_id,
        project_name=projects[running.project_id] if running.project_id is not None else "",
        meter=price.meter,
        sku=price.sku,
        title_en=price.title_en,
        title_zh=price.title_zh,
        dimensions=dict(running.shown),
        service_from=rated.service_from,
        service_to=rated.service_to,
        is_late=rated.key.is_late,
        quantity=rated.quantity,
        priced_quantity=rated.priced_quantity,
        list_unit_price=rated.list_unit_price,
        unit_price=rated.unit_price,
        unit_quantity=rated.unit_quantity,
        tax_code=price.tax_code,
        tax_rate=running.tax_rate,
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
# Version 3 says when the invoice is due, and its documents show the credits that paid for it; with
# version 4 documents say a class of service in words.
HASH_VERSION = NEWEST_FORM
_LINE_FIELDS_V1 = (
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
_LINE_FIELDS_V2 = (*_LINE_FIELDS_V1, "kind", "portion", "priced_quantity", "list_unit_price")
# Old invoices keep the fields they were hashed with, so that their chain stays checkable.
HASHED_LINE_FIELDS = {
    1: _LINE_FIELDS_V1,
    2: _LINE_FIELDS_V2,
    3: _LINE_FIELDS_V2,
    4: _LINE_FIELDS_V2,
}


def content_hash(invoice: Invoice, lines: Sequence[InvoiceLine]) -> str:
    """SHA-256 of everything an invoice says, chained to the one issued before it."""
    line_fields = HASHED_LINE_FIELDS[invoice.hash_version]
    head = [_said(getattr(invoice, name)) for name in HASHED_FIELDS]
    if invoice.hash_version >= 3:
        head.append(_said(invoice.due.due_at))
    said = [
        head,
        *[[_said(getattr(line, name)) for name in line_fields] for line in lines],
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
