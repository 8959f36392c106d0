"""The price book: its versions, the list in force, and drafting the next from an edited copy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.commands.price_drafts import begin_draft
from billing.money import CURRENCIES, CURRENCY
from billing.queries.currencies import refuse_unknown
from billing.queries.desk import Change, PriceFact, changes, list_in_force, price_list
from billing.queries.price_faults import PriceLine
from billing.queries.prices import versions
from common.clock import utc_now
from common.errors import DomainError, InvalidInput
from common.period import floor_hour
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer, answer_form
from portal.console.operator_price_forms import FirstListForm, VersionForm
from portal.console.price_search import sought
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb, Tab
from tenants.permissions import Permission


class Version(Protocol):
    """What the page needs of a price version; the portal does not know the model."""

    pk: UUID
    state: str
    effective_at: datetime
    currency: str


BOOK = "console/operator/prices.html"
NEW = "console/operator/price_new.html"


@dataclass(frozen=True)
class EditedLine:
    """One line of the copy: the price as it stands and what was typed."""

    fact: PriceFact
    name: str
    value: str
    error: str
    is_dropped: bool


@require_safe
@allowed(Permission.PRICE_READ)
def price_book(request: ActorRequest) -> HttpResponse:
    """Every version, and the prices of one currency in force now."""
    return _book_page(request, FirstListForm(initial={"first_effective_at": _soon()}))


def _book_page(
    request: ActorRequest, first_form: FirstListForm, refusal: DomainError | None = None
) -> HttpResponse:
    now, found, currency = utc_now(), versions(), _currency(request)
    published = {one.currency for one in found if one.state == "published"}
    in_force = _in_force(found, now)
    context = {
        "versions": [(one, one.pk in in_force) for one in found],
        "currency": currency,
        "is_listed": currency in published,
        "tabs": [
            Tab(code, f"?{urlencode({'currency': code})}", code == currency)
            for code in CURRENCIES
            if code in published
        ],
        "current": sought(list_in_force(now, currency), request.GET.get("search", "")),
        "first_form": first_form if first_form.offer(published) else None,
        "now": now,
        "may_publish": Permission.PRICE_PUBLISH in request.actor.permissions,
    }
    return render_page(request, BOOK, context, refusal=refusal)


def _currency(request: ActorRequest) -> str:
    currency = request.GET.get("currency", "") or CURRENCY
    refuse_unknown(currency)
    return currency


def _soon() -> datetime:
    return floor_hour(utc_now()) + timedelta(hours=24)


@require_POST
@allowed(Permission.PRICE_PUBLISH)
def price_first(request: ActorRequest) -> HttpResponse:
    """Draft the first list of a further currency: the centre's own, times a rate."""
    form = FirstListForm(request.POST)
    form.offer({one.currency for one in versions() if one.state == "published"})

    def effect() -> str:
        said = form.cleaned_data
        version = begin_draft(
            actor=request.actor,
            currency=said["currency"],
            rate=said["rate"],
            effective_at=said["first_effective_at"],
            now=utc_now(),
        )
        return reverse("ops:price-version", args=[version.pk])

    return answer_form(
        request,
        form,
        effect,
        page=lambda refusal: _book_page(request, form, refusal),
        names={"/effective_at": "first_effective_at"},
        done=_("The draft is saved."),
    )


def _in_force(found: Sequence[Version], now: datetime) -> set[UUID]:
    """Of each currency the newest published version that has begun; they come the latest first."""
    begun: dict[str, UUID] = {}
    for one in found:
        if one.state == "published" and one.effective_at <= now:
            begun.setdefault(one.currency, one.pk)
    return set(begun.values())


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.PRICE_PUBLISH)
def price_new(request: ActorRequest) -> HttpResponse:
    """A copy of the latest list to edit; comparing shows the difference, saving makes a draft."""
    currency = _currency(request)
    latest = [one for one in versions() if one.state == "published" and one.currency == currency]
    copied = price_list(latest[0].pk) if latest else ()
    if request.method != "POST":
        form = VersionForm(initial={"effective_at": _soon()})
        return _edit_page(request, form, _lines(copied, {}), currency)
    form = VersionForm(request.POST)
    lines = _lines(copied, request.POST)
    wanted = [_changed(line) for line in lines if not line.is_dropped and not line.error]
    difference = changes(copied, wanted)

    def shown(refusal: DomainError | None) -> HttpResponse:
        add_refusal(form, refusal, {"/effective_at": "effective_at"})
        return _edit_page(request, form, lines, currency, refusal, difference)

    if not form.is_valid() or any(line.error for line in lines):
        return shown(InvalidInput())
    if request.POST.get("step") == "compare":
        return shown(None)

    def effect() -> str:
        version = begin_draft(
            actor=request.actor,
            lines=[_price_line(fact) for fact in wanted],
            effective_at=form.cleaned_data["effective_at"],
            title=form.cleaned_data["title"],
            currency=currency,
            now=utc_now(),
        )
        return reverse("ops:price-version", args=[version.pk])

    return answer(request, effect, shown=shown, done=_("The draft is saved."))


def _lines(copied: Sequence[PriceFact], sent: Mapping[str, str]) -> list[EditedLine]:
    lines = []
    for number, fact in enumerate(copied):
        name = f"price-{number}"
        value = sent.get(name, f"{fact.unit_price.normalize():f}")
        lines.append(EditedLine(fact, name, value, _fault(value), bool(sent.get(f"drop-{number}"))))
    return lines


def _fault(value: str) -> str:
    try:
        forms.DecimalField(min_value=0, max_digits=30, decimal_places=15).clean(value)
    except forms.ValidationError as error:
        return str(error.messages[0])
    return ""


def _changed(line: EditedLine) -> PriceFact:
    return line.fact.at_price(Decimal(line.value.strip()))


def _price_line(fact: PriceFact) -> PriceLine:
    return PriceLine(
        meter=fact.meter,
        sku=fact.sku,
        title_en=fact.title_en,
        title_zh=fact.title_zh,
        unit_price=fact.unit_price,
        unit_quantity=fact.unit_quantity,
        tax_code=fact.tax_code,
        match=fact.match,
        model=fact.model,
        tiers=fact.tiers,
    )


def _edit_page(
    request: ActorRequest,
    form: VersionForm,
    lines: Sequence[EditedLine],
    currency: str,
    refusal: DomainError | None = None,
    difference: Sequence[Change] | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "currency": currency,
        "lines": lines,
        "difference": difference,
        "compared": difference is not None,
        "crumbs": [Crumb(_("Price book"), reverse("ops:price-book"))],
    }
    return render_page(request, NEW, context, refusal=refusal)
