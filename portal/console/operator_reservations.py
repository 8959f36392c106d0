"""Reservations and deployments of every tenant, as operators follow them."""

from collections.abc import Mapping
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from appliances.queries.desk import deployments_of_everybody
from common.clock import utc_now
from compute.queries.reservations import reservation as one_reservation
from compute.queries.reservations import reservation_page
from compute.queries.workloads import workload_page
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.console.statuses import STATUSES, look_of
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb, Tab, TimelineEntry
from tenants.permissions import Permission
from tenants.queries.trail import audit_entries

PAGE_SIZE = 50
# What the audit trail calls a move into a state.
MOVES = "compute.reservation."
# What each tab of a list shows; the first shows what is alive.
RESERVATION_TABS = {
    "current": (
        gettext_lazy("Current"),
        ("held", "awaiting_approval", "confirmed", "activating", "active", "ending"),
    ),
    "over": (
        gettext_lazy("Over"),
        ("ended", "rejected", "expired", "cancelled", "failed"),
    ),
}
DEPLOYMENT_TABS = {
    "current": (
        gettext_lazy("Current"),
        ("requested", "placing", "starting", "ready", "degraded", "stopping"),
    ),
    "over": (gettext_lazy("Over"), ("stopped", "failed")),
}


@require_safe
@allowed(Permission.RESERVATION_READ)
def reservation_list(request: ActorRequest) -> HttpResponse:
    """Reservations of all tenants, the latest first."""
    chosen = _chosen(request)
    page = reservation_page(
        actor=request.actor,
        states=RESERVATION_TABS[chosen][1],
        cursor=request.GET.get("cursor") or None,
        limit=PAGE_SIZE,
    )
    return render_page(
        request,
        "console/operator/reservations.html",
        {
            "page": page,
            "tabs": _tabs("ops:reservation-list", RESERVATION_TABS, chosen),
            "chosen": chosen,
            "now": utc_now(),
        },
    )


@require_safe
@allowed(Permission.RESERVATION_READ)
def reservation(request: ActorRequest, reservation_id: UUID) -> HttpResponse:
    """One reservation: its facts, what runs in it, and what was done to it."""
    found = one_reservation(actor=request.actor, reservation_id=reservation_id)
    workloads = workload_page(actor=request.actor, reservation_id=found.pk, limit=20)
    trail = audit_entries(
        actor=request.actor, tenant_id=found.tenant_id, subject=found.subject, limit=50
    )
    return render_page(
        request,
        "console/operator/reservation.html",
        {
            "one": found,
            "workloads": workloads.items,
            "trail": [_entry(entry.at, entry.action, entry.actor_name) for entry in trail.items],
            "crumbs": [Crumb(_("Reservations"), reverse("ops:reservation-list"))],
            "may_decide": Permission.RESERVATION_APPROVE in request.actor.permissions,
        },
    )


def _entry(at: object, action: str, actor_name: str) -> TimelineEntry:
    state = action.removeprefix(MOVES)
    if state not in STATUSES:
        return TimelineEntry(at=at, title=action, actor=actor_name)  # type: ignore[arg-type]  # a row's instant
    look = look_of(state)
    return TimelineEntry(at=at, title=look.word, actor=actor_name, tone=look.tone, icon=look.icon)  # type: ignore[arg-type]  # a row's instant


@require_safe
@allowed(Permission.DEPLOYMENT_READ)
def deployment_list(request: ActorRequest) -> HttpResponse:
    """Deployments of all tenants, the latest first."""
    chosen = _chosen(request)
    page = deployments_of_everybody(
        actor=request.actor,
        states=DEPLOYMENT_TABS[chosen][1],
        cursor=request.GET.get("cursor") or None,
        limit=PAGE_SIZE,
    )
    return render_page(
        request,
        "console/operator/deployments.html",
        {
            "page": page,
            "tabs": _tabs("ops:deployment-list", DEPLOYMENT_TABS, chosen),
            "chosen": chosen,
            "now": utc_now(),
        },
    )


def _chosen(request: ActorRequest) -> str:
    return "over" if request.GET.get("show") == "over" else "current"


def _tabs(name: str, tabs: Mapping[str, tuple[object, tuple[str, ...]]], chosen: str) -> list[Tab]:
    address = reverse(name)
    return [
        Tab(str(label), address if key == "current" else f"{address}?show={key}", chosen == key)
        for key, (label, _states) in tabs.items()
    ]
