"""Putting appliances on sale and taking them off, past the licence gate."""

from collections.abc import Callable

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from appliances.commands import catalogue as listing
from appliances.queries.desk import listed_appliance, may_be_sold, whole_catalogue
from common.clock import utc_now
from common.errors import DomainError, InvalidInput, NotFound
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission

# The steps that lead on from each state; those of REASONED ask why.
STEPS: dict[str, tuple[str, ...]] = {
    "draft": ("submit",),
    "submitted": ("certify", "return"),
    "certified": ("list", "return"),
    "listed": ("delist",),
    "delisted": ("submit",),
}
REASONED: dict[str, Callable[..., object]] = {
    "return": listing.return_to_draft,
    "delist": listing.delist,
}
PLAIN: dict[str, Callable[..., object]] = {
    "submit": listing.submit,
    "certify": listing.certify,
    "list": listing.list_for_sale,
}
WORDS: dict[str, str | Promise] = {
    "submit": gettext_lazy("Hand in for certification"),
    "certify": gettext_lazy("Certify: it was tried"),
    "list": gettext_lazy("Put on sale"),
    "return": gettext_lazy("Send back"),
    "delist": gettext_lazy("Take off sale"),
}


class WhyForm(forms.Form):
    """Why an appliance is taken off or sent back."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)


@require_safe
@allowed(Permission.CATALOGUE_READ)
def catalogue(request: ActorRequest) -> HttpResponse:
    """Every appliance with its licence gate and its listing."""
    rows = [(row, may_be_sold(row)) for row in whole_catalogue(actor=request.actor)]
    context = {"rows": rows, "listed": sum(row.listing == "listed" for row, _sale in rows)}
    return render_page(request, "console/operator/catalogue.html", context)


@require_safe
@allowed(Permission.CATALOGUE_READ)
def appliance(request: ActorRequest, code: str) -> HttpResponse:
    """One appliance: its licence, its sources, and the next steps of its listing."""
    return _page(request, code, WhyForm())


@require_POST
@allowed(Permission.CATALOGUE_MANAGE)
def appliance_step(request: ActorRequest, code: str, step: str) -> HttpResponse:
    """Take one step of a listing; a second sending finds it taken."""
    form = WhyForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _page(request, code, form, refusal)

    if step not in WORDS:
        raise NotFound
    if step in REASONED and not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        now = utc_now()
        if step in REASONED:
            reason = form.cleaned_data["reason"]
            REASONED[step](actor=request.actor, code=code, reason=reason, now=now)
        else:
            PLAIN[step](actor=request.actor, code=code, now=now)
        return reverse("ops:appliance", args=[code])

    return answer(request, effect, shown=shown, done=_("The listing is changed."))


def _page(
    request: ActorRequest, code: str, form: WhyForm, refusal: DomainError | None = None
) -> HttpResponse:
    found = listed_appliance(actor=request.actor, code=code)
    steps = STEPS.get(found.listing, ())
    context = {
        "one": found,
        "sellable": may_be_sold(found),
        "plain": [(step, WORDS[step]) for step in steps if step in PLAIN],
        "reasoned": [(step, WORDS[step]) for step in steps if step in REASONED],
        "form": form,
        "crumbs": [Crumb(_("Catalogue"), reverse("ops:catalogue"))],
        "may_manage": Permission.CATALOGUE_MANAGE in request.actor.permissions,
    }
    return render_page(request, "console/operator/appliance.html", context, refusal=refusal)
