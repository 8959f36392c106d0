"""Credit notes: an issued invoice is never edited, it is taken back, whole or line by line."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from billing.commands.credits import restore_credits
from billing.commands.ledger import book
from billing.commands.wallet import settle_open_invoices
from billing.locks import busy_when_waiting, lock_account
from billing.models import (
    CreditNote,
    CreditNoteCounter,
    CreditNoteLine,
    DecisionState,
    Invoice,
    InvoiceLine,
    LedgerKind,
)
from billing.money import FEN, tax_on
from billing.queries.dues import with_due
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.zone import centre_zone
from tenants.audit import record
from tenants.notices import JSON, post
from tenants.permissions import Actor, Permission, require

NOTHING = Decimal(0)


class CreditNoteRefused(DomainError):
    """Nothing is left to credit, or more was asked for than is."""

    code = "credit_note_refused"
    status = 409
    message = _("Of line %(position)s of invoice %(number)s, %(left)s (net) can be credited.")


class InvoiceNotCreditable(DomainError):
    """The invoice gives money back already, or all of it was taken back before."""

    code = "invoice_not_creditable"
    status = 409
    message = _("Nothing of invoice %(number)s can be credited.")


class InvoiceWrittenOff(DomainError):
    """What was booked as lost was never paid, and there is nothing to give back."""

    code = "invoice_written_off"
    status = 409
    message = _("Invoice %(number)s was written off: nothing of it is credited.")


@dataclass(frozen=True)
class Credited:
    """What a note takes of one line."""

    line: InvoiceLine
    net: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


@transaction.atomic
def issue_credit_note(
    *,
    actor: Actor,
    tenant_id: UUID,
    invoice_id: UUID,
    reason: str,
    nets: Mapping[int, Decimal] | None = None,
    now: datetime,
) -> CreditNote:
    """Take an invoice back: all that is left of it, or a net amount of some of its lines.

    Shape: ``nets`` is by the lines' positions; without it the invoice is void. What was still open
    is owed no more, what the wallet paid goes back to it, and what credits paid goes back to
    them. The usage behind the lines stays billed: see ADR 0405.
    Locks: the account, then the counter of credit notes.
    Raises: PermissionRefused, NotFound, InvalidInput, InvoiceWrittenOff, CreditNoteRefused,
    InvoiceNotCreditable, AccountBusy.
    """
    require(actor, Permission.INVOICE_VOID, tenant_id)
    if not reason.strip():
        raise InvalidInput(errors=[FieldError("/reason", "required", str(_("Say why.")))])

    lock_account(tenant_id)
    invoice = Invoice.objects.filter(tenant_id=tenant_id, pk=invoice_id).first()
    if invoice is None:
        raise NotFound
    if invoice.write_offs.filter(state=DecisionState.DONE).exists():
        raise InvoiceWrittenOff(number=invoice.number)
    credited = _credited(invoice, nets)
    gross = sum((one.gross for one in credited), NOTHING)
    if not credited or gross < 0:
        raise InvoiceNotCreditable(number=invoice.number)
    to_credits = _restored(credited, now)
    note = _write(invoice, credited, reason.strip()[:500], to_credits, now)
    _book(note)
    settle_open_invoices(tenant_id=tenant_id, now=now)
    _tell(actor, invoice, note, now)
    return note


def _credited(invoice: Invoice, nets: Mapping[int, Decimal] | None) -> tuple[Credited, ...]:
    lines = {line.position: line for line in invoice.lines.order_by("position")}
    left = _left(invoice, tuple(lines.values()))
    if nets is None:
        return tuple(one for one in left.values() if one.net or one.tax)
    chosen = []
    for position, net in sorted(nets.items()):
        if position not in lines:
            raise NotFound
        rest = left[position]
        same_sign = net.is_finite() and net * rest.net > 0
        if not same_sign or abs(net) > abs(rest.net) or net != net.quantize(FEN):
            raise CreditNoteRefused(position=position, number=invoice.number, left=rest.net)
        # The last of a line takes the tax that is left, so that no fen stays behind.
        tax = rest.tax if net == rest.net else tax_on(net, lines[position].tax_rate)
        chosen.append(Credited(lines[position], net, _at_most(tax, rest.tax)))
    return tuple(chosen)


def _at_most(tax: Decimal, left: Decimal) -> Decimal:
    return min(tax, left) if left >= 0 else max(tax, left)


def _left(invoice: Invoice, lines: Sequence[InvoiceLine]) -> dict[int, Credited]:
    rows = CreditNoteLine.objects.filter(credit_note__invoice=invoice)
    taken = {
        line_id: (net, tax)
        for line_id, net, tax in rows.values_list("invoice_line_id")
        .annotate(net=Sum("net"), tax=Sum("tax"))
        .values_list("invoice_line_id", "net", "tax")
    }
    left = {}
    for line in lines:
        net, tax = taken.get(line.pk, (NOTHING, NOTHING))
        left[line.position] = Credited(line, line.net - net, line.tax - tax)
    return left


def _restored(credited: Sequence[Credited], now: datetime) -> Decimal:
    """Tell the credits that paid; what goes back to them is owed again until the note is booked."""
    return sum(
        (
            restore_credits(
                tenant_id=one.line.tenant_id,
                invoice_line_id=one.line.pk,
                amount=one.gross,
                now=now,
            )
            for one in credited
            if one.gross > 0
        ),
        NOTHING,
    )


def due_of(invoice: Invoice) -> Decimal:
    """What is still to be paid of an invoice."""
    return with_due(Invoice.objects.filter(pk=invoice.pk)).get().outstanding


def _write(
    invoice: Invoice,
    credited: Sequence[Credited],
    reason: str,
    to_credits: Decimal,
    now: datetime,
) -> CreditNote:
    net = sum((one.net for one in credited), NOTHING)
    tax = sum((one.tax for one in credited), NOTHING)
    before = (
        CreditNote.objects.filter(invoice=invoice).aggregate(sum=Sum("gross"))["sum"] or NOTHING
    )
    from_due = min(net + tax, due_of(invoice))
    counter = _next_number(now)
    sequence = counter.last_sequence + 1
    note = CreditNote(
        tenant_id=invoice.tenant_id,
        invoice=invoice,
        issuer=counter.issuer,
        year=counter.year,
        sequence=sequence,
        number=f"{counter.issuer}-CN-{counter.year}-{sequence:06d}",
        is_full=before + net + tax == invoice.gross,
        reason=reason,
        currency=invoice.currency,
        net=net,
        tax=tax,
        gross=net + tax,
        from_due=from_due,
        to_wallet=net + tax - from_due,
        to_credits=min(to_credits, from_due),
        line_count=len(credited),
        buyer_code=invoice.buyer_code,
        buyer_name=invoice.buyer_name,
        buyer_credit_code=invoice.buyer_credit_code,
        seller_name=invoice.seller_name,
        seller_credit_code=invoice.seller_credit_code,
        issued_at=now,
        previous_hash=counter.last_hash,
    )
    lines = [
        CreditNoteLine(
            tenant_id=invoice.tenant_id,
            credit_note=note,
            invoice_line=one.line,
            position=position,
            net=one.net,
            tax=one.tax,
            gross=one.gross,
        )
        for position, one in enumerate(credited, start=1)
    ]
    note.content_hash = note_hash(note, invoice.number, lines)
    note.save(force_insert=True)
    CreditNoteLine.objects.bulk_create(lines)
    CreditNoteCounter.objects.filter(pk=counter.pk).update(
        last_sequence=sequence, last_hash=note.content_hash
    )
    return note


def _next_number(now: datetime) -> CreditNoteCounter:
    """Lock the year's counter until the transaction ends: numbers have no gaps and no twins.

    Raises: AccountBusy after three seconds, like the account's own lock.
    """
    key = {
        "issuer": settings.INVOICE_ISSUER,
        "year": now.astimezone(centre_zone()).year,
    }
    with busy_when_waiting():
        CreditNoteCounter.objects.bulk_create([CreditNoteCounter(**key)], ignore_conflicts=True)
        return CreditNoteCounter.objects.select_for_update().get(**key)


def note_hash(note: CreditNote, invoice_number: str, lines: Sequence[CreditNoteLine]) -> str:
    """SHA-256 of everything a credit note says, chained to the one issued before it."""
    said = [
        [
            note.number,
            note.previous_hash,
            str(note.tenant_id),
            invoice_number,
            note.is_full,
            note.reason,
            note.currency,
            *[f"{amount:.2f}" for amount in (note.net, note.tax, note.gross)],
            *[f"{amount:.2f}" for amount in (note.from_due, note.to_wallet, note.to_credits)],
            note.buyer_code,
            note.buyer_name,
            note.buyer_credit_code,
            note.seller_name,
            note.seller_credit_code,
            note.issued_at.astimezone(ZoneInfo("UTC")).isoformat(timespec="microseconds"),
        ],
        *[
            [line.position, str(line.invoice_line_id)]
            + [f"{amount:.2f}" for amount in (line.net, line.tax, line.gross)]
            for line in lines
        ],
    ]
    canonical = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _book(note: CreditNote) -> None:
    """The invoice's legs the other way round: less owed, or paid back into the wallet."""
    if not note.gross:
        return
    book(
        tenant_id=note.tenant_id,
        kind="credit_note",
        key=f"credit_note:{note.pk}",
        legs={
            LedgerKind.REVENUE: note.net,
            LedgerKind.VAT_OUTPUT: note.tax,
            LedgerKind.RECEIVABLE: -note.from_due,
            LedgerKind.WALLET: -note.to_wallet,
        },
        reference=note.number,
        booked_at=note.issued_at,
    )


def _tell(actor: Actor, invoice: Invoice, note: CreditNote, now: datetime) -> None:
    record(
        actor,
        "billing.credit_note.issued",
        subject=f"billing.credit_note:{note.pk}",
        tenant_id=note.tenant_id,
        detail={"number": note.number, "invoice": invoice.number, "gross": str(note.gross)},
    )
    detail: dict[str, JSON] = {
        "number": note.number,
        "invoice": invoice.number,
        "gross": str(note.gross),
        "currency": note.currency,
        "reason": note.reason,
    }
    post(
        tenant_id=note.tenant_id,
        kind="credit_note.issued",
        key=f"credit_note:{note.pk}",
        detail=detail,
        now=now,
    )
    if note.is_full:
        post(
            tenant_id=note.tenant_id,
            kind="invoice.voided",
            key=f"invoice.voided:{invoice.pk}",
            detail={"number": invoice.number, "note": note.number},
            now=now,
        )
