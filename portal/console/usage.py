"""Usage and cost: what was used by day, and the draft of the next invoice it adds up to."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.adapters.csv import draft_csv
from billing.meters import Meter, declared
from billing.queries.invoices import unbilled
from billing.queries.usage import UsageRow, usage_by_day
from common.clock import utc_now
from common.period import Period, month_of
from common.zone import centre_zone
from portal.console import charts
from portal.console.forms import address
from portal.console.htmx import render_page
from portal.console.wording import DIMENSIONS, SERVICE_CLASSES
from portal.costs import shown_quantity
from portal.requests import ActorRequest
from tenants.permissions import Permission, require

SPANS = (7, 30, 90)
MOST_SERIES = 5
OTHERS = "…"


@require_safe
def usage(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """One meter by day and by one of its dimensions; below, the draft invoice line by line."""
    require(request.actor, Permission.USAGE_READ, request.tenant.pk)
    now = utc_now()
    meters = declared()
    days = next((days for days in SPANS if request.GET.get("days") == str(days)), 30)
    period = _period(days, now)
    meter = _meter(request, meters.get("compute.card_seconds"))
    by = request.GET.get("by", "")
    by = by if by in {"", "project", *(meter.dimensions if meter else ())} else ""
    rows = usage_by_day(
        tenant_id=request.tenant.pk,
        period=period,
        dimension=by,
        meter=meter.code if meter else "",
    )
    draft = unbilled(tenant_id=request.tenant.pk, until=now)
    columns, series = _chart(rows, meter, period, by)
    context = {
        "now": now,
        "draft": draft,
        "meter": meter,
        "meters": [one for code, one in sorted(meters.items()) if not code.startswith("test.")],
        "days": days,
        "spans": SPANS,
        "by": by,
        "dimensions": [
            (name, DIMENSIONS.get(name, name))
            for name in ("", "project", *(meter.dimensions if meter else ()))
        ],
        "columns": columns,
        "series": series,
        "total": sum((row.quantity for row in rows), 0),
        "amount": shown_quantity(sum((row.quantity for row in rows), 0), meter),
        "events": sum((row.events for row in rows), 0),
        "month": month_of(now, "Asia/Shanghai").start,
        "csv_href": address(request, "usage-csv"),
        "focus_href": address(request, "focus-export")
        if Permission.COST_EXPORT in request.actor.permissions
        else "",
    }
    return render_page(request, "console/usage/page.html", context)


@require_safe
def usage_csv(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The draft invoice's lines for a spreadsheet."""
    require(request.actor, Permission.USAGE_READ, request.tenant.pk)
    draft = unbilled(tenant_id=request.tenant.pk, until=utc_now())
    body = draft_csv(draft, get_language() or "en")
    response = HttpResponse(body, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="not-yet-invoiced.csv"'
    return response


def _period(days: int, now: datetime) -> Period:
    """Whole days of the centre's calendar, today included."""
    today = now.astimezone(centre_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(today - timedelta(days=days - 1), today + timedelta(days=1))


def _meter(request: HttpRequest, usual: Meter | None) -> Meter | None:
    return declared().get(request.GET.get("meter", ""), usual)


def _chart(
    rows: Sequence[UsageRow],
    meter: Meter | None,
    period: Period,
    by: str,
) -> tuple[list[charts.Column], list[tuple[str, str | Promise]]]:
    """A column for each day, empty ones too; the largest values by name, the rest together."""
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        totals[row.value] += row.quantity
    largest = sorted(totals, key=lambda value: (-totals[value], value))
    named = largest[:MOST_SERIES]
    parts: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        parts[row.day][row.value if row.value in named else OTHERS] += row.quantity
    first = period.start.astimezone(centre_zone()).date()
    count = (period.end - period.start).days
    columns = [
        charts.Column(
            f"{day:%m-%d}",
            {value: shown_quantity(quantity, meter) for value, quantity in parts[day].items()},
        )
        for day in (first + timedelta(days=index) for index in range(count))
    ]
    words = SERVICE_CLASSES if by == "service_class" else {row.value: row.name for row in rows}
    series: list[tuple[str, str | Promise]] = [
        (value, words.get(value) or value or (_("Total") if not by else _("None")))
        for value in named
    ]
    if len(largest) > MOST_SERIES:
        series.append((OTHERS, _("Others")))
    return columns, series or [("", _("Total"))]
