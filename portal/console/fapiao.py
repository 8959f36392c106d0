"""Fapiao of one tenant: whom they are made out to, asking for them, and where each stands."""

from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from billing.commands.fapiao import request_fapiao, save_tax_profile
from billing.queries.fapiao import fapiao_of, fapiao_page, tax_profile
from billing.queries.invoiceable import invoiceable_invoices, invoiceable_top_ups
from common.clock import utc_now
from common.errors import DomainError, FieldError, InvalidInput
from portal.console.forms import add_refusal, address, checked, kept_idem, perform
from portal.console.htmx import render_page
from portal.console.wording import FAPIAO_KINDS
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require

LIST = "console/fapiao/page.html"
DETAIL = "console/fapiao/detail.html"
PAGE = 50


class TaxProfileForm(forms.Form):
    """Whom fapiao are made out to."""

    buyer_name = forms.CharField(label=gettext_lazy("Buyer's name"), max_length=200)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=tuple(FAPIAO_KINDS.items()),
        help_text=gettext_lazy("A special VAT fapiao lets the buyer deduct the tax."),
    )
    tax_number = forms.CharField(
        label=gettext_lazy("Tax number"),
        max_length=18,
        required=False,
        help_text=gettext_lazy("The unified social credit code, 18 characters."),
    )
    address_phone = forms.CharField(
        label=gettext_lazy("Address and telephone"), max_length=200, required=False
    )
    bank_account = forms.CharField(
        label=gettext_lazy("Bank and account"), max_length=200, required=False
    )


@require_safe
def fapiao_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The fapiao, what may still be asked for, and the tax profile."""
    return _page(request)


@require_safe
def fapiao_detail(request: ActorRequest, tenant_code: str, fapiao_id: UUID) -> HttpResponse:
    """One fapiao as it is, or will be, printed."""
    found = fapiao_of(actor=request.actor, tenant_id=request.tenant.pk, fapiao_id=fapiao_id)
    context = {
        "one": found,
        "kind": FAPIAO_KINDS[found.kind],
        "crumbs": [Crumb(_("Fapiao"), address(request, "fapiao-list"))],
    }
    return render_page(request, DETAIL, context)


@require_POST
def fapiao_profile(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Say whom fapiao are made out to."""
    require(request.actor, Permission.FAPIAO_REQUEST, request.tenant.pk)
    form = TaxProfileForm(request.POST)

    def saved() -> str:
        save_tax_profile(
            actor=request.actor, tenant_id=request.tenant.pk, now=utc_now(), **checked(form)
        )
        return address(request, "fapiao-list")

    return perform(
        request,
        saved,
        shown=lambda refusal: _page(request, refusal, form),
        done=_("The tax profile is saved."),
    )


@require_POST
def fapiao_request(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Ask for one fapiao over the chosen invoices or top-ups."""
    require(request.actor, Permission.FAPIAO_REQUEST, request.tenant.pk)

    def asked() -> str:
        made = request_fapiao(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            wanted=_chosen(request),
            remark=request.POST.get("remark", "")[:200],
            now=utc_now(),
        )
        return address(request, "fapiao", made.pk)

    return perform(
        request,
        asked,
        shown=lambda refusal: _page(request, refusal),
        done=_("The fapiao is asked for."),
    )


def _chosen(request: ActorRequest) -> list[UUID]:
    try:
        return [UUID(told) for told in request.POST.getlist("wanted")]
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/wanted", "invalid", "")]) from error


def _page(
    request: ActorRequest,
    refusal: DomainError | None = None,
    form: TaxProfileForm | None = None,
) -> HttpResponse:
    tenant_id = request.tenant.pk
    profile = tax_profile(actor=request.actor, tenant_id=tenant_id)
    on_top_up = profile is not None and profile.basis == "on_topup"
    find = invoiceable_top_ups if on_top_up else invoiceable_invoices
    may_request = Permission.FAPIAO_REQUEST in request.actor.permissions
    if form is None:
        form = TaxProfileForm(initial=_initial(request, profile))
    elif form.is_valid():
        add_refusal(form, refusal)
    context = {
        "page": fapiao_page(
            actor=request.actor,
            tenant_id=tenant_id,
            cursor=request.GET.get("cursor") or None,
            limit=PAGE,
        ),
        "kinds": FAPIAO_KINDS,
        "profile": profile,
        "on_top_up": on_top_up,
        "open": [one for one in find(tenant_id=tenant_id) if one.left > 0],
        "form": form if may_request else None,
        "may_request": may_request and profile is not None,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, LIST, context, refusal=refusal)


# A profile is a row of billing, which this layer sees through its query only.
def _initial(request: ActorRequest, profile: object | None) -> dict[str, object]:
    if profile is not None:
        return {name: getattr(profile, name) for name in TaxProfileForm.base_fields}
    tenant = request.tenant
    return {
        "buyer_name": getattr(tenant, "legal_name", "") or tenant.name,
        "tax_number": getattr(tenant, "credit_code", ""),
        "kind": "digital_ordinary",
    }
