"""What the centre earned, and what it took cards for and never billed."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.adapters.csv import csv_file
from billing.money import CURRENCY
from billing.queries.currencies import currencies_in_use
from billing.queries.revenue import HEADINGS, RevenueRow, received, revenue, totals
from common.clock import utc_now
from common.errors import DomainError
from common.period import Period
from common.zone import centre_zone
from portal.console import charts
from portal.console.htmx import render_page
from portal.console.operator_forms import allowed
from portal.console.wording import REVENUE_HEADINGS
from portal.exports import month_label, month_named
from portal.leakage import CAUSES, RESERVATION, WORKLOAD, Leak, leakage, leakage_csv
from portal.requests import ActorRequest
from portal.templatetags.ui import Tab
from tenants.permissions import Permission

Text = str | Promise

PAGE = "console/operator/revenue.html"
LEAKS = "console/operator/leakage.html"
MOST_SERIES = 5
MOST_LEAKS = 100
MOST_DAYS = 31 * 8
MONTHS_OFFERED = 24
OTHERS = "…"
MONTH, YEAR = "month", "year"
NOTHING = Decimal(0)
NAMELESS = gettext_lazy(
    "Prices with tiers count all of a tenant's use together and name no pool or chip; "
    "neither do adjustments and true-ups."
)


@require_safe
@allowed(Permission.REVENUE_READ)
def revenue_page(request: ActorRequest) -> HttpResponse:
    """What was booked in a month by day, or in the twelve months up to it by month."""
    now = utc_now()
    refusal: DomainError | None = None
    label, by, span = _asked(request, now)
    currencies = currencies_in_use()
    currency = _currency(request)
    try:
        period = _period(label, span)
        rows = revenue(actor=request.actor, period=period, heading=by, currency=currency)
    except DomainError as error:
        refusal, label, by, span = error, month_label(now), HEADINGS[0], MONTH
        currency = CURRENCY
        period = _period(label, span)
        rows = revenue(actor=request.actor, period=period, heading=by, currency=currency)
    found = sorted(
        ((value, *told) for value, told in totals(rows).items()),
        key=lambda one: (not one[0], one[3] - one[2], one[0]),
    )
    net = sum((row.net for row in rows), NOTHING)
    columns, series = _chart(rows, period, span, now)
    context = {
        "rows": [
            (value, name, invoiced, credited, invoiced - credited, _share(invoiced - credited, net))
            for value, name, invoiced, credited in found
        ],
        "invoiced": sum((row.invoiced for row in rows), NOTHING),
        "credited": sum((row.credited for row in rows), NOTHING),
        "net": net,
        "received": received(actor=request.actor, period=period, currency=currency),
        "currency": currency,
        "currencies": currencies if len(currencies) > 1 else (),
        "columns": columns,
        "series": series,
        "label": label,
        "by": by,
        "span": span,
        "headings": REVENUE_HEADINGS.items(),
        "months": _months(label, now),
        "tabs": _tabs(label, is_leakage=False),
        "note": NAMELESS if by in {"pool", "chip"} else "",
        "csv_href": f"{reverse('ops:revenue-csv')}?{_query(label, by, span, currency)}",
        "now": now,
    }
    return render_page(request, PAGE, context, partial="revenue", refusal=refusal)


@require_safe
@allowed(Permission.REVENUE_READ)
def revenue_csv(request: ActorRequest) -> HttpResponse:
    """The same by day and heading for a spreadsheet."""
    label, by, span = _asked(request, utc_now())
    currency = _currency(request)
    rows = revenue(actor=request.actor, period=_period(label, span), heading=by, currency=currency)
    heading = [
        _("Day"),
        REVENUE_HEADINGS[by],
        _("Name"),
        _("Invoiced"),
        _("Credited"),
        _("Net"),
        _("Currency"),
    ]
    cells = (
        (
            row.day.isoformat(),
            row.value,
            row.name,
            f"{row.invoiced:.2f}",
            f"{row.credited:.2f}",
            f"{row.net:.2f}",
            currency,
        )
        for row in rows
    )
    return _file(
        csv_file(heading, cells, figures=(3, 4, 5)), f"revenue-{label}-{by}-{currency}.csv"
    )


@require_safe
@allowed(Permission.REVENUE_READ)
def leakage_page(request: ActorRequest) -> HttpResponse:
    """Cards that were taken and not billed in a month, why, and what they were worth."""
    now = utc_now()
    refusal: DomainError | None = None
    label = request.GET.get("month", "") or month_label(now)
    try:
        period = month_named(label)
    except DomainError as error:
        refusal, label = error, month_label(now)
        period = month_named(label)
    found = leakage(actor=request.actor, month=period, now=now)
    context = {
        "found": found,
        "leaks": [(leak, CAUSES[leak.cause], _href(leak)) for leak in found.leaks[:MOST_LEAKS]],
        "more": max(len(found.leaks) - MOST_LEAKS, 0),
        "causes": [(one, CAUSES[one.cause]) for one in found.causes],
        "days": sorted(found.days, key=lambda one: (one.day, one.pool), reverse=True)[:MOST_DAYS],
        "label": label,
        "months": _months(label, now),
        "tabs": _tabs(label, is_leakage=True),
        "csv_href": f"{reverse('ops:leakage-csv')}?{urlencode({'month': label})}",
        "now": now,
    }
    return render_page(request, LEAKS, context, partial="leakage", refusal=refusal)


@require_safe
@allowed(Permission.REVENUE_READ)
def leakage_file(request: ActorRequest) -> HttpResponse:
    """Every leak of a month for a spreadsheet."""
    now = utc_now()
    label = request.GET.get("month", "") or month_label(now)
    found = leakage(actor=request.actor, month=month_named(label), now=now)
    return _file(leakage_csv(found), f"leakage-{label}.csv")


def _file(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked(request: ActorRequest, now: datetime) -> tuple[str, str, str]:
    label = request.GET.get("month", "") or month_label(now)
    span = YEAR if request.GET.get("span") == YEAR else MONTH
    return label, request.GET.get("by", "") or HEADINGS[0], span


def _currency(request: ActorRequest) -> str:
    return request.GET.get("currency", "") or CURRENCY


def _query(label: str, by: str, span: str, currency: str) -> str:
    return urlencode({"month": label, "by": by, "span": span, "currency": currency})


def _period(label: str, span: str) -> Period:
    """The month, or the twelve months that end with it. Raises: MonthRefused."""
    month = month_named(label)
    if span == MONTH:
        return month
    start = month.start.astimezone(centre_zone())
    for _number in range(11):
        start = (start - timedelta(days=1)).replace(day=1)
    return Period(month_named(month_label(start)).start, month.end)


def _href(leak: Leak) -> str:
    """Where the cause can be looked at."""
    if leak.kind == RESERVATION and leak.subject_id is not None:
        return reverse("ops:reservation", args=[leak.subject_id])
    if leak.kind == WORKLOAD:
        return reverse("ops:deployment-list")
    return ""


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole else None


def _months(label: str, now: datetime) -> list[str]:
    found, day = [], now.astimezone(centre_zone())
    for _number in range(MONTHS_OFFERED):
        found.append(month_label(day))
        day = day.replace(day=1) - timedelta(days=1)
    return found if label in found else [*found, label]


def _tabs(label: str, *, is_leakage: bool) -> list[Tab]:
    query = "?" + urlencode({"month": label})
    return [
        Tab(_("Revenue"), reverse("ops:revenue") + query, not is_leakage),
        Tab(_("Leakage"), reverse("ops:leakage") + query, is_leakage),
    ]


def _chart(
    rows: Sequence[RevenueRow], period: Period, span: str, now: datetime
) -> tuple[list[charts.Column], list[tuple[str, Text]]]:
    """Net revenue of each day, or of each month of a year; the largest values by name."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    parts: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    names = {row.value: row.name for row in rows}
    for row in rows:
        sums[row.value] += row.net
    named = sorted(sums, key=lambda value: (-sums[value], value))[:MOST_SERIES]
    for row in rows:
        place = f"{row.day:%Y-%m}" if span == YEAR else f"{row.day:%m-%d}"
        parts[place][row.value if row.value in named else OTHERS] += row.net
    columns = [charts.Column(label, dict(parts[label])) for label in _labels(period, span, now)]
    series: list[tuple[str, Text]] = [
        (value, names[value] or value or _("Not attributed")) for value in named
    ]
    if len(sums) > len(named):
        series.append((OTHERS, _("Others")))
    return columns, series or [("", _("Total"))]


def _labels(period: Period, span: str, now: datetime) -> list[str]:
    found: list[str] = []
    day, end = period.start.astimezone(centre_zone()), min(period.end, max(now, period.start))
    while day < end or not found:
        label = f"{day:%Y-%m}" if span == YEAR else f"{day:%m-%d}"
        if not found or found[-1] != label:
            found.append(label)
        day += timedelta(days=1)
    return found
