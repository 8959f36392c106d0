"""A tenant's contracts in the operators' hands: drafted, agreed, ended."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing import meters
from billing.commands import contracts as agree
from billing.pricing import MODELS
from billing.queries.contracts import contract, contracts
from billing.queries.currencies import currency_of
from billing.queries.prices import tax_rates
from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from common.period import floor_hour
from portal.console.contract_terms import shown_terms
from portal.console.forms import CentreInstantField, MoneyField, add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.operator_price_forms import MatchField, TierFormSet, tiers_in
from portal.console.wording import PRICE_MODELS, TERM_INTERVALS, TERM_KINDS
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require
from tenants.queries.desk import tenant_of_code

LIST = "console/operator/contracts.html"
DETAIL = "console/operator/contract.html"
EMPTY = [("", "—")]


class ContractForm(forms.Form):
    """A new contract."""

    number = forms.CharField(label=gettext_lazy("Contract number"), max_length=40)
    title = forms.CharField(label=gettext_lazy("Title"), max_length=150)
    starts_at = CentreInstantField(label=gettext_lazy("From"))
    ends_at = CentreInstantField(label=gettext_lazy("To"))


class TermForm(forms.Form):
    """One term; which fields count depends on its kind."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=list(TERM_KINDS.items()))
    starts_at = CentreInstantField(label=gettext_lazy("From"))
    ends_at = CentreInstantField(label=gettext_lazy("To"))
    meter = forms.ChoiceField(label=gettext_lazy("Meter"), required=False)
    sku = forms.CharField(label=gettext_lazy("SKU"), max_length=80, required=False)
    match = MatchField(
        label=gettext_lazy("Applies to"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Properties as name=value; name=value. Empty is all of the meter."),
    )
    discount_percent = forms.DecimalField(
        label=gettext_lazy("Discount in per cent"),
        max_digits=7,
        decimal_places=4,
        required=False,
    )
    model = forms.ChoiceField(label=gettext_lazy("Price model"), required=False)
    unit_price = MoneyField(
        label=gettext_lazy("Net"), max_digits=30, decimal_places=15, required=False
    )
    unit_quantity = forms.IntegerField(
        label=gettext_lazy("For so many base units"), required=False, max_value=10**15
    )
    amount = MoneyField(
        label=gettext_lazy("Agreed amount"), max_digits=17, decimal_places=2, required=False
    )
    interval = forms.ChoiceField(
        label=gettext_lazy("Reached in"),
        required=False,
        choices=[*EMPTY, *TERM_INTERVALS.items()],
    )

    tax_code = forms.ChoiceField(label=gettext_lazy("Tax code"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # passed on to Django's own
        super().__init__(*args, **kwargs)
        codes = dict.fromkeys(rate.tax_code for rate in tax_rates())
        self.fields["tax_code"].choices = [*EMPTY, *((code, code) for code in codes)]  # type: ignore[attr-defined]  # a choice field
        self.fields["meter"].choices = [  # type: ignore[attr-defined]  # a choice field
            *EMPTY,
            *((code, f"{one.title} ({code})") for code, one in sorted(meters.declared().items())),
        ]
        self.fields["model"].choices = [  # type: ignore[attr-defined]  # a choice field
            *EMPTY,
            *((name, PRICE_MODELS.get(name, name)) for name in MODELS if name != "spot"),
        ]


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.CONTRACT_READ)
def contract_list(request: ActorRequest, code: str) -> HttpResponse:
    """A tenant's contracts, and drafting one."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    if request.method != "POST":
        soon = floor_hour(utc_now())
        return _list_page(request, code, ContractForm(initial={"starts_at": soon}))
    require(request.actor, Permission.CONTRACT_MANAGE)
    form = ContractForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _list_page(request, code, form, refusal)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        made = agree.draft_contract(
            actor=request.actor, tenant_id=organisation.pk, now=utc_now(), **form.cleaned_data
        )
        return reverse("ops:contract", args=[code, made.pk])

    done = _("The contract is drafted.")
    return answer(request, effect, shown=shown, done=done, tenant_id=organisation.pk)


def _list_page(
    request: ActorRequest, code: str, form: ContractForm, refusal: DomainError | None = None
) -> HttpResponse:
    organisation = tenant_of_code(actor=request.actor, code=code)
    context = {
        "organisation": organisation,
        "contracts": contracts(actor=request.actor, tenant_id=organisation.pk),
        "form": form,
        "currency": currency_of(organisation.pk),
        "may_manage": Permission.CONTRACT_MANAGE in request.actor.permissions,
        "now": utc_now(),
        "crumbs": [
            Crumb(_("Tenants"), reverse("ops:tenant-list")),
            Crumb(organisation.name, reverse("ops:tenant", args=[code])),
        ],
    }
    return render_page(request, LIST, context, refusal=refusal)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.CONTRACT_READ)
def contract_detail(request: ActorRequest, code: str, contract_id: UUID) -> HttpResponse:
    """One contract with its terms; sending the form adds one to a draft."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    if request.method != "POST":
        return _page(request, code, contract_id)
    require(request.actor, Permission.CONTRACT_MANAGE)
    form, tiers = TermForm(request.POST), TierFormSet(request.POST, prefix="tier")

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _page(request, code, contract_id, refusal, form=form, tiers=tiers)

    if not form.is_valid() or not tiers.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        agree.add_term(
            actor=request.actor,
            tenant_id=organisation.pk,
            contract_id=contract_id,
            term=agree.TermLine(tiers=tiers_in(tiers), **form.cleaned_data),
        )
        return reverse("ops:contract", args=[code, contract_id])

    done = _("The term is in the draft.")
    return answer(request, effect, shown=shown, done=done, tenant_id=organisation.pk)


class EndForm(forms.Form):
    """When a contract ends early."""

    end_at = CentreInstantField(label=gettext_lazy("Ends"))


def _page(
    request: ActorRequest,
    code: str,
    contract_id: UUID,
    refusal: DomainError | None = None,
    **sent: object,
) -> HttpResponse:
    organisation = tenant_of_code(actor=request.actor, code=code)
    found = contract(actor=request.actor, tenant_id=organisation.pk, contract_id=contract_id)
    may_manage = Permission.CONTRACT_MANAGE in request.actor.permissions
    period = {"starts_at": found.starts_at, "ends_at": found.ends_at}
    context = {
        "organisation": organisation,
        "contract": found,
        "currency": found.currency,
        "terms": shown_terms(found.terms.all()),
        "form": TermForm(initial=period),
        "tiers": TierFormSet(prefix="tier"),
        "end_form": EndForm(initial={"end_at": found.ends_at}),
        "may_edit": may_manage and found.state == "draft",
        "is_author": request.actor.id in found.authors,
        "may_end": may_manage and found.state == "active",
        "now": utc_now(),
        "crumbs": [
            Crumb(organisation.name, reverse("ops:tenant", args=[code])),
            Crumb(_("Contracts"), reverse("ops:contract-list", args=[code])),
        ],
        **sent,
    }
    return render_page(request, DETAIL, context, refusal=refusal)


@require_http_methods(["POST"])
@allowed(Permission.CONTRACT_MANAGE)
def contract_step(request: ActorRequest, code: str, contract_id: UUID, step: str) -> HttpResponse:
    """Activate, end or discard a contract, or take a term out of a draft."""
    organisation = tenant_of_code(actor=request.actor, code=code)
    end_form = EndForm(request.POST if step == "end" else None)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(end_form, refusal, {"/ends_at": "end_at"} if step == "end" else None)
        return _page(request, code, contract_id, refusal, end_form=end_form)

    if step == "end" and not end_form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        # The commands differ in what else they take, so the shared part is a dict.
        about: dict[str, Any] = {
            "actor": request.actor,
            "tenant_id": organisation.pk,
            "contract_id": contract_id,
        }
        if step == "activate":
            agree.activate_contract(**about, now=utc_now())
        elif step == "end":
            agree.end_contract(**about, ends_at=end_form.cleaned_data["end_at"], now=utc_now())
        elif step == "remove-term":
            agree.remove_term(**about, term_id=_uuid(request.POST.get("term", "")))
        elif step == "discard":
            agree.discard_contract(**about)
            return reverse("ops:contract-list", args=[code])
        else:
            raise NotFound
        return reverse("ops:contract", args=[code, contract_id])

    done = {
        "activate": _("The contract is active."),
        "end": _("The contract is ended."),
        "remove-term": _("The term is removed."),
        "discard": _("The draft is thrown away."),
    }
    return answer(request, effect, shown=shown, done=done.get(step, ""))


def _uuid(told: str) -> UUID:
    try:
        return UUID(told)
    except ValueError as error:
        raise NotFound from error
