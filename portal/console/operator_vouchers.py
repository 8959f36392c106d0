"""Voucher schemes and applications: what the city's notice says, and deciding under it."""

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.commands.schemes import SchemeRules, load_example_schemes, save_scheme
from billing.commands.vouchers import (
    grant_application,
    reject_application,
    review_application,
)
from billing.queries.vouchers import (
    all_schemes,
    application_tenant,
    scheme_of_code,
    waiting_applications,
)
from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from portal.console.forms import CentreInstantField, add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.wording import EVIDENCE, SERVICES
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission

LIST = "console/operator/schemes.html"
EDIT = "console/operator/scheme.html"
APPLICATIONS = "console/operator/applications.html"
MODES = [
    ("instant", gettext_lazy("Deducted when the invoice is issued")),
    ("reimburse", gettext_lazy("Paid first, claimed afterwards")),
]
AFTER = [
    ("lapse", gettext_lazy("It lapses")),
    ("grace", gettext_lazy("A lot of its own with a few more days")),
]


def _share(label: Any) -> forms.DecimalField:  # a lazy sentence, as every label
    return forms.DecimalField(label=label, max_digits=5, decimal_places=4, min_value=0, max_value=1)


def _money(label: Any) -> forms.DecimalField:  # as above
    return forms.DecimalField(
        label=label, max_digits=16, decimal_places=2, min_value=0, required=False
    )


def _check(label: Any) -> forms.BooleanField:  # as above
    return forms.BooleanField(label=label, required=False)


