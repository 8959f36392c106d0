"""Arrears as operators see and decide them: who owes what for how long, terms, tiers, more time."""

from collections.abc import Callable
from datetime import timedelta

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.arrears import Figures
from billing.commands.arrears_terms import (
    date_figures,
    delay_deadlines,
    end_exemption,
    exempt,
    set_terms,
)
from billing.queries.arrears_desk import debtor, debtors, history, sums_of
from billing.queries.arrears_terms import TierRow, terms_of, tiers
from common.clock import utc_now
from common.errors import DomainError, InvalidInput
from portal.console.forms import add_refusal, kept_idem
from portal.console.htmx import render_page
from portal.console.operator_arrears_forms import DelayForm, ExemptForm, FiguresForm, TermsForm
from portal.console.operator_forms import allowed, answer
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require
from tenants.queries.desk import tenant_of_code

LIST = "console/operator/arrears.html"
DETAIL = "console/operator/arrears_tenant.html"
TIERS = "console/operator/arrears_tiers.html"


@require_safe
@allowed(Permission.TENANT_READ_ALL)
def arrears_list(request: ActorRequest) -> HttpResponse:
    """Every tenant that owes something or whose standing is not normal."""
    rows = debtors(actor=request.actor, now=utc_now())
    return render_page(request, LIST, {"rows": rows, "totals": sums_of(rows).items()})


@require_safe
@allowed(Permission.TENANT_READ_ALL)
def arrears_tenant(request: ActorRequest, code: str) -> HttpResponse:
    """One tenant's standing, deadlines and history, and what may be decided."""
    return _tenant_page(request, code)


@require_POST
@allowed(Permission.ARREARS_MANAGE)
def arrears_terms(request: ActorRequest, code: str) -> HttpResponse:
    """Set a tenant's tier and days to pay."""
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk
    form = TermsForm(request.POST, tiers=_titles())

    def effect() -> None:
        set_terms(
            actor=request.actor,
            tenant_id=tenant_id,
            tier=form.cleaned_data["tier"],
            payment_days=form.cleaned_data["payment_days"],
            now=utc_now(),
        )

    return _decided(request, code, ("terms_form", form), effect, _("The terms are set."))


@require_POST
@allowed(Permission.ARREARS_MANAGE)
def arrears_exempt(request: ActorRequest, code: str) -> HttpResponse:
    """Whitelist a tenant until an instant."""
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk
    form = ExemptForm(request.POST)

    def effect() -> None:
        exempt(
            actor=request.actor,
            tenant_id=tenant_id,
            until=form.cleaned_data["until"],
            reason=form.cleaned_data["exempt_reason"],
            now=utc_now(),
        )

    return _decided(request, code, ("exempt_form", form), effect, _("The tenant is whitelisted."))


@require_POST
@allowed(Permission.ARREARS_MANAGE)
def arrears_exempt_end(request: ActorRequest, code: str) -> HttpResponse:
    """Take a whitelisting back."""
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk

    def effect() -> None:
        end_exemption(actor=request.actor, tenant_id=tenant_id, now=utc_now())

    return _decided(request, code, None, effect, _("The whitelisting has ended."))


@require_POST
@allowed(Permission.ARREARS_MANAGE)
def arrears_delay(request: ActorRequest, code: str) -> HttpResponse:
    """Give a tenant in arrears more time."""
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk
    form = DelayForm(request.POST)

    def effect() -> None:
        delay_deadlines(
            actor=request.actor,
            tenant_id=tenant_id,
            hours=form.cleaned_data["hours"],
            reason=form.cleaned_data["delay_reason"],
            now=utc_now(),
        )

    return _decided(request, code, ("delay_form", form), effect, _("The deadlines are put off."))


