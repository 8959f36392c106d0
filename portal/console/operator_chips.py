"""The chip catalogue: how sure each row is, where it comes from, and vouching for it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.clock import utc_now
from common.errors import DomainError
from compute.commands.chips import sign_off_chip
from compute.queries.chips import chip as one_chip
from compute.queries.chips import chips
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer_form
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission


class SignOffForm(forms.Form):
    """What the word of an operator rests on."""

    evidence = forms.CharField(
        label=gettext_lazy("What it rests on"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("The management tool's output, or the contract and its page."),
    )


@require_safe
@allowed(Permission.POOL_READ)
def chip_list(request: ActorRequest) -> HttpResponse:
    """Every chip model, and whether it may be sold."""
    rows = chips(actor=request.actor)
    context = {"rows": rows, "sellable": sum(row.sellable for row in rows)}
    return render_page(request, "console/operator/chips.html", context)


@require_safe
@allowed(Permission.POOL_READ)
def chip(request: ActorRequest, code: str) -> HttpResponse:
    """One chip model with all its facts and sources."""
    return _page(request, code, SignOffForm())


@require_POST
@allowed(Permission.CHIP_MANAGE)
def chip_sign_off(request: ActorRequest, code: str) -> HttpResponse:
    """Vouch for a chip's facts, so that it may be sold; saying it twice changes nothing."""
    form = SignOffForm(request.POST)

    def effect() -> str:
        evidence = form.cleaned_data["evidence"]
        sign_off_chip(actor=request.actor, code=code, evidence=evidence, now=utc_now())
        return reverse("ops:chip", args=[code])

    return answer_form(
        request,
        form,
        effect,
        page=partial(_page, request, code, form),
        done=_("The chip is signed off."),
    )


def _page(
    request: ActorRequest, code: str, form: SignOffForm, refusal: DomainError | None = None
) -> HttpResponse:
    found = one_chip(actor=request.actor, code=code)
    context = {
        "chip": found,
        "facts": _told(found.facts),
        "crumbs": [Crumb(_("Chip models"), reverse("ops:chip-list"))],
        "form": form,
        "may_sign": Permission.CHIP_MANAGE in request.actor.permissions,
    }
    return render_page(request, "console/operator/chip.html", context, refusal=refusal)


def _told(facts: Mapping[str, Any]) -> list[tuple[str, str]]:  # the catalogue's free-form row
    """The row as it stands in the catalogue, nothing left out but what is empty."""
    return [
        (name.replace("_", " "), _text(value))
        for name, value in facts.items()
        if value not in (None, "", [], {})
    ]


def _text(value: Any) -> str:  # any value YAML can hold
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(_text(part) for part in value)
    return str(value)
