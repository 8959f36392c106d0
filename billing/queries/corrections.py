"""What corrects invoices, for reading: credit notes, disputes, adjustments."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import F

from billing.documents import LineDetail
from billing.models import (
    Adjustment,
    AdjustmentState,
    CreditNote,
    CreditNoteLine,
    Dispute,
    DisputeState,
    Invoice,
    TaxRate,
)
from billing.queries.currencies import own_currency
from billing.queries.invoices import issued_line
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class NoteLine:
    """One credited line and the invoice line it is of. Units: what is credited."""

    id: UUID
    position: int
    of: LineDetail
    net: Decimal
    tax: Decimal
    gross: Decimal
    rebilled: bool


@dataclass(frozen=True)
class NoteDetail:
    """A credit note as a document."""

    id: UUID
    number: str
    invoice_id: UUID
    invoice_number: str
    invoice_gross: Decimal
    invoice_issued_at: datetime
    is_full: bool
    reason: str
    currency: str
    issued_at: datetime
    buyer_code: str
    buyer_name: str
    buyer_credit_code: str
    seller_name: str
    seller_credit_code: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    from_due: Decimal
    to_wallet: Decimal
    to_credits: Decimal
    content_hash: str
    lines: tuple[NoteLine, ...]


def note_page(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[CreditNote]:
    """A tenant's credit notes, newest first. Raises: PermissionRefused, InvalidInput."""
    require(actor, Permission.INVOICE_READ, tenant_id)
    rows = CreditNote.objects.filter(tenant_id=tenant_id).select_related("invoice")
    return newest_first(rows, cursor=cursor, limit=limit)


def notes_of(*, tenant_id: UUID, invoice_id: UUID) -> tuple[CreditNote, ...]:
    """The credit notes of one invoice, oldest first; one statement."""
    rows = CreditNote.objects.filter(tenant_id=tenant_id, invoice_id=invoice_id)
    return tuple(rows.order_by("issued_at", "pk"))


def note_detail(*, actor: Actor, tenant_id: UUID, note_id: UUID) -> NoteDetail:
    """One credit note with its lines; three statements. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.INVOICE_READ, tenant_id)
    note = (
        CreditNote.objects.select_related("invoice").filter(tenant_id=tenant_id, pk=note_id).first()
    )
    if note is None:
        raise NotFound
    lines = list(note.lines.select_related("invoice_line").order_by("position"))
    again = set(
        Adjustment.objects.filter(rebills__in=lines)
        .exclude(state=AdjustmentState.REJECTED)
        .values_list("rebills_id", flat=True)
    )
    return NoteDetail(
        id=note.pk,
        number=note.number,
        invoice_id=note.invoice_id,
        invoice_number=note.invoice.number,
        invoice_gross=note.invoice.gross,
        invoice_issued_at=note.invoice.issued_at,
        is_full=note.is_full,
        reason=note.reason,
        currency=note.currency,
        issued_at=note.issued_at,
        buyer_code=note.buyer_code,
        buyer_name=note.buyer_name,
        buyer_credit_code=note.buyer_credit_code,
        seller_name=note.seller_name,
        seller_credit_code=note.seller_credit_code,
        net=note.net,
        tax=note.tax,
        gross=note.gross,
        from_due=note.from_due,
        to_wallet=note.to_wallet,
        to_credits=note.to_credits,
        content_hash=note.content_hash,
        lines=tuple(
            _note_line(line, note.invoice.hash_version, line.pk in again) for line in lines
        ),
    )


def _note_line(line: CreditNoteLine, form: int, rebilled: bool) -> NoteLine:  # noqa: FBT001 - a fact
    return NoteLine(
        id=line.pk,
        position=line.position,
        of=issued_line(line.invoice_line, form),
        net=line.net,
        tax=line.tax,
        gross=line.gross,
        rebilled=rebilled,
    )


def disputes_of(*, tenant_id: UUID, invoice_id: UUID) -> tuple[Dispute, ...]:
    """The objections to one invoice, newest first; one statement."""
    rows = Dispute.objects.filter(tenant_id=tenant_id, invoice_line__invoice_id=invoice_id)
    return tuple(rows.select_related("invoice_line", "credit_note").order_by("-pk"))


def dispute_page(
    *,
    actor: Actor,
    tenant_id: UUID,
    invoice_id: UUID,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Dispute]:
    """The objections to one invoice, newest first; two statements.

    Raises: PermissionRefused, NotFound, InvalidInput.
    """
    require(actor, Permission.INVOICE_READ, tenant_id)
    if not Invoice.objects.filter(tenant_id=tenant_id, pk=invoice_id).exists():
        raise NotFound
    rows = Dispute.objects.filter(tenant_id=tenant_id, invoice_line__invoice_id=invoice_id)
    return newest_first(rows.select_related("invoice_line"), cursor=cursor, limit=limit)


def dispute_queue(
    *, actor: Actor, state: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Dispute]:
    """Every tenant's objections, newest first; without a state those that wait.

    Raises: PermissionRefused, InvalidInput. Needs operator scope.
    """
    require(actor, Permission.DISPUTE_ANSWER)
    rows = Dispute.objects.select_related("tenant", "invoice_line__invoice", "credit_note")
    if state != "all":
        rows = rows.filter(state=state or DisputeState.OPEN)
    return newest_first(rows, cursor=cursor, limit=limit)


def adjustment_page(
    *, actor: Actor, cursor: str | None = None, limit: int = 50
) -> Page[Adjustment]:
    """Every tenant's adjustments, newest first, each with its tenant's ``currency``.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.ADJUSTMENT_PROPOSE)
    rows = Adjustment.objects.annotate(currency=own_currency())
    rows = rows.select_related("tenant", "invoice_line__invoice")
    return newest_first(rows, cursor=cursor, limit=limit)


class TaxCode(NamedTuple):
    """A tax code and what it is called."""

    code: str
    title_en: str
    title_zh: str


def tax_codes() -> tuple[TaxCode, ...]:
    """The tax codes, each as its latest rate calls it."""
    rows = TaxRate.objects.order_by("tax_code", F("during")).values_list(
        "tax_code", "title_en", "title_zh"
    )
    return tuple({code: TaxCode(code, en, zh) for code, en, zh in rows}.values())
