"""The account statement of a month, or of any stretch of days."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from billing.adapters.sheets import statement_csv, statement_pdf
from billing.queries.account_statement import AccountStatement, account_statement
from common.clock import utc_now
from common.errors import InvalidInput
from common.period import Period, month_of
from common.zone import centre_zone
from portal.console.documents import attachment, language_of
from portal.console.htmx import render_page
from portal.console.wording import MOVEMENTS
from portal.requests import ActorRequest
from tenants.permissions import Permission, require

LONGEST = timedelta(days=400)


class StatementForm(forms.Form):
    """The first and the last day."""

    start = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean_end(self) -> date:
        start, end = self.cleaned_data.get("start"), self.cleaned_data["end"]
        if start is not None and not start <= end <= start + LONGEST:
            raise forms.ValidationError(_("The last day follows the first, within 400 days."))
        return end  # type: ignore[no-any-return]  # what a date field holds


@require_safe
def statement(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Opening balance, what moved it, closing balance."""
    require(request.actor, Permission.WALLET_READ, request.tenant.pk)
    form = _form(request)
    if not form.is_valid():
        return render_page(
            request, "console/statement/page.html", {"form": form}, refusal=InvalidInput()
        )
    told = _told(request, form)
    context = {
        "form": form,
        "told": told,
        "entries": [(one, MOVEMENTS.get(one.kind, one.kind)) for one in told.entries],
        "query": f"start={form.cleaned_data['start']}&end={form.cleaned_data['end']}",
    }
    return render_page(request, "console/statement/page.html", context)


@require_safe
def statement_document(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The statement as PDF."""
    require(request.actor, Permission.WALLET_READ, request.tenant.pk)
    told = _told(request, _checked(request))
    body = statement_pdf(told, language_of(request), settings.INVOICE_SELLER_NAME)
    return attachment(body, "application/pdf", f"statement-{told.tenant_code}.pdf")


@require_safe
def statement_rows(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The statement for a spreadsheet."""
    require(request.actor, Permission.WALLET_READ, request.tenant.pk)
    told = _told(request, _checked(request))
    body = statement_csv(told, language_of(request))
    return attachment(body, "text/csv; charset=utf-8", f"statement-{told.tenant_code}.csv")


def _checked(request: ActorRequest) -> StatementForm:
    form = _form(request)
    if not form.is_valid():
        raise InvalidInput
    return form


def _form(request: ActorRequest) -> StatementForm:
    zone = centre_zone()
    month = month_of(utc_now(), settings.CENTRE_TIME_ZONE)
    first = month.start.astimezone(zone).date()
    last = (month.end - timedelta(seconds=1)).astimezone(zone).date()
    return StatementForm(
        {
            "start": request.GET.get("start") or first.isoformat(),
            "end": request.GET.get("end") or last.isoformat(),
        }
    )


def _told(request: ActorRequest, form: StatementForm) -> AccountStatement:
    zone = centre_zone()
    start = datetime.combine(form.cleaned_data["start"], time(), zone)
    end = datetime.combine(form.cleaned_data["end"] + timedelta(days=1), time(), zone)
    return account_statement(
        actor=request.actor, tenant_id=request.tenant.pk, period=Period(start, end)
    )
