"""The wallet: how the tenant stands, what is promised, and every movement."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from billing.money import CURRENCY
from billing.queries.credits import open_credits, saved
from billing.queries.pages import statement_page
from billing.queries.wallet import active_holds
from common.clock import utc_now
from portal.console.htmx import render_page
from portal.console.wording import CREDIT_KINDS, MOVEMENTS
from portal.requests import ActorRequest
from tenants.permissions import Permission, require

PAGE = 50
HOLDS_SHOWN = 50


@require_safe
def wallet(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Money in, money out, money set aside."""
    require(request.actor, Permission.WALLET_READ, request.tenant.pk)
    page = statement_page(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    holds = active_holds(request.tenant.pk)
    now = utc_now()
    credits = open_credits(tenant_id=request.tenant.pk, now=now)
    context = {
        "credits": [(one, CREDIT_KINDS[one.kind]) for one in credits],
        "saved": saved(request.tenant.pk),
        "takes_vouchers": request.account.currency == CURRENCY,
        "may_apply": Permission.VOUCHER_APPLY in request.actor.permissions,
        "account": request.account,
        "now": now,
        "page": page,
        "rows": [(row, MOVEMENTS.get(row.kind, row.kind)) for row in page.items],
        "holds": [(hold, *_about(hold.key)) for hold in holds[:HOLDS_SHOWN]],
        "more_holds": max(len(holds) - HOLDS_SHOWN, 0),
    }
    return render_page(request, "console/wallet/page.html", context)


def _about(key: str) -> tuple[str, str]:
    """What a hold is for: its kind and the id of the thing."""
    kind, _colon, which = key.partition(":")
    return kind, which
