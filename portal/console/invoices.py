"""Invoices: the list, the document, its lines down to their events, and files to keep."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.adapters.csv import invoice_csv
from billing.adapters.pdf import invoice_pdf
from billing.documents import InvoiceDetail
from billing.queries.corrections import disputes_of, notes_of
from billing.queries.invoices import invoice_detail, unbilled
from billing.queries.pages import invoice_page, line_event_page
from common.clock import utc_now
from common.errors import DomainError, NotFound
from portal.console.documents import attachment, language_of
from portal.console.exports import offered
from portal.console.forms import address, kept_idem
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require

PAGE = 50


@require_safe
def invoice_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """What was invoiced, and above it what will be."""
    require(request.actor, Permission.INVOICE_READ, request.tenant.pk)
    now = utc_now()
    page = invoice_page(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        now=now,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    context = {
        "page": page,
        "draft": unbilled(tenant_id=request.tenant.pk, until=now),
        "now": now,
        "export": offered(now),
    }
    return render_page(request, "console/invoices/list.html", context)


@require_safe
def invoice(request: ActorRequest, tenant_code: str, invoice_id: UUID) -> HttpResponse:
    """One invoice, as it was issued."""
    found = _found(request, invoice_id)
    tenant_id = request.tenant.pk
    context = {
        "one": found,
        "crumbs": _crumbs(request),
        "notes": notes_of(tenant_id=tenant_id, invoice_id=invoice_id),
        "disputes": disputes_of(tenant_id=tenant_id, invoice_id=invoice_id),
        "may_dispute": Permission.DISPUTE_OPEN in request.actor.permissions,
    }
    return render_page(request, "console/invoices/detail.html", context)


@require_safe
def invoice_line(
    request: ActorRequest, tenant_code: str, invoice_id: UUID, position: int
) -> HttpResponse:
    """The events behind one line, and objecting to it."""
    return line_page(request, invoice_id, position)


def line_page(
    request: ActorRequest, invoice_id: UUID, position: int, refusal: DomainError | None = None
) -> HttpResponse:
    """The page of one line, also where an objection to it was refused."""
    found = _found(request, invoice_id)
    line = next((line for line in found.lines if line.position == position), None)
    if line is None:
        raise NotFound
    page = line_event_page(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        invoice_id=invoice_id,
        position=position,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    crumbs = [*_crumbs(request), Crumb(found.number, address(request, "invoice", found.id))]
    context = {
        "one": found,
        "line": line,
        "page": page,
        "crumbs": crumbs,
        "may_dispute": Permission.DISPUTE_OPEN in request.actor.permissions,
        "reason": request.POST.get("reason", ""),
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, "console/invoices/line.html", context, refusal=refusal)


@require_safe
def invoice_document(request: ActorRequest, tenant_code: str, invoice_id: UUID) -> HttpResponse:
    """The invoice as PDF in the reader's language."""
    found = _found(request, invoice_id)
    body = invoice_pdf(found, language_of(request))
    return attachment(body, "application/pdf", f"{found.number}.pdf")


@require_safe
def invoice_lines(request: ActorRequest, tenant_code: str, invoice_id: UUID) -> HttpResponse:
    """The invoice's lines for a spreadsheet."""
    found = _found(request, invoice_id)
    body = invoice_csv(found, language_of(request))
    return attachment(body, "text/csv; charset=utf-8", f"{found.number}.csv")


def _found(request: ActorRequest, invoice_id: UUID) -> InvoiceDetail:
    require(request.actor, Permission.INVOICE_READ, request.tenant.pk)
    return invoice_detail(tenant_id=request.tenant.pk, invoice_id=invoice_id, now=utc_now())


def _crumbs(request: ActorRequest) -> list[Crumb]:
    return [Crumb(_("Invoices"), address(request, "invoice-list"))]
