"""What a fapiao may still stand for: money really paid or owed, less what was taken back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection


@dataclass(frozen=True)
class Invoiceable:
    """One invoice, or one top-up, and what of it stands on no fapiao yet.

    Units: gross. ``left`` is gross − vouchers − credited − covered; it is below zero where a
    credit note followed a fapiao, which then needs a red letter.
    """

    id: UUID
    label: str
    at: datetime
    gross: Decimal
    vouchers: Decimal
    credited: Decimal
    covered: Decimal

    @property
    def left(self) -> Decimal:
        return self.gross - self.vouchers - self.credited - self.covered


def voucher_covered(invoice_ids: Iterable[UUID]) -> Mapping[UUID, Decimal]:
    """What vouchers paid of each invoice, which no fapiao may cover; one statement.

    The database's own function of this name says it, because its trigger refuses by the same
    figure: whoever makes vouchers pay replaces that function and nothing here.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, billing_voucher_covered(id) FROM unnest(%s::uuid[]) AS wanted (id)",
            [list(invoice_ids)],
        )
        return dict(cursor.fetchall())


INVOICES = """
SELECT invoice.id, invoice.number, invoice.issued_at, invoice.gross,
    billing_voucher_covered(invoice.id), billing_invoice_credited(invoice.id),
    billing_fapiao_covered(invoice.id)
FROM billing_invoice invoice
WHERE invoice.tenant_id = %(tenant)s AND invoice.gross > 0
    AND (%(wanted)s::uuid[] IS NULL OR invoice.id = ANY(%(wanted)s::uuid[]))
ORDER BY invoice.issued_at DESC, invoice.id DESC LIMIT %(limit)s
"""
TOP_UPS = """
SELECT movement.id, movement.reference, movement.booked_at, billing_topup_amount(movement.id),
    0::numeric, 0::numeric, billing_fapiao_covered(movement.id)
FROM billing_ledgertransaction movement
WHERE movement.tenant_id = %(tenant)s AND movement.kind = 'top_up'
    AND (%(wanted)s::uuid[] IS NULL OR movement.id = ANY(%(wanted)s::uuid[]))
ORDER BY movement.booked_at DESC, movement.id DESC LIMIT %(limit)s
"""
MOST = 200


def invoiceable_invoices(
    *, tenant_id: UUID, wanted: Iterable[UUID] | None = None
) -> tuple[Invoiceable, ...]:
    """The tenant's latest invoices, newest first, with what is left of each; one statement."""
    return _rows(INVOICES, tenant_id, wanted)


def invoiceable_top_ups(
    *, tenant_id: UUID, wanted: Iterable[UUID] | None = None
) -> tuple[Invoiceable, ...]:
    """The same of what was paid in."""
    return _rows(TOP_UPS, tenant_id, wanted)


PAID_IN = """
SELECT coalesce(sum(billing_topup_amount(id)), 0), coalesce(sum(billing_fapiao_covered(id)), 0)
FROM billing_ledgertransaction WHERE tenant_id = %s AND kind = 'top_up'
"""


def paid_in(tenant_id: UUID) -> tuple[Decimal, Decimal]:
    """All that a tenant paid in and nobody took back, and what of it stands on fapiao."""
    with connection.cursor() as cursor:
        cursor.execute(PAID_IN, [tenant_id])
        amount, covered = cursor.fetchone()
    return amount, covered


def _rows(query: str, tenant_id: UUID, wanted: Iterable[UUID] | None) -> tuple[Invoiceable, ...]:
    values = {
        "tenant": tenant_id,
        "wanted": None if wanted is None else list(wanted),
        "limit": MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return tuple(Invoiceable(*row) for row in cursor.fetchall())


GROUPS = """
SELECT line.tax_code, line.tax_rate, sum(line.gross) - coalesce(sum(note.gross), 0)
FROM billing_invoiceline line
LEFT JOIN (
    SELECT invoice_line_id, sum(gross) AS gross FROM billing_creditnoteline GROUP BY 1
) note ON note.invoice_line_id = line.id
WHERE line.tenant_id = %(tenant)s AND line.invoice_id = %(invoice)s
GROUP BY line.tax_code, line.tax_rate
HAVING sum(line.gross) - coalesce(sum(note.gross), 0) > 0
ORDER BY line.tax_code, line.tax_rate
"""


def gross_by_tax(*, tenant_id: UUID, invoice_id: UUID) -> dict[tuple[str, Decimal], Decimal]:
    """What is left of an invoice after its credit notes, by tax code and rate."""
    with connection.cursor() as cursor:
        cursor.execute(GROUPS, {"tenant": tenant_id, "invoice": invoice_id})
        return {(code, rate): gross for code, rate, gross in cursor.fetchall()}


@dataclass(frozen=True)
class OverCovered:
    """A fapiao that stands for more than is left of an invoice: a red letter is wanted."""

    fapiao_id: UUID
    fapiao_number: str
    invoice_number: str
    tenant_code: str
    amount: Decimal


OVER_COVERED = """
SELECT letter.id, letter.number, invoice.number, tenant.code, over.amount
FROM billing_creditnote note
JOIN billing_invoice invoice ON invoice.id = note.invoice_id
JOIN tenants_organisation tenant ON tenant.id = invoice.tenant_id
CROSS JOIN LATERAL (
    SELECT billing_fapiao_covered(invoice.id) - invoice.gross
        + billing_voucher_covered(invoice.id) + billing_invoice_credited(invoice.id) AS amount
) over
JOIN billing_fapiaocover cover ON cover.invoice_id = invoice.id AND cover.amount > 0
JOIN billing_fapiao letter ON letter.id = cover.fapiao_id
    AND letter.state IN ('issued', 'delivered')
    AND NOT EXISTS (SELECT FROM billing_fapiao red
        WHERE red.original_id = letter.id AND red.state = 'red_pending')
WHERE over.amount > 0
GROUP BY letter.id, letter.number, invoice.number, tenant.code, over.amount
ORDER BY letter.id LIMIT 50
"""


def over_covered() -> tuple[OverCovered, ...]:
    """Fapiao whose invoice was credited afterwards; needs operator scope. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(OVER_COVERED)
        return tuple(OverCovered(*row) for row in cursor.fetchall())
