"""Reserving cards: one page with the request, what is free, the offers and the live quote."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.queries.wallet import Standing
from common.clock import utc_now
from common.errors import DomainError, FieldError, InvalidInput
from common.period import Period, floor_hour
from common.zone import centre_zone
from compute.commands.reservations import hold
from compute.queries.offers import Label, Offer, OfferRequest, OfferResult, find_offers
from compute.queries.pools import Board, board
from portal.console import charts
from portal.console.forms import (
    CentreInstantField,
    MoneyField,
    add_refusal,
    address,
    at_centre,
    checked,
    kept_idem,
    perform,
)
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from portal.templatetags.ui_names import named
from tenants.permissions import Permission, require
from tenants.queries.projects import open_projects

TEMPLATE = "console/reserve/page.html"
HOLD_MINUTES = 10
QUARTER = timedelta(minutes=15)
SQUARES = 12
LONG = 24
FLEXIBLE = (
    ("0", gettext_lazy("Exactly then")),
    ("1", gettext_lazy("Up to 1 day later")),
    ("3", gettext_lazy("Up to 3 days later")),
    ("7", gettext_lazy("Up to 7 days later")),
    ("30", gettext_lazy("Up to 30 days later")),
)
LABELS: dict[Label, tuple[str | Promise, str]] = {
    Label.EXACT: (gettext_lazy("As asked"), "ok"),
    Label.EARLIEST: (gettext_lazy("Earliest"), "info"),
    Label.CHEAPEST: (gettext_lazy("Cheapest"), "special"),
    Label.OTHER_CHIP: (gettext_lazy("Other chip"), "idle"),
}


class PriceMoved(DomainError):
    """The price list changed between the quote on the page and the hold."""

    code = "price_moved"
    status = 409
    message = gettext_lazy("The price has changed since it was shown. Look at the new one first.")


class ReserveForm(forms.Form):
    """What is looked for."""

    project = forms.ChoiceField(label=gettext_lazy("Project"))
    chip = forms.ChoiceField(label=gettext_lazy("Chip"), required=False)
    cards = forms.IntegerField(
        label=gettext_lazy("Cards"), min_value=1, max_value=100_000, initial=8
    )
    starts_at = CentreInstantField(label=gettext_lazy("Start"))
    hours = forms.IntegerField(
        label=gettext_lazy("Length in hours"), min_value=1, max_value=8784, initial=24
    )
    flexible_days = forms.ChoiceField(
        label=gettext_lazy("The start may move"), choices=FLEXIBLE, initial="3", required=False
    )
    petaflops = forms.DecimalField(
        label=gettext_lazy("Computing power in P, instead of cards"),
        help_text=gettext_lazy("FP16, dense; rounded up to whole cards of each chip."),
        min_value=Decimal("0.001"),
        max_digits=12,
        decimal_places=3,
        required=False,
    )
    budget = MoneyField(
        label=gettext_lazy("Budget with tax"),
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        required=False,
    )
    other_chips = forms.ChoiceField(
        label=gettext_lazy("Other chips"),
        choices=(("yes", gettext_lazy("Show them too")), ("no", gettext_lazy("Leave them out"))),
        initial="yes",
        required=False,
    )


@dataclass(frozen=True)
class Shown:
    """Everything of the page that follows from what is asked for."""

    result: OfferResult | None
    chosen: Offer | None
    rows: Sequence[tuple[Offer, Sequence[tuple[str | Promise, str]], str]]


@require_http_methods(["GET", "HEAD", "POST"])
def reserve(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """Look for cards, and hold what was found; a refusal keeps every input."""
    require(request.actor, Permission.RESERVATION_CREATE, request.tenant.pk)
    if request.method != "POST":
        return _page(request)

    def held() -> str:
        asked = _asked(request.POST)
        reservation = hold(
            actor=request.actor,
            project_id=asked.project_id,
            pool_code=asked.pool_code,
            cards=asked.cards,
            period=asked.period,
            now=utc_now(),
        )
        if reservation.gross != asked.gross:
            raise PriceMoved
        return address(request, "reservation", reservation.pk)

    return perform(request, held, shown=lambda refusal: _page(request, refusal))


@dataclass(frozen=True)
class Asked:
    """An offer as its hold button sends it back."""

    project_id: UUID
    pool_code: str
    cards: int
    period: Period
    gross: Decimal


class HoldForm(forms.Form):
    project = forms.UUIDField()
    pool = forms.CharField(max_length=60)
    cards = forms.IntegerField(min_value=1)
    starts_at = CentreInstantField()
    ends_at = CentreInstantField()
    gross = forms.DecimalField(max_digits=20, decimal_places=6)


def _asked(posted: QueryDict) -> Asked:
    said = checked(HoldForm(posted))
    if said["ends_at"] <= said["starts_at"]:
        detail = _("The end lies after the start.")
        raise InvalidInput(errors=[FieldError("/ends_at", "reversed", detail)])
    return Asked(
        project_id=said["project"],
        pool_code=said["pool"],
        cards=said["cards"],
        period=Period(said["starts_at"], said["ends_at"]),
        gross=said["gross"],
    )


def _page(request: ActorRequest, refusal: DomainError | None = None) -> HttpResponse:
    now = utc_now()
    projects = open_projects(actor=request.actor, tenant_id=request.tenant.pk)
    form = ReserveForm({**_defaults(now, projects), **request.GET.dict()})
    starts_at, hours = _span(request, now)
    seen = board(period=_heat_period(starts_at, hours, now), cell=_cell(hours), now=now)
    form.fields["project"].choices = [(str(one.pk), one.name) for one in projects]  # type: ignore[attr-defined]  # a choice field
    form.fields["chip"].choices = _chips(seen)  # type: ignore[attr-defined]  # a choice field
    result, search_refusal = _search(request, form, now) if projects else (None, None)
    shown = _shown(request, result)
    account = request.account
    context = {
        "form": form,
        "projects": projects,
        "now": now,
        "offers": shown.rows,
        "refused": result.refused if result else (),
        "searched": result is not None,
        "chosen": shown.chosen,
        "quote": _quote(shown.chosen, account),
        "account": account,
        "idem": kept_idem(request, refusal),
        "search": request.GET.urlencode(),
        "stale_since": _stale_since(seen),
        "next_free": _next_free(request, refusal),
        "hold_minutes": HOLD_MINUTES,
        **_heat(request, seen, hours),
    }
    return render_page(
        request, TEMPLATE, context, partial="reserve-results", refusal=refusal or search_refusal
    )


def _defaults(now: datetime, projects: Sequence[object]) -> dict[str, str]:
    start = now + timedelta(minutes=5)
    minutes = -(start.minute % 15) % 15
    start = start.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
    first = str(getattr(projects[0], "pk", "")) if projects else ""
    return {
        "project": first,
        "chip": "",
        "cards": "8",
        "starts_at": at_centre(start),
        "hours": "24",
        "flexible_days": "3",
        "other_chips": "yes",
    }


def _span(request: HttpRequest, now: datetime) -> tuple[datetime, int]:
    """The start and length asked for, or plain ones while those fields are being corrected."""
    told = request.GET.get("hours", "24")
    hours = int(told) if told.isdecimal() and len(told) < 5 else LONG
    try:
        start = CentreInstantField().clean(request.GET.get("starts_at") or at_centre(now))
    except forms.ValidationError:
        start = now
    horizon = timedelta(days=400)
    return (start if now - horizon < start < now + horizon else now), hours


def _cell(hours: int) -> timedelta:
    return timedelta(hours=2) if hours <= LONG else timedelta(days=1)


def _heat_period(starts_at: datetime, hours: int, now: datetime) -> Period:
    begin = floor_hour(max(starts_at, now))
    if hours > LONG:
        local = begin.astimezone(centre_zone()).replace(hour=0)
        begin = local.astimezone(now.tzinfo)
    return Period(begin, begin + _cell(hours) * SQUARES)


def _heat(request: HttpRequest, seen: Board, hours: int) -> dict[str, object]:
    query = request.GET.copy()
    sold = {row.code: row for row in seen.rows if row.sold}
    rows = []
    for row in seen.heat:
        pool = sold.get(row.pool_code)
        if pool is None:
            continue
        cells = []
        for cell in row.cells:
            query["starts_at"] = at_centre(cell.period.start)
            query["chip"], query["pool"] = pool.chip, pool.code
            cells.append(charts.HeatCell(cell.free, cell.capacity, f"?{query.urlencode()}"))
        # A pool's size within the squares: the least of the time asked for says 0 of a new pool.
        size = max((cell.capacity for cell in row.cells), default=pool.capacity)
        note = _("%(count)s cards") % {"count": size}
        rows.append(charts.HeatRow(named(row), tuple(cells), note=note))
    pattern = "%H:%M" if hours <= LONG else "%m-%d"
    starts = [cell.period.start for cell in seen.heat[0].cells] if seen.heat else []
    return {
        "heat_rows": rows,
        "heat_headings": [start.astimezone(centre_zone()).strftime(pattern) for start in starts],
        "heat_day": starts[0] if starts else None,
    }


def _chips(seen: Board) -> list[tuple[str, str]]:
    sold = {row.chip: row.chip_name for row in seen.rows if row.sold}
    return [("", _("Any chip")), *sorted(sold.items(), key=lambda pair: pair[1])]


def _stale_since(seen: Board) -> datetime | None:
    """Since when the oldest answer of a scheduler stands, where one is overdue."""
    stale = [row.synced_at for row in seen.rows if row.sold and row.stale and row.synced_at]
    return min(stale, default=None)


def _search(
    request: ActorRequest, form: ReserveForm, now: datetime
) -> tuple[OfferResult | None, DomainError | None]:
    if not form.is_valid():
        return None, InvalidInput()
    asked = form.cleaned_data
    length = timedelta(hours=asked["hours"])
    slack = timedelta(days=int(asked["flexible_days"] or 0))
    wanted = OfferRequest(
        chip=asked["chip"] or None,
        petaflops=asked["petaflops"],
        cards=asked["cards"],
        seconds=int(length.total_seconds()),
        window=Period(asked["starts_at"], asked["starts_at"] + length + slack),
        budget=asked["budget"],
        flexible=asked["other_chips"] != "no",
    )
    try:
        return find_offers(actor=request.actor, request=wanted, now=now), None
    except InvalidInput as refusal:
        names = {"/window": "starts_at", "/seconds": "hours"}
        add_refusal(form, refusal, names)
        return None, refusal


def _shown(request: HttpRequest, result: OfferResult | None) -> Shown:
    if result is None or not result.offers:
        return Shown(result, None, ())
    wanted = request.GET.get("pool", "")
    chosen = next((one for one in result.offers if one.pool_code == wanted), result.offers[0])
    rows = []
    query = request.GET.copy()
    for offer in result.offers:
        query["pool"] = offer.pool_code
        labels = [LABELS[label] for label in offer.labels]
        rows.append((offer, labels, f"?{query.urlencode()}"))
    return Shown(result, chosen, rows)


def _quote(chosen: Offer | None, account: Standing) -> dict[str, object] | None:
    if chosen is None:
        return None
    left = account.available - chosen.gross
    card_hours = Decimal(chosen.cards * chosen.period.seconds) / 3600
    return {
        "per_card_hour": (chosen.net / card_hours).quantize(Decimal("0.0001")),
        "card_hours": chosen.cards * chosen.period.seconds,
        "left": left,
        "short": left < 0,
        "starts_at": at_centre(chosen.period.start),
        "ends_at": at_centre(chosen.period.end),
    }


def _next_free(request: HttpRequest, refusal: DomainError | None) -> list[tuple[datetime, str]]:
    """When the cards that somebody else took first are free again, each with its search."""
    found = refusal.params.get("next_free", ()) if refusal is not None else ()
    times = []
    query = request.GET.copy()
    for name in ("pool", "cards", "project"):
        if request.POST.get(name):
            query[name] = request.POST[name]
    for start in found if isinstance(found, list | tuple) else ():
        query["starts_at"] = at_centre(start)
        times.append((start, f"?{query.urlencode()}"))
    return times
