"""One node: what its scheduler says of it, and what operators ask of its scheduler."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.clock import utc_now
from common.errors import DomainError, InvalidInput
from compute.commands.nodes import drain_node, resume_node
from compute.queries.nodes import node_of
from compute.queries.pools import STALE_AFTER
from portal.console.forms import add_refusal
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed, answer
from portal.console.operator_tenant_forms import ReasonForm
from portal.requests import ActorRequest
from portal.templatetags.ui import Crumb
from tenants.permissions import Permission


@require_safe
@allowed(Permission.POOL_READ)
def node(request: ActorRequest, node_id: int) -> HttpResponse:
    """One node as last seen, with the last order to it."""
    return _page(request, node_id)


@require_POST
@allowed(Permission.NODE_MANAGE)
def node_drain(request: ActorRequest, node_id: int) -> HttpResponse:
    """Let it take no new work."""
    return _order(request, node_id, drain_node, _("The node is being drained."))


@require_POST
@allowed(Permission.NODE_MANAGE)
def node_resume(request: ActorRequest, node_id: int) -> HttpResponse:
    """Give it back to work."""
    return _order(request, node_id, resume_node, _("The node goes back to work."))


def _order(
    request: ActorRequest, node_id: int, order: Callable[..., None], done: str | Promise
) -> HttpResponse:
    node_of(actor=request.actor, node_id=node_id)
    form = ReasonForm(request.POST)

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal)
        return _page(request, node_id, refusal, form)

    if not form.is_valid():
        return shown(InvalidInput())

    def effect() -> str:
        order(
            actor=request.actor,
            node_id=node_id,
            reason=form.cleaned_data["reason"],
            now=utc_now(),
        )
        return reverse("ops:node", args=[node_id])

    return answer(request, effect, shown=shown, done=done)


def _page(
    request: ActorRequest,
    node_id: int,
    refusal: DomainError | None = None,
    sent: ReasonForm | None = None,
) -> HttpResponse:
    now = utc_now()
    found = node_of(actor=request.actor, node_id=node_id)
    context = {
        "one": found,
        "is_old": found.observed_at is None or found.observed_at + STALE_AFTER < now,
        "subject": f"compute.node:{found.cluster_code}/{found.name}",
        "crumbs": [Crumb(_("Nodes"), reverse("ops:node-list"))],
        "form": sent or ReasonForm(),
        # Both may stand on one page, and a field's id stands there once.
        "resume_form": ReasonForm(sent.data if sent else None, auto_id="resume_%s"),
        "may_order": Permission.NODE_MANAGE in request.actor.permissions,
        "now": now,
    }
    return render_page(request, "console/operator/node.html", context, refusal=refusal)
