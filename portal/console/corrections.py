"""Objecting to an invoice line, and the credit notes that came of it."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.adapters.sheets import credit_note_csv, credit_note_pdf
from billing.commands.disputes import open_dispute, withdraw_dispute
from billing.queries.corrections import note_detail
from common.clock import utc_now
from portal.console.documents import attachment, language_of
from portal.console.forms import address, perform
from portal.console.htmx import render_page
from portal.console.invoices import line_page
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require


@require_safe
def credit_note(request: ActorRequest, tenant_code: str, note_id: UUID) -> HttpResponse:
    """One credit note, as it was issued."""
    found = note_detail(actor=request.actor, tenant_id=request.tenant.pk, note_id=note_id)
    crumbs = [
        Crumb(_("Invoices"), address(request, "invoice-list")),
        Crumb(found.invoice_number, address(request, "invoice", found.invoice_id)),
    ]
    context = {"one": found, "crumbs": crumbs}
    return render_page(request, "console/corrections/note.html", context)


@require_safe
def credit_note_document(request: ActorRequest, tenant_code: str, note_id: UUID) -> HttpResponse:
    """The credit note as PDF in the reader's language."""
    found = note_detail(actor=request.actor, tenant_id=request.tenant.pk, note_id=note_id)
    body = credit_note_pdf(found, language_of(request))
    return attachment(body, "application/pdf", f"{found.number}.pdf")


@require_safe
def credit_note_lines(request: ActorRequest, tenant_code: str, note_id: UUID) -> HttpResponse:
    """The credit note's lines for a spreadsheet."""
    found = note_detail(actor=request.actor, tenant_id=request.tenant.pk, note_id=note_id)
    body = credit_note_csv(found, language_of(request))
    return attachment(body, "text/csv; charset=utf-8", f"{found.number}.csv")


@require_POST
def dispute_open(
    request: ActorRequest, tenant_code: str, invoice_id: UUID, position: int
) -> HttpResponse:
    """Object to one line."""
    require(request.actor, Permission.DISPUTE_OPEN, request.tenant.pk)

    def opened() -> str:
        open_dispute(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            invoice_id=invoice_id,
            position=position,
            reason=request.POST.get("reason", ""),
            now=utc_now(),
        )
        return address(request, "invoice", invoice_id)

    return perform(
        request,
        opened,
        shown=lambda refusal: line_page(request, invoice_id, position, refusal),
        done=_("The centre will answer your objection."),
    )


@require_POST
def dispute_withdraw(
    request: ActorRequest, tenant_code: str, invoice_id: UUID, position: int, dispute_id: UUID
) -> HttpResponse:
    """Take an objection back."""
    require(request.actor, Permission.DISPUTE_OPEN, request.tenant.pk)

    def withdrawn() -> str:
        withdraw_dispute(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            invoice_id=invoice_id,
            dispute_id=dispute_id,
            now=utc_now(),
        )
        return address(request, "invoice", invoice_id)

    return perform(
        request,
        withdrawn,
        shown=lambda refusal: line_page(request, invoice_id, position, refusal),
        done=_("The objection is taken back."),
    )
