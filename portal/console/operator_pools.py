"""Pools: what they have free, how that came to be, and changing it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.clock import utc_now
from common.errors import DomainError
from common.period import HOUR, Period, floor_hour
from common.zone import centre_zone
from compute.commands.sites import change_capacity, end_maintenance, plan_maintenance
from compute.queries.desk import capacity_history, maintenance_of, node_states, pool_with_site
from compute.queries.pools import availability, heat_map
from portal.console.charts import HeatCell, HeatRow
from portal.console.forms import CentreInstantField, kept_idem
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer, answer_form, form_key
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission

DAYS_AHEAD = 7
MOST_CARDS = 1_000_000


class CapacityForm(forms.Form):
    """How many cards the pool has from a moment on."""

    cards = forms.IntegerField(label=gettext_lazy("Cards"), min_value=0, max_value=MOST_CARDS)
    at = CentreInstantField(
        label=gettext_lazy("From"), required=False, help_text=gettext_lazy("Empty means now.")
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)


class MaintenanceForm(forms.Form):
    """Cards out of sale for a time; ids apart from the other form of the page."""

    cards = forms.IntegerField(label=gettext_lazy("Cards"), min_value=1, max_value=MOST_CARDS)
    starts_at = CentreInstantField(label=gettext_lazy("Starts"))
    ends_at = CentreInstantField(label=gettext_lazy("Ends"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    def clean(self) -> dict[str, Any]:  # the fields' values have many types
        told = super().clean() or {}
        start, end = told.get("starts_at"), told.get("ends_at")
        if start and end and end <= start:
            self.add_error("ends_at", _("The end comes after the start."))
        return told


@require_safe
@allowed(Permission.POOL_READ)
def pool_list(request: ActorRequest) -> HttpResponse:
    """Every pool with what it has free now."""
    now = utc_now()
    rows = availability(period=Period(now, now + timedelta(seconds=1)), now=now)
    return render_page(request, "console/operator/pools.html", {"rows": rows, "now": now})


@require_safe
@allowed(Permission.POOL_READ)
def pool(request: ActorRequest, code: str) -> HttpResponse:
    """One pool: a week of free cards, its capacity's history, maintenance."""
    return _page(request, code)


@require_POST
@allowed(Permission.POOL_MANAGE)
def pool_capacity(request: ActorRequest, code: str) -> HttpResponse:
    """Change the capacity; the number already in force changes nothing."""
    form = CapacityForm(request.POST, prefix="capacity")

    def effect() -> str:
        change_capacity(
            actor=request.actor,
            pool_code=code,
            cards=form.cleaned_data["cards"],
            at=form.cleaned_data["at"] or utc_now(),
            reason=form.cleaned_data["reason"],
        )
        return reverse("ops:pool", args=[code])

    return answer_form(
        request,
        form,
        effect,
        page=partial(_page, request, code, sent={"capacity_form": form}),
        done=_("The capacity is changed."),
    )


@require_POST
@allowed(Permission.NODE_MANAGE)
def pool_maintenance(request: ActorRequest, code: str) -> HttpResponse:
    """Take cards out of sale for a time, once for each form."""
    form = MaintenanceForm(request.POST, prefix="maintenance")

    def effect() -> str:
        told = form.cleaned_data
        plan_maintenance(
            actor=request.actor,
            pool_code=code,
            cards=told["cards"],
            period=Period(told["starts_at"], told["ends_at"]),
            reason=told["reason"],
            key=form_key(request),
        )
        return reverse("ops:pool", args=[code])

    return answer_form(
        request,
        form,
        effect,
        page=partial(_page, request, code, sent={"maintenance_form": form}),
        done=_("The maintenance is planned."),
    )


@require_POST
@allowed(Permission.NODE_MANAGE)
def pool_maintenance_end(request: ActorRequest, code: str, claim_id: UUID) -> HttpResponse:
    """Give the cards back to sale."""

    def effect() -> str:
        end_maintenance(actor=request.actor, claim_id=claim_id, now=utc_now())
        return reverse("ops:pool", args=[code])

    return answer(
        request,
        effect,
        shown=lambda refusal: _page(request, code, refusal),
        done=_("The cards are for sale again."),
    )


def _page(
    request: ActorRequest,
    code: str,
    refusal: DomainError | None = None,
    sent: Mapping[str, object] | None = None,
) -> HttpResponse:
    now = utc_now()
    found = pool_with_site(actor=request.actor, code=code)
    headings, rows = _week(code, now)
    permissions = request.actor.permissions
    context = {
        "pool": found,
        "crumbs": [Crumb(_("Pools"), reverse("ops:pool-list"))],
        "headings": headings,
        "heat": rows,
        "changes": capacity_history(actor=request.actor, pool=found),
        "maintenance": maintenance_of(actor=request.actor, pool=found, now=now),
        "nodes": node_states(actor=request.actor, pool=found),
        "capacity_form": CapacityForm(prefix="capacity"),
        "maintenance_form": MaintenanceForm(prefix="maintenance"),
        "may_manage": Permission.POOL_MANAGE in permissions,
        "may_maintain": Permission.NODE_MANAGE in permissions,
        "idem": kept_idem(request, refusal) if refusal else "",
        "now": now,
        **(sent or {}),
    }
    return render_page(request, "console/operator/pool.html", context, refusal=refusal)


def _week(code: str, now: datetime) -> tuple[list[str], list[HeatRow]]:
    """A week of hours from this one on, one row for 24 of them; nothing for a withdrawn pool."""
    start = floor_hour(now)
    period = Period(start, start + timedelta(days=DAYS_AHEAD))
    found = next((row for row in heat_map(period=period) if row.pool_code == code), None)
    local = [(start + HOUR * number).astimezone(centre_zone()) for number in range(24)]
    headings = [f"{hour:%H}" for hour in local]
    if found is None:
        return headings, []
    cells = [HeatCell(cell.free, cell.capacity) for cell in found.cells]
    return headings, [
        HeatRow(f"{local[0] + timedelta(days=day):%m-%d}", tuple(cells[day * 24 : day * 24 + 24]))
        for day in range(DAYS_AHEAD)
    ]