class SchemeForm(forms.Form):
    """Everything a notice says; an empty limit is no limit."""

    title_en = forms.CharField(label=gettext_lazy("Title in English"), max_length=150)
    title_zh = forms.CharField(label=gettext_lazy("Title in Chinese"), max_length=150)
    issuer = forms.CharField(label=gettext_lazy("Issuer"), max_length=100)
    notice = forms.CharField(
        label=gettext_lazy("The notice's number"), max_length=200, required=False
    )
    mode = forms.ChoiceField(label=gettext_lazy("Way"), choices=MODES)
    share_domestic = _share(gettext_lazy("Share of a line, domestic cards (0.30 is 30 %)"))
    share_other = _share(gettext_lazy("Share of a line, other cards"))
    cap_per_tenant_year = _money(gettext_lazy("Cap per tenant and year"))
    cap_per_contract = _money(gettext_lazy("Cap per contract"))
    budget = _money(gettext_lazy("Budget of the scheme"))
    min_spend = _money(gettext_lazy("Least spend on an invoice"))
    scope_services = forms.MultipleChoiceField(
        label=gettext_lazy("Services it pays for"),
        choices=list(SERVICES.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    excluded_services = forms.MultipleChoiceField(
        label=gettext_lazy("Services it never pays for"),
        choices=list(SERVICES.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    eligible_pools = forms.CharField(
        label=gettext_lazy("Pools it is limited to, by code"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Separated by commas; empty is every pool."),
    )
    evidence = forms.MultipleChoiceField(
        label=gettext_lazy("Documents to ask for"),
        choices=list(EVIDENCE.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    valid_days = forms.IntegerField(
        label=gettext_lazy("Days a voucher is valid"), min_value=1, required=False
    )
    valid_until = CentreInstantField(
        label=gettext_lazy("Vouchers end at the latest"), required=False
    )
    applications_from = CentreInstantField(label=gettext_lazy("Applications from"), required=False)
    applications_until = CentreInstantField(
        label=gettext_lazy("Applications until"), required=False
    )
    after_expiry = forms.ChoiceField(
        label=gettext_lazy("What a refund gives back after the last day"), choices=AFTER
    )
    is_one_per_contract = _check(gettext_lazy("One application for each contract"))
    is_stackable = _check(gettext_lazy("May pay beside another voucher"))
    needs_verification = _check(gettext_lazy("Needs a verified organisation"))
    needs_review = _check(gettext_lazy("Needs a review"))
    needs_unrelated = _check(gettext_lazy("Excludes related parties"))
    is_open = _check(gettext_lazy("Takes applications"))


@require_safe
@allowed(Permission.SETTLEMENT_READ)
def scheme_list(request: ActorRequest) -> HttpResponse:
    """Every scheme with what is committed of its budget."""
    return _list_page(request)


def _list_page(request: ActorRequest, refusal: DomainError | None = None) -> HttpResponse:
    context = {
        "schemes": all_schemes(actor=request.actor),
        "may_manage": Permission.SCHEME_MANAGE in request.actor.permissions,
        "may_review": Permission.VOUCHER_REVIEW in request.actor.permissions,
    }
    return render_page(request, LIST, context, refusal=refusal)


@require_POST
@allowed(Permission.SCHEME_MANAGE)
def scheme_examples(request: ActorRequest) -> HttpResponse:
    """Put in the examples that are missing; those that exist are left as they are."""

    def effect() -> str:
        load_example_schemes(actor=request.actor, now=utc_now())
        return reverse("ops:scheme-list")

    return answer(
        request,
        effect,
        shown=lambda refusal: _list_page(request, refusal),
        done=_("The examples are there. Edit them by your city's notice."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.SCHEME_MANAGE)
def scheme(request: ActorRequest, code: str) -> HttpResponse:
    """One scheme's rules, to read and to edit; a new code makes a new scheme."""
    known = _known(request, code)
    if request.method != "POST":
        return _edit_page(request, code, SchemeForm(initial=known or {"mode": "instant"}))
    form = SchemeForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _edit_page(request, code, form, refusal)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        save_scheme(
            actor=request.actor, rules=_rules(code, form.cleaned_data, known), now=utc_now()
        )
        return reverse("ops:scheme-list")

    return answer(request, effect, shown=shown, done=_("The scheme is saved."))


# Values of a form and of a row are as various as their fields.
def _known(request: ActorRequest, code: str) -> dict[str, Any]:
    try:
        found = scheme_of_code(actor=request.actor, code=code)
    except NotFound:
        return {}
    names = [one.name for one in fields(SchemeRules)]
    known = {name: getattr(found, name) for name in names}
    return {**known, "eligible_pools": ", ".join(found.eligible_pools)}


def _rules(code: str, said: dict[str, Any], known: dict[str, Any]) -> SchemeRules:
    pools = tuple(part.strip() for part in said["eligible_pools"].split(",") if part.strip())
    values = {
        **said,
        "min_spend": said["min_spend"] or Decimal(0),
        "eligible_pools": pools,
        "scope_services": tuple(said["scope_services"]),
        "excluded_services": tuple(said["excluded_services"]),
        "evidence": tuple(said["evidence"]),
        # An example that was edited is the city's.
        "is_example": False,
        "package_meter": known.get("package_meter", ""),
        "package_quantity": known.get("package_quantity"),
        "priority": known.get("priority", 50),
    }
    return SchemeRules(code=code, **values)


def _edit_page(
    request: ActorRequest, code: str, form: SchemeForm, refusal: DomainError | None = None
) -> HttpResponse:
    crumbs = [Crumb(_("Vouchers"), reverse("ops:scheme-list"))]
    context = {"code": code, "form": form, "crumbs": crumbs}
    return render_page(request, EDIT, context, refusal=refusal)


@require_safe
@allowed(Permission.VOUCHER_REVIEW)
def application_list(request: ActorRequest) -> HttpResponse:
    """What waits for a review or a decision, of every tenant."""
    return _applications_page(request)


def _applications_page(
    request: ActorRequest, refusal: DomainError | None = None, refused_id: UUID | None = None
) -> HttpResponse:
    page = waiting_applications(actor=request.actor, cursor=request.GET.get("cursor") or None)
    rows = [
        (
            one,
            [(EVIDENCE.get(kind, kind), told) for kind, told in one.evidence.items()],
            one.reviewed_by_id == request.actor.id,
        )
        for one in page.items
    ]
    context = {
        "page": page,
        "rows": rows,
        "refused_id": refused_id,
        "crumbs": [Crumb(_("Vouchers"), reverse("ops:scheme-list"))],
    }
    return render_page(request, APPLICATIONS, context, refusal=refusal)


class GrantForm(forms.Form):
    """How much of what was asked."""

    amount = forms.DecimalField(max_digits=14, decimal_places=2)


class RejectForm(forms.Form):
    """Why; the tenant reads it."""

    reason = forms.CharField(max_length=500)


@require_POST
@allowed(Permission.VOUCHER_REVIEW)
def application_step(request: ActorRequest, application_id: UUID, step: str) -> HttpResponse:
    """Review, grant or reject one application."""
    form = {"review": forms.Form, "grant": GrantForm, "reject": RejectForm}.get(step)
    if form is None:
        raise NotFound
    tenant_id = application_tenant(actor=request.actor, application_id=application_id)
    told = form(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        return _applications_page(request, refusal, application_id)

    if not told.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        _decide(request, step, tenant_id, application_id, told.cleaned_data, utc_now())
        return reverse("ops:application-list")

    return answer(request, effect, shown=shown, done=_("The application has moved on."))


def _decide(
    request: ActorRequest,
    step: str,
    tenant_id: UUID,
    application_id: UUID,
    said: dict[str, Any],
    now: datetime,
) -> None:
    actor = request.actor
    if step == "review":
        review_application(actor=actor, tenant_id=tenant_id, application_id=application_id, now=now)
    elif step == "grant":
        grant_application(
            actor=actor,
            tenant_id=tenant_id,
            application_id=application_id,
            amount=said["amount"],
            now=now,
        )
    else:
        reject_application(
            actor=actor,
            tenant_id=tenant_id,
            application_id=application_id,
            reason=said["reason"],
            now=now,
        )
