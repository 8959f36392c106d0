"""Invoices of every tenant."""

from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.adapters.pdf import invoice_pdf
from billing.queries.corrections import disputes_of, notes_of
from billing.queries.invoices import invoice_detail
from billing.queries.pages import invoice_page
from common.clock import utc_now
from common.errors import DomainError
from portal.console.documents import attachment, language_of
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission
from tenants.queries.desk import tenant_codes, tenant_of_code

PAGE_SIZE = 50


@require_safe
@allowed(Permission.INVOICE_READ)
def invoices(request: ActorRequest) -> HttpResponse:
    """Every issued invoice, newest first."""
    page = invoice_page(
        actor=request.actor,
        tenant_id=None,
        now=utc_now(),
        cursor=request.GET.get("cursor") or None,
        limit=PAGE_SIZE,
    )
    codes = tenant_codes(actor=request.actor, ids=(row.tenant_id for row in page.items))
    return render_page(
        request,
        "console/operator/invoices.html",
        {
            "rows": [(row, codes[row.tenant_id]) for row in page.items],
            "next_cursor": page.next_cursor,
        },
    )


@require_safe
@allowed(Permission.INVOICE_READ)
def invoice(request: ActorRequest, code: str, invoice_id: UUID) -> HttpResponse:
    """One invoice with all its lines."""
    return invoice_page_of(request, code, invoice_id)


def invoice_page_of(
    request: ActorRequest, code: str, invoice_id: UUID, refusal: DomainError | None = None
) -> HttpResponse:
    """The page, also where a credit note was refused."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    found = invoice_detail(tenant_id=organisation.pk, invoice_id=invoice_id, now=utc_now())
    crumbs = [
        Crumb(_("Invoices"), reverse("ops:invoice-list")),
        Crumb(organisation.name, reverse("ops:tenant", args=[code])),
    ]
    return render_page(
        request,
        "console/operator/invoice.html",
        {
            "one": found,
            "organisation": organisation,
            "crumbs": crumbs,
            "notes": notes_of(tenant_id=organisation.pk, invoice_id=invoice_id),
            "disputes": disputes_of(tenant_id=organisation.pk, invoice_id=invoice_id),
            "may_credit": Permission.INVOICE_VOID in request.actor.permissions
            and found.credited < found.gross,
            "sent": request.POST,
        },
        refusal=refusal,
    )


@require_safe
@allowed(Permission.INVOICE_READ)
def invoice_document(request: ActorRequest, code: str, invoice_id: UUID) -> HttpResponse:
    """The invoice as its tenant gets it, as PDF in the reader's language."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    found = invoice_detail(tenant_id=organisation.pk, invoice_id=invoice_id, now=utc_now())
    body = invoice_pdf(found, language_of(request))
    return attachment(body, "application/pdf", f"{found.number}.pdf")
