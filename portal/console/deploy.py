"""Deploying a model: one form, and the checks that say beforehand whether it will start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from appliances.commands.deployments import deploy as deploy_appliance
from appliances.queries.places import Place, places
from billing.queries.wallet import Standing
from common.clock import utc_now
from common.errors import DomainError
from common.zone import centre_zone
from compute.queries.classes import ClassOffer
from portal.console.forms import (
    CentreInstantField,
    add_refusal,
    address,
    at_centre,
    checked,
    kept_idem,
    perform,
)
from portal.console.htmx import render_page, wants_fragment
from portal.console.wording import SERVICE_CLASSES
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from portal.templatetags.ui_names import named
from portal.templatetags.ui_numbers import money
from tenants.permissions import Permission, require
from tenants.queries.projects import open_projects

TEMPLATE = "console/deploy/page.html"
POINTERS = {"/reservation": "place", "/pool": "place"}
# What a form without a choice means.
USUAL_CLASS = "on_demand"
OTHER_CLASSES = ("shared", "urgent")


class _NameForm(forms.Form):
    """What to start, wherever that is."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("What your colleagues see."),
    )
    model = forms.RegexField(
        label=gettext_lazy("Model name for calls"),
        regex=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        required=False,
        help_text=gettext_lazy("What programs send as “model”. Left out, it is the name."),
        error_messages={
            "invalid": gettext_lazy("Use up to 63 letters, digits, dots, hyphens and underscores.")
        },
    )
    until = CentreInstantField(
        label=gettext_lazy("Stop by itself at"),
        required=False,
        help_text=gettext_lazy(
            "On demand only: a day from now unless you say otherwise, a week at most."
        ),
    )


class DeployForm(_NameForm):
    """What to start and where."""

    field_order = ("place", "service_class", "name", "model", "project", "until")
    place = forms.ChoiceField(label=gettext_lazy("Where it runs"))
    service_class = forms.ChoiceField(
        label=gettext_lazy("Service class"),
        required=False,
        help_text=gettext_lazy(
            "Shared work ends when work of a higher class needs its cards; urgent work goes first. "
            "It cannot be changed later."
        ),
    )
    project = forms.ChoiceField(label=gettext_lazy("Project"))


@dataclass(frozen=True)
class Check:
    """One thing looked at before anything starts; ``fix`` says who can mend it."""

    title: str | Promise
    text: str | Promise
    tone: str
    fix: str | Promise = ""


@require_http_methods(["GET", "HEAD", "POST"])
def deploy(request: ActorRequest, tenant_code: str, appliance_code: str) -> HttpResponse:
    """Start an appliance in a reservation or on demand; its own page follows at once."""
    require(request.actor, Permission.DEPLOYMENT_CREATE, request.tenant.pk)
    if request.method != "POST":
        return _page(request, appliance_code)

    def started() -> str:
        said = _said(request)
        kind, _colon, which = said["place"].partition(":")
        made = deploy_appliance(
            actor=request.actor,
            project_id=UUID(said["project"]),
            appliance_code=appliance_code,
            name=said["name"],
            served_model_name=said["model"],
            pool_code=which if kind == "pool" else "",
            reservation_id=UUID(which) if kind == "reservation" else None,
            until=said["until"] if kind == "pool" else None,
            service_class=said["service_class"] or None,
            now=utc_now(),
        )
        return address(request, "deployment", made.pk)

    return perform(request, started, shown=lambda refusal: _page(request, appliance_code, refusal))


class _SaidForm(_NameForm):
    """The same fields before anybody has looked at what may be chosen."""

    place = forms.RegexField(regex=r"^(pool:[a-z0-9-]{1,60}|reservation:[0-9a-f-]{36})$")
    service_class = forms.ChoiceField(required=False, choices=[(one, one) for one in OTHER_CLASSES])
    project = forms.UUIDField()


def _said(request: ActorRequest) -> dict[str, Any]:
    said = checked(_SaidForm(request.POST))
    return {**said, "project": str(said["project"])}


def _page(
    request: ActorRequest, appliance_code: str, refusal: DomainError | None = None
) -> HttpResponse:
    now = utc_now()
    found = places(actor=request.actor, code=appliance_code, now=now)
    appliance, offered = found.appliance, found.places
    projects = open_projects(actor=request.actor, tenant_id=request.tenant.pk)
    account = request.account
    wanted = request.POST.get("place") or request.GET.get("place", "")
    chosen = next((one for one in offered if one.key == wanted), _best(offered))
    form = _form(request, appliance_code, offered, projects, chosen, now)
    if refusal is not None:
        form.is_valid()
        add_refusal(form, refusal, POINTERS)
    context = {
        "appliance": appliance,
        "form": form,
        "places": offered,
        "chosen": chosen,
        "projects": projects,
        **_priced(chosen, form["service_class"].value(), account),
        "is_fragment": wants_fragment(request),
        "account": account,
        "now": now,
        "idem": kept_idem(request, refusal),
        "crumbs": [
            Crumb(_("Catalogue"), address(request, "catalogue")),
            Crumb(named(appliance), address(request, "appliance", appliance_code)),
        ],
    }
    return render_page(request, TEMPLATE, context, partial="deploy-side", refusal=refusal)


def _best(offered: Sequence[Place]) -> Place | None:
    """A reservation with room, else the cheapest pool with room, else whatever there is."""
    roomy = [one for one in offered if one.has_room]
    reserved = [one for one in roomy if one.reservation_id is not None]
    ordered = sorted(roomy, key=_price)
    return next(iter([*reserved, *ordered, *offered]), None)


