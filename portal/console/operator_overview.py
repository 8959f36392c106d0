"""The operators' first page: is the centre sold, used, healthy, and what waits for somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from appliances.queries.desk import failed_lately
from billing.queries.revenue import Received, received
from common.clock import utc_now
from common.period import month_of
from compute.queries.desk import clusters, desk
from compute.queries.pools import FourNumbers, Placement, Share, four_numbers, placements
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.invariants import last_check
from portal.requests import ActorRequest
from tenants.permissions import Permission

GANG = 8


@dataclass(frozen=True)
class PoolLine:
    """One pool's four numbers, and what its free cards are worth to work that needs several."""

    code: str
    shares: tuple[Share, Share, Share, Share]
    free: int | None
    unknown: int
    stranded: int | None
    largest_gang: int | None


@require_safe
@allowed(Permission.TENANT_READ_ALL)
def overview(request: ActorRequest) -> HttpResponse:
    """One look at everything; each panel is one question."""
    now = utc_now()
    numbers = four_numbers(now=now)
    places = {one.pool_code: one for one in placements()}
    money = _money(request, now)
    schedulers = clusters(actor=request.actor, now=now)
    return render_page(
        request,
        "console/operator/overview.html",
        {
            "now": now,
            "pools": [_line(one, places[one.pool_code]) for one in numbers],
            "reasons": _reasons(numbers),
            "gang": GANG,
            "capacity": sum(one.sold.of for one in numbers),
            "sold": sum(one.sold.cards or 0 for one in numbers),
            "clusters": schedulers,
            "late": sum(one.stale for one in schedulers),
            "desk": desk(actor=request.actor),
            # One or the other: the page keeps to its few statements.
            "failed": failed_lately(actor=request.actor) if money is None else (),
            "check": last_check(actor=request.actor),
            "may_decide": Permission.RESERVATION_APPROVE in request.actor.permissions,
            "may_check": Permission.NODE_MANAGE in request.actor.permissions,
            "money": money,
        },
    )


def _money(request: ActorRequest, now: datetime) -> Received | None:
    """What this month brought so far, for finance; whoever minds machines too sees those here."""
    may = request.actor.permissions
    if Permission.REVENUE_READ not in may or Permission.NODE_MANAGE in may:
        return None
    month = month_of(now, settings.CENTRE_TIME_ZONE)
    return received(actor=request.actor, period=month)


def _line(numbers: FourNumbers, place: Placement) -> PoolLine:
    # Nodes nobody has heard of yet are not nodes without free cards.
    is_seen = place.cards > place.unknown
    return PoolLine(
        code=numbers.pool_code,
        shares=(numbers.sold, numbers.allocated, numbers.used, numbers.effective),
        free=place.free if is_seen else None,
        unknown=place.unknown,
        stranded=place.stranded[GANG] if is_seen else None,
        largest_gang=place.largest_gang if is_seen else None,
    )


def _reasons(numbers: Sequence[FourNumbers]) -> list[str]:
    """Why numbers are missing, each said once under the table."""
    shares = [s for one in numbers for s in (one.allocated, one.used, one.effective)]
    return list(dict.fromkeys(str(share.reason) for share in shares if share.reason))
