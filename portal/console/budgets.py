"""Budgets: how the month stands against them, what it may come to, and the forms that set them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from appliances.commands.budgets import set_budget
from appliances.queries import deployments
from billing.commands.budgets import change_budget, remove_budget
from billing.money import FEN
from billing.queries.budgets import Outlook, budget, budget_overview, today_at
from common.clock import utc_now
from common.errors import DomainError
from common.period import month_of
from common.zone import centre_zone
from portal.console import charts
from portal.console.forms import MoneyField, add_refusal, address, checked, kept_idem, perform
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from tenants.permissions import Permission, require
from tenants.queries.keys import keys
from tenants.queries.projects import projects

LIST = "console/budgets/list.html"
DETAIL = "console/budgets/detail.html"
CHOICES = 100
WHOLE = "tenant"
DAY = timedelta(days=1)


class LimitForm(forms.Form):
    """How much, and what happens then."""

    amount = MoneyField(
        label=gettext_lazy("Net amount each month"),
        min_value=FEN,
        max_digits=12,
        decimal_places=2,
        help_text=gettext_lazy("Without VAT, for each month of the centre's calendar."),
    )
    stops = forms.BooleanField(
        label=gettext_lazy("Stop what is new when it is reached"),
        required=False,
        help_text=gettext_lazy(
            "Refuses new deployments, reservations and packages, and model calls. Without this a "
            "budget tells and stops nothing."
        ),
    )
    stops_running = forms.BooleanField(
        label=gettext_lazy("Stop running work too"),
        required=False,
        help_text=gettext_lazy(
            "Deployments on demand are stopped. Reservations go on: they are paid for in any case."
        ),
    )


class BudgetForm(LimitForm):
    """A new budget of one subject."""

    subject = forms.ChoiceField(label=gettext_lazy("Budget of"))
    field_order = ("subject", "amount", "stops", "stops_running")


@require_http_methods(["GET", "HEAD", "POST"])
def budget_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Every budget with its month, the organisation's forecast, and the form that sets one."""
    require(request.actor, Permission.BUDGET_READ, request.tenant.pk)
    if request.method != "POST":
        return _list(request)
    require(request.actor, Permission.BUDGET_MANAGE, request.tenant.pk)

    def made() -> str:
        form = BudgetForm(request.POST)
        _offer(request, form)
        said = checked(form)
        scope, _colon, subject = said.pop("subject").partition(":")
        row = set_budget(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            scope=scope,
            subject_id=UUID(subject) if subject else None,
            now=utc_now(),
            **said,
        )
        return address(request, "budget", row.pk)

    return perform(
        request,
        made,
        shown=lambda refusal: _list(request, refusal, bound=True),
        done=_("The budget is set. What this month has cost already counts."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def budget_detail(request: ActorRequest, tenant_code: str, budget_id: UUID) -> HttpResponse:
    """One budget, its month day by day, and the form that changes it."""
    require(request.actor, Permission.BUDGET_READ, request.tenant.pk)
    if request.method != "POST":
        return _detail(request, budget_id)
    require(request.actor, Permission.BUDGET_MANAGE, request.tenant.pk)

    def changed() -> str:
        change_budget(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            budget_id=budget_id,
            now=utc_now(),
            **checked(LimitForm(request.POST)),
        )
        return address(request, "budget", budget_id)

    return perform(
        request,
        changed,
        shown=lambda refusal: _detail(request, budget_id, refusal, bound=True),
        done=_("The budget is changed."),
    )


@require_POST
def budget_remove(request: ActorRequest, tenant_code: str, budget_id: UUID) -> HttpResponse:
    """End a budget; it stops and tells nothing any more."""
    require(request.actor, Permission.BUDGET_MANAGE, request.tenant.pk)

    def removed() -> str:
        remove_budget(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            budget_id=budget_id,
            now=utc_now(),
        )
        return address(request, "budget-list")

    return perform(
        request,
        removed,
        shown=lambda refusal: _detail(request, budget_id, refusal),
        done=_("The budget is removed."),
    )


def _list(
    request: ActorRequest, refusal: DomainError | None = None, *, bound: bool = False
) -> HttpResponse:
    now = utc_now()
    rows, outlook = budget_overview(actor=request.actor, tenant_id=request.tenant.pk, now=now)
    whole = next((row for row in rows if row.scope == WHOLE), None)
    form = None
    if Permission.BUDGET_MANAGE in request.actor.permissions:
        form = BudgetForm(request.POST if bound else None)
        _offer(request, form)
        if bound and form.is_valid():
            add_refusal(form, refusal)
    context = {
        "now": now,
        "rows": rows,
        "whole": whole,
        "outlook": outlook,
        "chart": _chart(outlook, now),
        "form": form,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, LIST, context, refusal=refusal)


def _detail(
    request: ActorRequest,
    budget_id: UUID,
    refusal: DomainError | None = None,
    *,
    bound: bool = False,
) -> HttpResponse:
    now = utc_now()
    row, outlook = budget(
        actor=request.actor, tenant_id=request.tenant.pk, budget_id=budget_id, now=now
    )
    form = None
    if Permission.BUDGET_MANAGE in request.actor.permissions:
        standing = {
            "amount": row.amount,
            "stops": row.stops,
            "stops_running": row.stops_running,
        }
        form = LimitForm(request.POST) if bound else LimitForm(initial=standing)
        if row.scope == "key":
            del form.fields["stops_running"]
        if bound and form.is_valid():
            add_refusal(form, refusal)
    context = {
        "now": now,
        "row": row,
        "outlook": outlook,
        "chart": _chart(outlook, now),
        "form": form,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, DETAIL, context, refusal=refusal)


def _offer(request: ActorRequest, form: BudgetForm) -> None:
    """What a budget may be of: the newest of each kind, at most a hundred."""
    actor, tenant_id = request.actor, request.tenant.pk
    groups: list[tuple[str, list[tuple[str, str]]]] = [
        (_("Organisation"), [(WHOLE, request.tenant.name)])
    ]
    found = projects(actor=actor, tenant_id=tenant_id, limit=CHOICES).items
    groups.append((_("Projects"), [(f"project:{one.pk}", one.name) for one in found]))
    if Permission.KEY_READ in actor.permissions:
        named = keys(actor=actor, tenant_id=tenant_id, limit=CHOICES).items
        live = [one for one in named if one.revoked_at is None]
        groups.append((_("API keys"), [(f"key:{one.pk}", one.name) for one in live]))
    made = deployments.page(actor=actor, limit=CHOICES).items
    groups.append((_("Deployments"), [(f"deployment:{one.pk}", one.name) for one in made]))
    field = form.fields["subject"]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - narrows the declared type
    field.choices = [group for group in groups if group[1]]


@dataclass(frozen=True)
class MonthChart:
    """A month's running total by day, and where it is going."""

    columns: list[charts.Column]
    series: list[tuple[str, str | Promise]]


def _chart(outlook: Outlook, now: datetime) -> MonthChart:
    """A column for each day of the month: spent up to it, and from tomorrow on the forecast."""
    month, today = month_of(now, centre_zone().key), today_at(now)
    first = today_at(month.start)
    days = (today_at(month.end) - first).days
    left = max(days - (today - first).days - 1, 0)
    more = outlook.forecast.expected - outlook.spent if outlook.forecast else Decimal(0)
    total, columns = Decimal(0), []
    for place in range(days):
        day = first + DAY * place
        parts: dict[str, Decimal] = {}
        if day <= today:
            total += outlook.days.get(day, Decimal(0))
            parts = {"spent": _fen(total)}
        elif left and outlook.forecast:
            ahead = (day - today).days
            parts = {"spent": _fen(total), "forecast": _fen(more * ahead / left)}
        columns.append(charts.Column(f"{day:%m-%d}", parts))
    series: list[tuple[str, str | Promise]] = [("spent", _("Spent"))]
    if outlook.forecast:
        series.append(("forecast", _("Forecast")))
    return MonthChart(columns, series)


def _fen(amount: Decimal) -> Decimal:
    return max(amount, Decimal(0)).quantize(FEN)
