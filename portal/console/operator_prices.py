"""The price book: its versions, the list in force, and drafting the next from an edited copy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.commands.price_drafts import begin_draft
from billing.queries.desk import Change, PriceFact, changes, list_in_force, price_list
from billing.queries.price_faults import PriceLine
from billing.queries.prices import versions
from common.clock import utc_now
from common.errors import DomainError, InvalidInput
from common.period import floor_hour
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.operator_price_forms import VersionForm
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission


class Version(Protocol):
    """What the page needs of a price version; the portal does not know the model."""

    pk: UUID
    state: str
    effective_at: datetime


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
    """Every version, and the prices in force now."""
    now = utc_now()
    found = versions()
    current = list_in_force(now)
    context = {
        "versions": found,
        "current": current,
        "in_force_id": _in_force(found, now),
        "now": now,
        "may_publish": Permission.PRICE_PUBLISH in request.actor.permissions,
    }
    return render_page(request, "console/operator/prices.html", context)


def _in_force(found: Sequence[Version], now: datetime) -> UUID | None:
    """The newest published version that has begun; they come the latest first."""
    begun = (one.pk for one in found if one.state == "published" and one.effective_at <= now)
    return next(begun, None)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.PRICE_PUBLISH)
def price_new(request: ActorRequest) -> HttpResponse:
    """A copy of the latest list to edit; comparing shows the difference, saving makes a draft."""
    latest = [one for one in versions() if one.state == "published"]
    copied = price_list(latest[0].pk) if latest else ()
    if request.method != "POST":
        soon = floor_hour(utc_now()) + timedelta(hours=24)
        return _edit_page(request, VersionForm(initial={"effective_at": soon}), _lines(copied, {}))
    form = VersionForm(request.POST)
    lines = _lines(copied, request.POST)
    wanted = [_changed(line) for line in lines if not line.is_dropped and not line.error]
    difference = changes(copied, wanted)

    def shown(refusal: DomainError | None) -> HttpResponse:
        add_refusal(form, refusal, {"/effective_at": "effective_at"})
        return _edit_page(request, form, lines, refusal, difference)

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
    refusal: DomainError | None = None,
    difference: Sequence[Change] | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "lines": lines,
        "difference": difference,
        "compared": difference is not None,
        "crumbs": [Crumb(_("Price book"), reverse("ops:price-book"))],
    }
    return render_page(request, NEW, context, refusal=refusal)
