"""A tenant's reservations: the list, one of them, and what may be done with it."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from common.clock import utc_now
from common.errors import DomainError
from compute.commands import reservations as commands
from compute.queries.reservations import reservation, reservation_page
from compute.queries.use import reservation_use
from compute.queries.workloads import workload_page
from portal.console.forms import act, address, kept_idem
from portal.console.freshness import freshness
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb, Tab, TimelineEntry
from tenants.permissions import Permission

DETAIL = "console/reservations/detail.html"
PAGE = 50
GROUPS = (
    ("", gettext_lazy("All"), ()),
    (
        "coming",
        gettext_lazy("Coming"),
        ("held", "awaiting_approval", "confirmed", "activating"),
    ),
    ("active", gettext_lazy("Active"), ("active", "ending")),
    ("over", gettext_lazy("Over"), ("ended", "rejected", "expired", "cancelled", "failed")),
)
CANCELLABLE = frozenset({"held", "awaiting_approval", "confirmed"})


@require_safe
def reservation_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The tenant's reservations, the latest first."""
    chosen = request.GET.get("show", "")
    states = next((states for key, _word, states in GROUPS if key == chosen), ())
    page = reservation_page(
        actor=request.actor,
        states=states,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    here = address(request, "reservation-list")
    tabs = [
        Tab(word, f"{here}?show={key}" if key else here, current=key == chosen)
        for key, word, _states in GROUPS
    ]
    context = {
        "page": page,
        "tabs": tabs,
        "narrowed": bool(chosen),
        "may_reserve": Permission.RESERVATION_CREATE in request.actor.permissions,
    }
    return render_page(request, "console/reservations/list.html", context)


@require_safe
def reservation_detail(
    request: ActorRequest, tenant_code: str, reservation_id: UUID
) -> HttpResponse:
    """One reservation; while it is held this is where it is confirmed."""
    return _detail(request, reservation_id)


@require_POST
def reservation_submit(
    request: ActorRequest, tenant_code: str, reservation_id: UUID
) -> HttpResponse:
    """Confirm a hold: its price is set aside and operators are asked."""
    return act(
        request,
        Permission.RESERVATION_CREATE,
        partial(commands.submit, reservation_id=reservation_id),
        page="reservation",
        shown=partial(_detail, request, reservation_id),
        done=_("The reservation was sent for approval."),
    )


@require_POST
def reservation_cancel(
    request: ActorRequest, tenant_code: str, reservation_id: UUID
) -> HttpResponse:
    """Give up a reservation that has not started."""
    return act(
        request,
        Permission.RESERVATION_CANCEL,
        partial(commands.cancel, reservation_id=reservation_id),
        page="reservation",
        shown=partial(_detail, request, reservation_id),
        done=_("The reservation was cancelled; its cards and its money are free again."),
    )


@require_POST
def reservation_end(request: ActorRequest, tenant_code: str, reservation_id: UUID) -> HttpResponse:
    """End an active reservation before its time."""
    return act(
        request,
        Permission.RESERVATION_CANCEL,
        partial(commands.end_now, reservation_id=reservation_id),
        page="reservation",
        shown=partial(_detail, request, reservation_id),
        done=_("The reservation is ending; work in it is being stopped."),
    )


def _detail(
    request: ActorRequest, reservation_id: UUID, refusal: DomainError | None = None
) -> HttpResponse:
    now = utc_now()
    found = reservation(actor=request.actor, reservation_id=reservation_id)
    may = request.actor.permissions
    workloads = workload_page(actor=request.actor, reservation_id=found.pk, limit=PAGE)
    context = {
        "one": found,
        "now": now,
        "crumbs": [Crumb(_("Reservations"), address(request, "reservation-list"))],
        "use": reservation_use(actor=request.actor, reservation=found, now=now),
        "workloads": workloads.items,
        "events": _events(found, now),
        "account": request.account if found.state == "held" else None,
        "is_open_hold": found.state == "held" and found.hold_expires_at > now,
        "may_submit": Permission.RESERVATION_CREATE in may,
        "may_cancel": Permission.RESERVATION_CANCEL in may and found.state in CANCELLABLE,
        "may_end": Permission.RESERVATION_CANCEL in may and found.state == "active",
        "may_deploy": Permission.DEPLOYMENT_CREATE in may and found.state == "active",
        "card_seconds": found.period.seconds * found.cards,
        "fresh": freshness(found.pool.cluster, now),
        "idem": kept_idem(request, refusal),
        # What may still change by itself is looked at again.
        "moves": found.state in {"awaiting_approval", "confirmed", "activating", "ending"},
    }
    return render_page(request, DETAIL, context, partial="reservation-live", refusal=refusal)


# A reservation row; the console may not import the models it is one of.
def _events(one: "object", now: datetime) -> list[TimelineEntry]:
    """What happened to it, newest first."""
    told = (
        ("created_at", _("Held"), "info", "hourglass"),
        ("submitted_at", _("Sent for approval"), "wait", "clipboard-check"),
        ("decided_at", _("Decided by the centre"), "info", "checks"),
        ("activated_at", _("Activated: the cards are set aside"), "ok", "circle-check"),
        ("end_requested_at", _("Asked to end"), "info", "player-stop"),
        ("ended_at", _("Over"), "idle", "circle"),
    )
    return [
        TimelineEntry(at, title, tone=tone, icon=icon)
        for name, title, tone, icon in reversed(told)
        if (at := getattr(one, name)) is not None and at <= now
    ]
