"""Money that leaves a wallet and debts that end: proposed here, done by a second person."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from billing.commands.money_decisions import (
    approve_money_decision,
    pay_out,
    recover_debt,
    reject_money_decision,
    reverse_top_up,
    write_off,
)
from billing.queries.money_decisions import MoneyOut, decision_page, money_out
from common.clock import utc_now
from common.errors import DomainError, NotFound
from common.zone import centre_zone
from portal.console.forms import MoneyField
from portal.console.htmx import render_page
from portal.console.operator_corrections import adjustments_page
from portal.console.operator_forms import allowed, answer, answer_form
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission
from tenants.queries.desk import tenant_of_code

PAGE = "console/operator/money_out.html"


def _amount() -> MoneyField:
    return MoneyField(label=gettext_lazy("Amount"), max_digits=14, decimal_places=2)


def _reason(*, is_read: bool) -> forms.CharField:
    text = READ_BY_TENANT if is_read else OWN_RECORD
    return forms.CharField(label=gettext_lazy("Reason"), max_length=500, help_text=text)


READ_BY_TENANT = gettext_lazy("The tenant reads it.")
OWN_RECORD = gettext_lazy("For the centre's own record.")


class ReversalForm(forms.Form):
    """A top-up that was booked by mistake."""

    top_up_id = forms.TypedChoiceField(label=gettext_lazy("Top-up"), coerce=UUID)
    amount = _amount()
    reason = _reason(is_read=True)


class PayOutForm(forms.Form):
    """Money on its way back to the tenant."""

    amount = _amount()
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=200,
        help_text=gettext_lazy("The number of the bank transfer to the tenant."),
    )
    reason = _reason(is_read=True)


class WriteOffForm(forms.Form):
    """A debt that nobody will pay."""

    invoice_id = forms.TypedChoiceField(label=gettext_lazy("Invoice"), coerce=UUID)
    reason = _reason(is_read=False)


class RecoveryForm(forms.Form):
    """A debt that was written off and is paid after all."""

    write_off_id = forms.TypedChoiceField(label=gettext_lazy("Invoice"), coerce=UUID)
    amount = _amount()
    reason = _reason(is_read=False)


FORMS: dict[str, type[forms.Form]] = {
    "top-up": ReversalForm,
    "pay-out": PayOutForm,
    "write-off": WriteOffForm,
    "recovery": RecoveryForm,
}
COMMANDS: dict[str, Callable[..., object]] = {
    "top-up": reverse_top_up,
    "pay-out": pay_out,
    "write-off": write_off,
    "recovery": recover_debt,
}


@require_safe
@allowed(Permission.MONEY_OUT_PROPOSE)
def money_out_page(request: ActorRequest, code: str) -> HttpResponse:
    """What may leave a tenant's wallet, which of its debts may end, and what was decided."""
    return _page(request, code)


@require_POST
@allowed(Permission.MONEY_OUT_PROPOSE)
def money_out_propose(request: ActorRequest, code: str, kind: str) -> HttpResponse:
    """Propose one of the four; somebody else has it done."""
    if kind not in FORMS:
        raise NotFound
    tenant = tenant_of_code(actor=request.actor, code=code)
    possible = money_out(actor=request.actor, tenant_id=tenant.pk, now=utc_now())
    form = _form(kind, possible, request)

    def effect() -> str:
        COMMANDS[kind](actor=request.actor, tenant_id=tenant.pk, now=utc_now(), **form.cleaned_data)
        return reverse("ops:money-out", args=[code])

    def page(refusal: DomainError) -> HttpResponse:
        return _page(request, code, refusal, {kind: form})

    done = _("It is proposed; somebody else has it done.")
    return answer_form(request, form, effect, page=page, done=done, tenant_id=tenant.pk)


@require_POST
@allowed(Permission.MONEY_OUT_APPROVE)
def money_out_decide(request: ActorRequest, decision_id: UUID, step: str) -> HttpResponse:
    """Have done what somebody else proposed, or reject it."""
    commands = {"approve": approve_money_decision, "reject": reject_money_decision}
    if step not in commands:
        raise NotFound

    def effect() -> str:
        commands[step](actor=request.actor, decision_id=decision_id, now=utc_now())
        return reverse("ops:adjustment-list")

    return answer(
        request,
        effect,
        shown=lambda refusal: adjustments_page(request, refusal),
        done=_("It is decided."),
    )


def _form(kind: str, possible: MoneyOut, request: ActorRequest | None = None) -> forms.Form:
    # Four forms on one page ask for some of the same things.
    form = FORMS[kind](request.POST if request is not None else None, auto_id=f"{kind}-%s")
    for name, choices in _choices(possible).items():
        if name in form.fields:
            form.fields[name].choices = choices  # type: ignore[attr-defined]  # a choice field
    return form


def _choices(possible: MoneyOut) -> dict[str, list[tuple[str, str]]]:
    """The top-ups and debts one may choose, each with its amount."""
    currency, zone = possible.currency, centre_zone()

    def said(label: str, amount: Decimal) -> str:
        return f"{label} · {amount:,.2f} {currency}"

    return {
        "top_up_id": [
            (str(one.id), said(f"{one.at.astimezone(zone):%Y-%m-%d} {one.label}", one.gross))
            for one in possible.top_ups
        ],
        "invoice_id": [(str(pk), said(number, due)) for pk, number, due in possible.overdue],
        "write_off_id": [(str(one.id), said(one.number, one.left)) for one in possible.lost],
    }


def _page(
    request: ActorRequest,
    code: str,
    refusal: DomainError | None = None,
    sent: dict[str, forms.Form] | None = None,
) -> HttpResponse:
    tenant = tenant_of_code(actor=request.actor, code=code)
    possible = money_out(actor=request.actor, tenant_id=tenant.pk, now=utc_now())
    shown = {kind: _form(kind, possible) for kind in FORMS} | (sent or {})
    context = {
        "organisation": tenant,
        "crumbs": [
            Crumb(_("Tenants"), reverse("ops:tenant-list")),
            Crumb(tenant.name, reverse("ops:tenant", args=[code])),
        ],
        "possible": possible,
        "currency": possible.currency,
        "page": decision_page(
            actor=request.actor,
            tenant_id=tenant.pk,
            cursor=request.GET.get("cursor") or None,
        ),
        "reversal": shown["top-up"],
        "paying": shown["pay-out"],
        "losing": shown["write-off"],
        "recovering": shown["recovery"],
    }
    return render_page(request, PAGE, context, refusal=refusal)
