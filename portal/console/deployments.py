"""A tenant's deployments: the list, one of them with its live state, stopping and trying again."""

from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from appliances.commands import deployments as commands
from appliances.queries import deployments as queries
from common.clock import utc_now
from common.errors import DomainError
from compute.queries.use import workload_cost
from compute.queries.workloads import workload
from portal.console import charts
from portal.console.forms import act, address
from portal.console.freshness import freshness
from portal.console.htmx import render_fragment, render_page
from portal.console.snippets import snippets
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission

DETAIL = "console/deployments/detail.html"
LIVE = frozenset({"requested", "placing", "starting", "ready", "degraded", "stopping"})
SETTLED = frozenset({"ready", "degraded"})
ROUTED = frozenset({"ready", "degraded"})
PAGE = 50
BILLED: tuple[tuple[str, bool, str | Promise], ...] = (
    ("requested", False, gettext_lazy("Waiting for its turn.")),
    ("placing", False, gettext_lazy("The scheduler looks for cards.")),
    ("starting", True, gettext_lazy("The process holds its cards and loads the model.")),
    ("ready", True, gettext_lazy("It answers calls.")),
    ("degraded", True, gettext_lazy("It runs and does not answer as it should.")),
    ("stopping", True, gettext_lazy("Until the process has ended.")),
    ("stopped", False, gettext_lazy("Its cards are free.")),
    ("failed", False, gettext_lazy("Its cards are free.")),
)


@require_safe
def deployment_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Every deployment, the newest first."""
    page = queries.page(actor=request.actor, cursor=request.GET.get("cursor") or None, limit=PAGE)
    context = {
        "page": page,
        "now": utc_now(),
        "may_deploy": Permission.DEPLOYMENT_CREATE in request.actor.permissions,
    }
    return render_page(request, "console/deployments/list.html", context)


@require_safe
def deployment_detail(request: ActorRequest, tenant_code: str, deployment_id: UUID) -> HttpResponse:
    """One deployment, from the moment it was asked for."""
    return _detail(request, deployment_id)


@require_safe
def deployment_status(request: ActorRequest, tenant_code: str, deployment_id: UUID) -> HttpResponse:
    """The part of the page that changes by itself."""
    context = _context(request, deployment_id)
    return render_fragment(request, f"{DETAIL}#deployment-live", context)


@require_POST
def deployment_stop(request: ActorRequest, tenant_code: str, deployment_id: UUID) -> HttpResponse:
    """Stop one deployment."""
    return act(
        request,
        Permission.DEPLOYMENT_STOP,
        partial(commands.stop, deployment_id=deployment_id),
        page="deployment",
        shown=partial(_detail, request, deployment_id),
        done=_("It is being stopped; its cards are free once it has ended."),
    )


@require_POST
def deployment_retry(request: ActorRequest, tenant_code: str, deployment_id: UUID) -> HttpResponse:
    """Deploy the same once more; the new one has a page of its own."""
    return act(
        request,
        Permission.DEPLOYMENT_CREATE,
        partial(commands.retry, deployment_id=deployment_id),
        page="deployment",
        shown=partial(_detail, request, deployment_id),
    )


def _detail(
    request: ActorRequest, deployment_id: UUID, refusal: DomainError | None = None
) -> HttpResponse:
    context = _context(request, deployment_id)
    context["snippets"] = snippets(
        base_url=f"{settings.GATEWAY_URL}/v1", model=context["one"].served_model_name
    )
    context["billed_states"] = BILLED
    context["crumbs"] = [Crumb(_("Deployments"), address(request, "deployment-list"))]
    return render_page(request, DETAIL, context, refusal=refusal)


# The context of a template holds whatever the template prints.
def _context(request: ActorRequest, deployment_id: UUID) -> dict[str, Any]:
    now = utc_now()
    one = queries.one(actor=request.actor, deployment_id=deployment_id)
    work = workload(actor=request.actor, workload_id=one.workload_id) if one.workload_id else None
    may = request.actor.permissions
    cost = None
    if work is not None and Permission.USAGE_READ in may:
        cost = workload_cost(actor=request.actor, workload=work, now=now)
    seconds = 0 if one.state not in LIVE else 15 if one.state in SETTLED else 3
    return {
        "one": one,
        "work": work,
        "cost": cost,
        "now": now,
        "seconds": seconds,
        "steps": _steps(one, work),
        "waiting": _waiting(one, work),
        "fresh": freshness(work.pool.cluster, now) if work is not None else None,
        "observed_at": one.probed_at or (work.observed_at if work is not None else None),
        "base_url": f"{settings.GATEWAY_URL}/v1",
        "is_routed": one.state in ROUTED,
        "is_live": one.state in LIVE,
        "may_stop": Permission.DEPLOYMENT_STOP in may
        and one.state in LIVE
        and one.state != "stopping",
        "may_retry": Permission.DEPLOYMENT_CREATE in may and one.state not in LIVE,
    }


# Rows of a deployment and its workload; the console may not import the models they are of.
def _steps(one: Any, work: Any) -> list[charts.Step]:
    """What it went through and how long each took."""
    began = work.started_at if work is not None else None
    end = one.ended_at
    steps = [charts.Step(_("Waiting for cards"), one.created_at, began or end, "wait")]
    if began is not None:
        steps.append(charts.Step(_("Loading the model"), began, one.ready_at or end, "info"))
    if one.ready_at is not None:
        steps.append(charts.Step(_("Ready"), one.ready_at, end, "ok"))
    return steps


def _waiting(one: Any, work: Any) -> str:
    """Why it is not ready yet, in words; nothing where it is or will never be."""
    if one.state == "requested":
        return _("It is next to be handed to the scheduler.")
    if one.state == "placing":
        if work is not None and work.attention:
            return str(work.attention)
        return _("The scheduler has it and has not found it a node yet.")
    if one.state == "starting":
        return one.reason or _("The model is being loaded; large ones take several minutes.")
    if one.state == "stopping":
        return _("The process is being ended; its cards are counted until it has.")
    return ""
