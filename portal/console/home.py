"""The tenant's first page: how it stands, what runs, what comes, and what to do first."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from appliances.queries.deployments import page as deployment_page
from billing.queries.wallet import Standing
from common.clock import utc_now
from compute.queries.reservations import reservation_page
from portal.console.forms import address
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from tenants.permissions import Permission
from tenants.queries.keys import keys

COMING = ("held", "awaiting_approval", "confirmed", "activating", "active")
LIVE = frozenset({"requested", "placing", "starting", "ready", "degraded", "stopping"})
SHOWN = 5


@dataclass(frozen=True)
class FirstStep:
    """One step of getting started; ``href`` is empty for those who may not take it."""

    title: str | Promise
    text: str | Promise
    href: str
    done: bool


@require_safe
def home(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Each panel is shown to those who may read what is in it."""
    may = request.actor.permissions
    account = request.account if Permission.WALLET_READ in may else None
    deployments = deployment_page(actor=request.actor, limit=20).items
    reservations = reservation_page(actor=request.actor, states=COMING, limit=SHOWN).items
    live = [one for one in deployments if one.state in LIVE]
    context = {
        "account": account,
        "now": utc_now(),
        "live": live[:SHOWN],
        "live_count": len(live),
        "coming": sorted(reservations, key=lambda one: one.starts_at),
        "may_reserve": Permission.RESERVATION_CREATE in may,
        "may_deploy": Permission.DEPLOYMENT_CREATE in may,
        "may_invoice": Permission.INVOICE_READ in may,
        "steps": _steps(
            request,
            account,
            reserved=bool(reservations),
            deployed=bool(deployments),
        ),
    }
    return render_page(request, "console/home/page.html", context)


def _steps(
    request: ActorRequest, account: Standing | None, *, reserved: bool, deployed: bool
) -> list[FirstStep]:
    """What is left to do before the first call; nothing once all of it is done."""
    may = request.actor.permissions
    has_key = Permission.KEY_READ in may and bool(
        keys(actor=request.actor, tenant_id=request.tenant.pk, limit=1).items
    )

    def way(name: str, permission: Permission) -> str:
        return address(request, name) if permission in may else ""

    steps = [
        FirstStep(
            _("Have a balance"),
            _("The centre books your transfer, or grants a credit limit."),
            way("wallet", Permission.WALLET_READ),
            done=account is None or account.available > 0,
        ),
        FirstStep(
            _("Reserve cards"),
            _("Choose a chip and a time; you see the whole price first."),
            way("reserve", Permission.RESERVATION_CREATE),
            done=reserved or deployed,
        ),
        FirstStep(
            _("Deploy a model"),
            _("Pick one of the catalogue; it says where it fits and why."),
            way("catalogue", Permission.DEPLOYMENT_CREATE),
            done=deployed,
        ),
        FirstStep(
            _("Call it with a key"),
            _("Make a key for your program; it is shown once."),
            way("key-list", Permission.KEY_MANAGE),
            done=has_key,
        ),
    ]
    return steps if not all(step.done for step in steps) else []
