"""A tenant's money in the operators' hands: transfers received, credit, invoices up to now."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.forms import Form
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing.commands.invoices import issue_invoice
from billing.commands.wallet import set_credit_limit, set_currency, top_up
from common.clock import utc_now
from portal.console.forms import Shown
from portal.console.operator_forms import allowed, answer, answer_form, form_key
from portal.console.operator_tenant_forms import CreditLimitForm, CurrencyForm, TopUpForm
from portal.console.operator_tenants import tenant_page
from portal.requests import ActorRequest
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code


@require_POST
@allowed(Permission.WALLET_TOP_UP)
def tenant_top_up(request: ActorRequest, code: str) -> HttpResponse:
    """Credit a transfer to the wallet, once for each form."""
    form = TopUpForm(request.POST)

    def change(tenant_id: UUID) -> None:
        top_up(
            actor=request.actor,
            tenant_id=tenant_id,
            amount=form.cleaned_data["amount"],
            key=f"console:{form_key(request)}",
            reference=form.cleaned_data["reference"],
            now=utc_now(),
        )

    done = _("The transfer is in the wallet.")
    page = partial(tenant_page, request, code, top_up_form=form)
    return _changed(request, code, form, change, page, done)


@require_POST
@allowed(Permission.WALLET_TOP_UP)
def tenant_credit_limit(request: ActorRequest, code: str) -> HttpResponse:
    """Say how far the wallet may go below zero."""
    form = CreditLimitForm(request.POST)

    def change(tenant_id: UUID) -> None:
        set_credit_limit(
            actor=request.actor,
            tenant_id=tenant_id,
            amount=form.cleaned_data["limit"],
            now=utc_now(),
        )

    page = partial(tenant_page, request, code, credit_form=form)
    return _changed(request, code, form, change, page, _("The credit limit is set."))


@require_POST
@allowed(Permission.WALLET_TOP_UP)
def tenant_currency(request: ActorRequest, code: str) -> HttpResponse:
    """Say what a tenant is billed in, before anything happened."""
    form = CurrencyForm(request.POST)

    def change(tenant_id: UUID) -> None:
        set_currency(
            actor=request.actor,
            tenant_id=tenant_id,
            currency=form.cleaned_data["currency"],
            now=utc_now(),
        )

    page = partial(tenant_page, request, code, currency_form=form)
    return _changed(request, code, form, change, page, _("The currency is set."))


def _changed(
    request: ActorRequest,
    code: str,
    form: Form,
    change: Callable[[UUID], object],
    page: Shown,
    done: str,
) -> HttpResponse:
    """Answer one of the money forms of a tenant's page."""
    tenant_id = tenant_of_code(actor=request.actor, code=code).pk

    def effect() -> str:
        change(tenant_id)
        return reverse("ops:tenant", args=[code])

    return answer_form(request, form, effect, page=page, done=done, tenant_id=tenant_id)


@require_POST
@allowed(Permission.INVOICE_ISSUE)
def tenant_invoice(request: ActorRequest, code: str) -> HttpResponse:
    """Bill everything used up to now that stands on no invoice yet."""
    organisation = tenant_of_code(actor=request.actor, code=code)

    def effect() -> str:
        now = utc_now()
        issue_invoice(actor=request.actor, tenant_id=organisation.pk, until=now, now=now)
        return reverse("ops:tenant", args=[code])

    return answer(
        request,
        effect,
        shown=lambda refusal: tenant_page(request, code, refusal),
        done=_("The invoice is issued."),
        tenant_id=organisation.pk,
    )