def _price(place: Place) -> Decimal:
    hourly = place.hourly(USUAL_CLASS)
    return hourly if hourly is not None else Decimal("Infinity")


# The context of a template holds whatever the template prints.
def _priced(chosen: Place | None, wanted: str, account: Standing) -> dict[str, Any]:
    """What stands beside the form about the place and the class chosen in it.

    Shape: a class that this place does not offer, as after a change of place, is the usual one.
    """
    if chosen is None:
        return {"checks": [], "offer": None, "hourly": None}
    service_class = wanted if chosen.offer(wanted) else USUAL_CLASS
    offer = chosen.offer(service_class)
    return {
        "checks": _checks(chosen, offer, account),
        "offer": offer,
        "hourly": chosen.hourly(service_class),
    }


def _form(
    request: ActorRequest,
    appliance_code: str,
    offered: Sequence[Place],
    projects: Sequence["object"],
    chosen: Place | None,
    now: datetime,
) -> DeployForm:
    given = request.POST if request.method == "POST" else request.GET
    defaults = {
        "place": chosen.key if chosen else "",
        "project": str(getattr(projects[0], "pk", "")) if projects else "",
        "name": appliance_code,
        "model": "",
        "service_class": "",
        "until": at_centre(now + timedelta(hours=24)),
    }
    if chosen is not None and chosen.project_id is not None:
        defaults["project"] = str(chosen.project_id)
    form = (
        DeployForm({**defaults, **given.dict()})
        if request.method == "POST"
        else DeployForm(initial={**defaults, **given.dict()})
    )
    form.fields["place"].choices = [(one.key, _place_name(one)) for one in offered]  # type: ignore[attr-defined]  # a choice field
    form.fields["service_class"].choices = _class_choices(chosen)  # type: ignore[attr-defined]  # a choice field
    form.fields["project"].choices = [  # type: ignore[attr-defined]  # a choice field
        (str(getattr(one, "pk", "")), str(one)) for one in projects
    ]
    return form


def _class_choices(place: Place | None) -> list[tuple[str, str]]:
    """The classes offered at a place, each with its price; nothing is chosen in a reservation."""
    if place is None or place.reservation_id is not None:
        return [("", _("Covered by the reservation"))]
    others = [one.service_class.value for one in place.offers if one.service_class != USUAL_CLASS]
    return [
        ("", _class_name(place, USUAL_CLASS)),
        *((one, _class_name(place, one)) for one in others),
    ]


def _class_name(place: Place, service_class: str) -> str:
    offer, name = place.offer(service_class), str(SERVICE_CLASSES[service_class])
    if offer is None:
        return _("%(name)s · no price") % {"name": name}
    price = strip_tags(money(offer.card_hour, offer.currency))
    return _("%(name)s · %(price)s per card-hour, net") % {"name": name, "price": price}


def _place_name(place: Place) -> str:
    pool = named(place.verdict.pool)
    if place.reservation_id is not None:
        until = place.until.astimezone(centre_zone()).strftime("%m-%d %H:%M")
        return _("Reservation in %(pool)s until %(until)s · %(free)s free") % {
            "pool": pool,
            "until": until,
            "free": place.free,
        }
    return _("On demand in %(pool)s · %(free)s free") % {"pool": pool, "free": place.free}


def _checks(place: Place, offer: ClassOffer | None, account: Standing) -> list[Check]:
    """What will be asked of this place anyway, looked at beforehand."""
    checks = [_fit_check(place), _room_check(place)]
    if place.reservation_id is not None:
        checks.append(
            Check(_("Cost"), _("Covered by the reservation: nothing more is charged."), "ok")
        )
    elif offer is None:
        checks.append(
            Check(
                _("Price"),
                _("These cards have no price."),
                "bad",
                _("The centre's finance publishes it."),
            )
        )
    elif account.available < offer.gross:
        checks.append(
            Check(
                _("Balance"),
                _("%(need)s is set aside for a day; %(have)s is available.")
                % {"need": f"{offer.gross:,.2f}", "have": f"{account.available:,.2f}"},
                "bad",
                _("Ask the centre for a top-up, or choose an earlier end."),
            )
        )
    else:
        checks.append(
            Check(
                _("Balance"),
                _("%(need)s of %(have)s is set aside for a day; what is not used comes back.")
                % {"need": f"{offer.gross:,.2f}", "have": f"{account.available:,.2f}"},
                "ok",
            )
        )
    return checks


def _fit_check(place: Place) -> Check:
    answer = str(place.verdict.verdict.answer)
    if answer == "fits":
        return Check(_("Fit"), _("The model fits on these cards."), "ok")
    if answer == "borderline":
        text = _("It fits only just; the start may fail and is then not charged further.")
        return Check(_("Fit"), text, "wait")
    if answer == "does_not_fit":
        return Check(
            _("Fit"),
            _("By the arithmetic it does not fit."),
            "bad",
            _("Choose a pool with larger cards."),
        )
    return Check(_("Fit"), _("Nobody has worked out whether it fits here."), "wait")


def _room_check(place: Place) -> Check:
    said = {"free": place.free, "need": place.cards}
    if place.has_room:
        return Check(_("Cards"), _("%(free)s free, %(need)s needed.") % said, "ok")
    return Check(
        _("Cards"),
        _("Only %(free)s free, %(need)s needed.") % said,
        "bad",
        _("Choose another place, or stop something that runs there."),
    )
