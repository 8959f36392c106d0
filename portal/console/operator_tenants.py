"""Tenants as operators see them: the list, taking one in, and one tenant's page."""

from functools import partial

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.queries.invoices import invoice_list
from billing.queries.wallet import standing, statement
from common.clock import utc_now
from common.errors import DomainError
from portal.console.forms import kept_idem
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer_form
from portal.console.operator_tenant_forms import (
    CreditLimitForm,
    CurrencyForm,
    ReasonForm,
    TenantForm,
    TopUpForm,
    VisitForm,
)
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.commands.organisations import create_organisation
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code
from tenants.queries.members import members
from tenants.queries.organisations import all_organisations
from tenants.queries.projects import projects
from tenants.queries.trail import visits

LIST = "console/operator/tenants.html"
NEW = "console/operator/tenant_new.html"
DETAIL = "console/operator/tenant.html"
SHOWN = 10


@require_safe
@allowed(Permission.TENANT_READ_ALL)
def tenant_list(request: ActorRequest) -> HttpResponse:
    """Every tenant, found by a part of its code or name."""
    search = request.GET.get("search", "").strip()
    page = all_organisations(
        actor=request.actor, search=search, cursor=request.GET.get("cursor") or None
    )
    return render_page(
        request,
        LIST,
        {
            "page": page,
            "search": search,
            "may_create": Permission.TENANT_OPERATE in request.actor.permissions,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.TENANT_OPERATE)
def tenant_new(request: ActorRequest) -> HttpResponse:
    """Take in a tenant. The code is the guard: a second sending finds it taken."""
    if request.method != "POST":
        return _new_page(request, TenantForm())
    form = TenantForm(request.POST)

    def effect() -> str:
        made = create_organisation(actor=request.actor, now=utc_now(), **form.cleaned_data)
        return reverse("ops:tenant", args=[made.code])

    return answer_form(
        request,
        form,
        effect,
        page=partial(_new_page, request, form),
        done=_("The tenant is taken in."),
    )


def _new_page(
    request: ActorRequest, form: TenantForm, refusal: DomainError | None = None
) -> HttpResponse:
    crumbs = [Crumb(_("Tenants"), reverse("ops:tenant-list"))]
    return render_page(request, NEW, {"form": form, "crumbs": crumbs}, refusal=refusal)


@require_safe
@allowed(Permission.TENANT_READ_ALL)
def tenant(request: ActorRequest, code: str) -> HttpResponse:
    """One tenant: standing, invoices, people, and what an operator may do about it."""
    return tenant_page(request, code)


def tenant_page(
    request: ActorRequest, code: str, refusal: DomainError | None = None, **sent: object
) -> HttpResponse:
    """The page; ``sent`` are forms that were refused, under their names in the template."""
    actor = request.actor
    organisation = tenant_of_code(actor=actor, code=code)
    account, now = standing(organisation.pk), utc_now()
    forms: dict[str, object] = {
        "top_up_form": TopUpForm(),
        "credit_form": CreditLimitForm(),
        "currency_form": CurrencyForm(initial={"currency": account.currency}),
        "reason_form": ReasonForm(),
        "visit_form": VisitForm(),
    }
    context = {
        "organisation": organisation,
        "crumbs": [Crumb(_("Tenants"), reverse("ops:tenant-list"))],
        "standing": account,
        "currency": account.currency,
        "movements": statement(tenant_id=organisation.pk, limit=SHOWN),
        "invoices": invoice_list(tenant_id=organisation.pk, now=now, limit=SHOWN),
        "members": members(actor=actor, tenant_id=organisation.pk, limit=SHOWN),
        "projects": projects(actor=actor, tenant_id=organisation.pk),
        "visits": visits(actor=actor, tenant_id=organisation.pk, limit=5),
        "may_fund": Permission.WALLET_TOP_UP in actor.permissions,
        "may_decide": Permission.MONEY_OUT_PROPOSE in actor.permissions,
        "may_invoice": Permission.INVOICE_ISSUE in actor.permissions,
        "may_operate": Permission.TENANT_OPERATE in actor.permissions,
        "now": now,
        "idem": kept_idem(request, refusal) if refusal else "",
        **forms,
        **sent,
    }
    return render_page(request, DETAIL, context, refusal=refusal)
