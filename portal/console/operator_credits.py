"""A tenant's credits in the operators' hands: giving promotional credit and packages, revoking."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.commands.credit_lots import (
    approve_credit,
    grant_package,
    grant_promo,
    reject_credit,
    revoke_credit,
)
from billing.queries.credits import CreditRow, credit_page
from billing.queries.currencies import currency_of
from common.clock import utc_now
from common.errors import DomainError, InvalidInput
from common.zone import centre_zone
from portal.console.forms import add_refusal, kept_idem
from portal.console.htmx import render_page
from portal.console.operator_credit_forms import PackageForm, PromoForm
from portal.console.operator_forms import allowed, answer, form_key
from portal.console.wording import CREDIT_KINDS
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code

TEMPLATE = "console/operator/credits.html"
PAGE = 50


@require_safe
@allowed(Permission.WALLET_READ)
def tenant_credits(request: ActorRequest, code: str) -> HttpResponse:
    """Every credit of a tenant, and the forms that make one."""
    return _page(request, code)


@require_POST
@allowed(Permission.CREDIT_GRANT)
def promo_grant(request: ActorRequest, code: str) -> HttpResponse:
    """Propose promotional credit, once for each form; somebody else approves it."""
    tenant = tenant_of_code(actor=request.actor, code=code)
    form = PromoForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _page(request, code, refusal, promo_form=form)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        now = utc_now()
        grant_promo(
            actor=request.actor,
            tenant_id=tenant.pk,
            amount=form.cleaned_data["amount"],
            terms=form.terms(request.actor, tenant.pk, now),
            key=f"console:{form_key(request)}",
            now=now,
        )
        return reverse("ops:tenant-credits", args=[code])

    done = _("The credit is proposed. Somebody else approves it.")
    return answer(request, effect, shown=shown, done=done, tenant_id=tenant.pk)


@require_POST
@allowed(Permission.CREDIT_GRANT)
def package_grant(request: ActorRequest, code: str) -> HttpResponse:
    """Sell a package from the wallet, or propose one for nothing, once for each form."""
    tenant = tenant_of_code(actor=request.actor, code=code)
    form = PackageForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal, {"/expires_on": "package_expires_on", "/amount": "quantity"})
        return _page(request, code, refusal, package_form=form)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        now = utc_now()
        grant_package(
            actor=request.actor,
            tenant_id=tenant.pk,
            package=form.package(),
            terms=form.terms(request.actor, tenant.pk, now),
            key=f"console:{form_key(request)}",
            now=now,
        )
        return reverse("ops:tenant-credits", args=[code])

    done = (
        _("The package is sold.")
        if form.cleaned_data["price_net"]
        else _("The package is proposed. Somebody else approves it.")
    )
    return answer(request, effect, shown=shown, done=done, tenant_id=tenant.pk)


@require_POST
@allowed(Permission.CREDIT_GRANT)
def credit_approve(request: ActorRequest, code: str, lot_id: UUID) -> HttpResponse:
    """Agree to what somebody else proposed."""

    def step(tenant_id: UUID) -> None:
        approve_credit(actor=request.actor, tenant_id=tenant_id, lot_id=lot_id, now=utc_now())

    return _stepped(request, code, step, done=_("The credit is granted."))


@require_POST
@allowed(Permission.CREDIT_GRANT)
def credit_reject(request: ActorRequest, code: str, lot_id: UUID) -> HttpResponse:
    """Refuse a proposal, or take one's own back."""

    def step(tenant_id: UUID) -> None:
        reject_credit(
            actor=request.actor,
            tenant_id=tenant_id,
            lot_id=lot_id,
            reason=_reason(request),
            now=utc_now(),
        )

    return _stepped(request, code, step, done=_("The proposal is rejected."))


@require_POST
@allowed(Permission.CREDIT_GRANT)
def credit_revoke(request: ActorRequest, code: str, lot_id: UUID) -> HttpResponse:
    """Take back what is left of a credit; doing it twice changes nothing."""

    def step(tenant_id: UUID) -> None:
        revoke_credit(
            actor=request.actor,
            tenant_id=tenant_id,
            lot_id=lot_id,
            reason=_reason(request),
            now=utc_now(),
        )

    return _stepped(request, code, step, done=_("The credit is revoked."))


def _reason(request: ActorRequest) -> str:
    return request.POST.get("reason", "")[:500]


def _stepped(
    request: ActorRequest, code: str, step: Callable[[UUID], object], *, done: str
) -> HttpResponse:
    """Have a step of one credit done and go back to the tenant's list."""
    tenant = tenant_of_code(actor=request.actor, code=code)

    def effect() -> str:
        step(tenant.pk)
        return reverse("ops:tenant-credits", args=[code])

    return answer(request, effect, shown=lambda refusal: _page(request, code, refusal), done=done)


def _terms(one: CreditRow) -> list[str]:
    """What narrows a credit, for whoever has to agree to it."""
    first = (
        ""
        if one.effective_at == one.created_at
        else f"{one.effective_at.astimezone(centre_zone()):%Y-%m-%d}"
    )
    said: dict[str, dict[str, object]] = {
        _("Only for %(what)s"): {"what": ", ".join(one.scope_values)},
        _("Only use with %(match)s"): {
            "match": "; ".join(f"{name}={value}" for name, value in sorted(one.match.items()))
        },
        _("Only for the project %(project)s"): {"project": one.project_name},
        _("Least spend on an invoice: %(amount)s %(unit)s"): {
            "amount": f"{one.min_spend:.2f}" if one.min_spend else "",
            "unit": one.unit,
        },
        _("First day: %(day)s"): {"day": first},
    }
    return [sentence % names for sentence, names in said.items() if all(names.values())]


def _page(
    request: ActorRequest, code: str, refusal: DomainError | None = None, **sent: object
) -> HttpResponse:
    tenant = tenant_of_code(actor=request.actor, code=code)
    page = credit_page(
        actor=request.actor,
        tenant_id=tenant.pk,
        now=utc_now(),
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    context = {
        "organisation": tenant,
        "page": page,
        "rows": [
            (one, CREDIT_KINDS[one.kind], _terms(one), one.proposed_by_id == request.actor.id)
            for one in page.items
        ],
        "may_grant": Permission.CREDIT_GRANT in request.actor.permissions,
        "currency": currency_of(tenant.pk),
        "promo_form": PromoForm(),
        "package_form": PackageForm(),
        "crumbs": [
            Crumb(_("Tenants"), reverse("ops:tenant-list")),
            Crumb(tenant.name, reverse("ops:tenant", args=[code])),
        ],
        "idem": kept_idem(request, refusal) if refusal else "",
        **sent,
    }
    return render_page(request, TEMPLATE, context, refusal=refusal)
