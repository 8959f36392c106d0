"""The cost explorer: a month's costs by day under one heading, which add up to its bills."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from common.clock import utc_now
from common.errors import DomainError, NotFound
from common.zone import centre_zone
from portal.console import charts
from portal.console.forms import address
from portal.console.htmx import render_page
from portal.cost_names import GROUPINGS, LEFT_OUT
from portal.costs import (
    NO_PROJECT,
    Asked,
    DayCosts,
    Group,
    Sheet,
    asked_for,
    cost_csv,
    cost_sheet,
    group_name,
    shown_quantity,
)
from portal.exports import month_label
from portal.requests import ActorRequest
from portal.templatetags.ui import Tab
from tenants.permissions import Permission, PermissionRefused, require

Text = str | Promise

PAGE = "console/costs/page.html"
MOST_SERIES = 5
OTHERS = "…"
MONTHS_OFFERED = 24
COST, USE = "cost", "use"


@require_safe
def costs(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The chart, the groups and the filters; htmx asks for them without the frame."""
    require(request.actor, Permission.USAGE_READ, request.tenant.pk)
    now = utc_now()
    refusal: DomainError | None = None
    try:
        asked = _asked(request, now)
    except (NotFound, PermissionRefused):
        raise
    except DomainError as error:
        # The page as it usually is, with what was wrong with what was asked for.
        refusal, asked = error, _usual(request, now)
    sheet = cost_sheet(actor=request.actor, tenant_id=request.tenant.pk, asked=asked, now=now)
    shows_use = sheet.meter is not None and request.GET.get("show") == USE
    columns, series = chart_of(sheet, shows_use=shows_use)
    context = {
        "sheet": sheet,
        "rows": [Line.of(group, sheet) for group in sheet.groups],
        "columns": columns,
        "series": series,
        "shows_use": shows_use,
        "shown_total": shown_quantity(sheet.quantity, sheet.meter),
        "groupings": GROUPINGS.items(),
        "left_out": LEFT_OUT.get(asked.by, "") if _has_left_out(sheet) else "",
        "months": _months(sheet, now),
        "no_project": NO_PROJECT,
        "tabs": [
            Tab(_("Cost"), _same(request, asked, show=COST), not shows_use),
            Tab(_("Usage"), _same(request, asked, show=USE), shows_use),
        ],
        "csv_href": f"{address(request, 'costs-csv')}?{_query(asked)}",
        "usage_href": address(request, "usage"),
        "now": now,
    }
    return render_page(request, PAGE, context, partial="costs", refusal=refusal)


@require_safe
def costs_csv(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The same numbers by day and group for a spreadsheet."""
    require(request.actor, Permission.USAGE_READ, request.tenant.pk)
    now = utc_now()
    asked = _asked(request, now)
    sheet = cost_sheet(actor=request.actor, tenant_id=request.tenant.pk, asked=asked, now=now)
    response = HttpResponse(cost_csv(sheet), content_type="text/csv; charset=utf-8")
    name = f"costs-{asked.label}-{asked.by}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked(request: ActorRequest, now: datetime) -> Asked:
    return asked_for(
        month=request.GET.get("month", ""),
        by=request.GET.get("by", ""),
        project=request.GET.get("project", ""),
        meter=request.GET.get("meter", ""),
        now=now,
    )


def _usual(request: ActorRequest, now: datetime) -> Asked:
    return asked_for(
        month="",
        by="",
        project="",
        meter="",
        now=now,
    )


def _query(asked: Asked) -> str:
    said = {
        "month": asked.label,
        "by": asked.by,
        "project": asked.project,
        "meter": asked.meter,
    }
    return urlencode({name: value for name, value in said.items() if value})


def _same(request: ActorRequest, asked: Asked, *, show: str) -> str:
    return f"{address(request, 'costs')}?{_query(asked)}&show={show}"


def _has_left_out(sheet: Sheet) -> bool:
    return any(not group.value for group in sheet.groups)


def _months(sheet: Sheet, now: datetime) -> list[str]:
    """From the present month back to the tenant's first, and whichever is asked for."""
    found: list[str] = []
    day = now.astimezone(centre_zone()).replace(day=1)
    first = sheet.since or now
    while len(found) < MONTHS_OFFERED and (not found or day >= _month_start(first)):
        found.append(month_label(day))
        day = (day - timedelta(days=1)).replace(day=1)
    return found if sheet.asked.label in found else [*found, sheet.asked.label]


def _month_start(at: datetime) -> datetime:
    return at.astimezone(centre_zone()).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class Line:
    """One group as the table says it."""

    name: str
    code: str
    net: Decimal
    quantity: Decimal
    share: Decimal
    is_attributed: bool

    @classmethod
    def of(cls, group: Group, sheet: Sheet) -> "Line":
        name = group_name(group)
        return cls(
            name=name,
            code=group.value if group.value != name else "",
            net=group.net,
            quantity=shown_quantity(group.quantity, sheet.meter),
            share=group.share,
            is_attributed=bool(group.value),
        )


def chart_of(
    sheet: Sheet, *, shows_use: bool
) -> tuple[list[charts.Column], list[tuple[str, Text]]]:
    """A column for each day of the month so far, then what belongs to other days or to none.

    The largest groups have a colour each, the rest one together.
    """
    named = _largest(sheet, shows_use=shows_use)
    days = {one.day: one for one in sheet.days}
    count = (sheet.last_day - sheet.first_day).days + 1
    columns = [
        _column(
            f"{day:%m-%d}", [days[day]] if day in days else [], sheet, named, shows_use=shows_use
        )
        for day in (sheet.first_day + timedelta(days=number) for number in range(count))
    ]
    within = range(sheet.first_day.toordinal(), sheet.last_day.toordinal() + 1)
    other = [one for one in sheet.days if one.day and one.day.toordinal() not in within]
    if other:
        columns.append(_column(_("Earlier"), other, sheet, named, shows_use=shows_use))
    if None in days and days[None].net:
        columns.append(_column(_("No day"), [days[None]], sheet, named, shows_use=shows_use))
    series: list[tuple[str, Text]] = [(group.key, group_name(group)) for group in named]
    if any(OTHERS in column.parts and column.parts[OTHERS] for column in columns):
        series.append((OTHERS, _("Others")))
    return columns, series or [("", _("Total"))]


def _largest(sheet: Sheet, *, shows_use: bool) -> list[Group]:
    """At most five, the largest first; what comes to nothing has no colour."""

    def size(group: Group) -> tuple[Decimal | int, str]:
        return (group.quantity if shows_use else group.net, group.key)

    ordered = sorted(sheet.groups, key=size, reverse=True)
    return [group for group in ordered[:MOST_SERIES] if size(group)[0]]


def _column(
    label: str,
    days: Sequence[DayCosts],
    sheet: Sheet,
    named: Sequence[Group],
    *,
    shows_use: bool,
) -> charts.Column:
    keys = {group.key for group in named}
    parts: dict[str, Decimal] = {}
    for day in days:
        for group in sheet.groups:
            if group.key not in day.nets:
                continue
            amount = (
                shown_quantity(day.quantities[group.key], sheet.meter)
                if shows_use
                else day.nets[group.key]
            )
            place = group.key if group.key in keys else OTHERS
            parts[place] = parts.get(place, Decimal(0)) + amount
    return charts.Column(label, parts)