def _decided(
    request: ActorRequest,
    code: str,
    sent: tuple[str, forms.Form] | None,
    effect: Callable[[], None],
    done: str | Promise,
) -> HttpResponse:
    """Have the decision made once for each form, or show the page with what was wrong."""
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk

    def shown(refusal: DomainError) -> HttpResponse:
        if sent is None:
            return _tenant_page(request, code, refusal)
        pointers = {"/reason": f"{sent[0].removesuffix('_form')}_reason"}
        add_refusal(sent[1], refusal, pointers)
        return _tenant_page(request, code, refusal, **{sent[0]: sent[1]})

    if sent is not None and not sent[1].is_valid():
        return shown(InvalidInput())

    def made() -> str:
        effect()
        return reverse("ops:arrears-tenant", args=[code])

    return answer(request, made, shown=shown, done=done, tenant_id=tenant_id)


def _tenant_page(
    request: ActorRequest, code: str, refusal: DomainError | None = None, **sent: object
) -> HttpResponse:
    now = utc_now()
    organisation = tenant_of_code(actor=request.actor, code=code)
    one = debtor(actor=request.actor, tenant_id=organisation.pk, now=now)
    terms = terms_of(organisation.pk, now)
    left = one.arrears.days_left
    initial = {"tier": terms.own_tier, "payment_days": terms.own_payment_days}
    context = {
        "organisation": organisation,
        "crumbs": [Crumb(_("Arrears"), reverse("ops:arrears"))],
        "one": one,
        "days_left": "—"
        if left is None
        else ngettext("%(days)s day", "%(days)s days", int(left)) % {"days": left},
        "terms": terms,
        "moves": history(organisation.pk),
        "may_manage": Permission.ARREARS_MANAGE in request.actor.permissions,
        "idem": kept_idem(request, refusal) if refusal else "",
        "terms_form": TermsForm(initial=initial, tiers=_titles()),
        "exempt_form": ExemptForm(initial={"until": now + timedelta(days=7)}),
        "delay_form": DelayForm(),
        **sent,
    }
    return render_page(request, DETAIL, context, refusal=refusal)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.TENANT_READ_ALL)
def arrears_tiers(request: ActorRequest) -> HttpResponse:
    """Every tier's figures; new ones are put in force from an instant on."""
    if request.method != "POST":
        return _tiers_page(request)
    require(request.actor, Permission.ARREARS_MANAGE)
    form = FiguresForm(request.POST, tiers=_titles())

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _tiers_page(request, form, refusal)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        date_figures(
            actor=request.actor,
            tier=form.cleaned_data["tier"],
            effective_at=form.cleaned_data["effective_at"],
            figures=form.figures,
            source=form.cleaned_data["source"],
            now=utc_now(),
        )
        return reverse("ops:arrears-tiers")

    # One tier has one set of figures from an instant on: a second sending finds it dated.
    return answer(request, effect, shown=shown, done=_("The figures are dated."))


def _tiers_page(
    request: ActorRequest, form: FiguresForm | None = None, refusal: DomainError | None = None
) -> HttpResponse:
    now = utc_now()
    rows = tiers(now)
    default = next((row for row in rows if row.is_in_force and row.is_default), None)
    figures = default.figures if default is not None else Figures()
    initial = {
        "tier": default.code if default else "",
        "effective_at": now + timedelta(hours=1),
        **vars(figures),
    }
    context = {
        "rows": [(row, _title(row)) for row in rows],
        "now": now,
        "crumbs": [Crumb(_("Arrears"), reverse("ops:arrears"))],
        "may_manage": Permission.ARREARS_MANAGE in request.actor.permissions,
        "form": form or FiguresForm(initial=initial, tiers=_titles()),
    }
    return render_page(request, TIERS, context, refusal=refusal)


def _title(row: TierRow) -> str:
    return row.title_zh if (get_language() or "").startswith("zh") else row.title_en


def _titles() -> list[tuple[str, str]]:
    """Each tier once, as a choice."""
    return list({row.code: _title(row) for row in tiers(utc_now())}.items())
