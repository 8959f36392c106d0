"""Tax rates and spot quotes: the tables beside the price book."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from billing.commands.spot import quote_spot
from billing.commands.taxes import approve_tax_rate, propose_tax_rate, reject_tax_rate
from billing.queries.desk import PriceFact, spot_facts
from billing.queries.prices import spot_quotes, tax_changes, tax_rates
from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.operator_price_forms import SpotForm, TaxChangeForm
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission, require

TAXES = "console/operator/taxes.html"
SPOT = "console/operator/spot.html"
PERCENT = Decimal(100)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.PRICE_READ)
def taxes(request: ActorRequest) -> HttpResponse:
    """The tax rates with their dates, what is proposed, and proposing the next."""
    if request.method != "POST":
        return _taxes_page(request, TaxChangeForm())
    require(request.actor, Permission.PRICE_PUBLISH)
    form = TaxChangeForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal, {"/rate": "percent"})
        return _taxes_page(request, form, refusal)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        told = dict(form.cleaned_data)
        rate = told.pop("percent") / PERCENT
        propose_tax_rate(actor=request.actor, rate=rate, now=utc_now(), **told)
        return reverse("ops:tax-list")

    return answer(request, effect, shown=shown, done=_("The rate waits for somebody else."))


def _taxes_page(
    request: ActorRequest, form: TaxChangeForm, refusal: DomainError | None = None
) -> HttpResponse:
    now = utc_now()
    context = {
        "rates": [
            (
                rate,
                rate.during.lower,
                rate.during.upper,
                (rate.during.lower is None or rate.during.lower <= now)
                and (rate.during.upper is None or now < rate.during.upper),
            )
            for rate in tax_rates()
        ],
        "changes": [
            (change, change.proposed_by_id == request.actor.id) for change in tax_changes()
        ],
        "form": form,
        "may_publish": Permission.PRICE_PUBLISH in request.actor.permissions,
        "now": now,
        "crumbs": [Crumb(_("Price book"), reverse("ops:price-book"))],
    }
    return render_page(request, TAXES, context, refusal=refusal)


@require_POST
@allowed(Permission.PRICE_PUBLISH)
def tax_step(request: ActorRequest, change_id: UUID, step: str) -> HttpResponse:
    """Approve or reject a proposed rate."""

    def effect() -> str:
        if step == "approve":
            approve_tax_rate(actor=request.actor, change_id=change_id, now=utc_now())
        elif step == "reject":
            reject_tax_rate(actor=request.actor, change_id=change_id, now=utc_now())
        else:
            raise NotFound
        return reverse("ops:tax-list")

    done = {"approve": _("The tax rate is set."), "reject": _("The proposal is put aside.")}
    return answer(
        request,
        effect,
        shown=lambda refusal: _taxes_page(request, TaxChangeForm(), refusal),
        done=done.get(step, ""),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.PRICE_READ)
def spot(request: ActorRequest) -> HttpResponse:
    """Quoted spot prices, and quoting the next."""
    now = utc_now()
    found = spot_facts(now)
    skus = {f"{code}:{fact.sku}": f"{fact.sku} · {code}" for code, fact in found}
    if request.method != "POST":
        return _spot_page(request, found, now, SpotForm(skus=skus))
    require(request.actor, Permission.PRICE_PUBLISH)
    form = SpotForm(request.POST, skus=skus)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _spot_page(request, found, now, form, refusal)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        said = form.cleaned_data
        currency, _colon, sku = said["sku"].partition(":")
        quote_spot(
            actor=request.actor,
            sku=sku,
            currency=currency,
            starts_at=said["starts_at"],
            unit_price=said["unit_price"],
            now=now,
        )
        return reverse("ops:spot-list")

    return answer(request, effect, shown=shown, done=_("The spot price is quoted."))


def _spot_page(
    request: ActorRequest,
    found: Sequence[tuple[str, PriceFact]],
    now: datetime,
    form: SpotForm,
    refusal: DomainError | None = None,
) -> HttpResponse:
    context = {
        "quotes": spot_quotes(now),
        "listed": [
            (currency, [fact for code, fact in found if code == currency])
            for currency in dict.fromkeys(code for code, _fact in found)
        ],
        "currency": "",
        "form": form,
        "may_publish": Permission.PRICE_PUBLISH in request.actor.permissions,
        "now": now,
        "crumbs": [Crumb(_("Price book"), reverse("ops:price-book"))],
    }
    return render_page(request, SPOT, context, refusal=refusal)
