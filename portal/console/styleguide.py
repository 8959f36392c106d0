"""Every component on one page, for eyes and for the accessibility test; not in production."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from common.clock import utc_now
from common.errors import DomainError, FieldError
from portal.console import charts
from portal.console.htmx import render_page
from portal.console.navigation import NavigationLink, NavigationSection
from portal.console.statuses import STATUSES
from portal.console.trouble import TROUBLES, trouble
from portal.templatetags.ui import Crumb, Tab, TimelineEntry

NOW = datetime(2026, 11, 22, 5, 32, tzinfo=UTC)


class SampleRefused(DomainError):
    """A refusal with details, as a command raises it."""

    code = "not_enough_capacity"
    status = 409


class SampleBusy(DomainError):
    """A refusal worth trying again."""

    code = "pool_busy"
    status = 503
    retryable = True


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(max_length=20, label="昇腾 910B training, 华东")
    cards = forms.IntegerField(min_value=1, max_value=64, help_text="1–64", label="Cards 卡数")
    pool = forms.ChoiceField(choices=[("a", "Ascend 910B · 512"), ("b", "H20 · 128")], label="Pool")
    topology = forms.ChoiceField(
        choices=[("any", "Any"), ("node", "One node")], widget=forms.RadioSelect, label="Topology"
    )
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False, label="Note")
    flexible = forms.BooleanField(required=False, label="Flexible by ± 2 days")


@require_safe
def components(request: HttpRequest) -> HttpResponse:
    """Every component with sample rows."""
    wrong = SampleForm({"name": "x" * 30, "cards": "0", "pool": "a", "topology": "any"})
    wrong.is_valid()
    return render_page(request, "styleguide/components.html", _context(wrong))


@require_safe
def error_page(request: HttpRequest, status: int) -> HttpResponse:
    """One page of trouble."""
    return trouble(request, status if status in TROUBLES else 404)


def _context(wrong: SampleForm) -> dict[str, object]:
    days = [NOW - timedelta(days=30 - index) for index in range(31)]
    return {
        "navigation": _navigation(),
        "crumbs": [Crumb(_("Home"), "#"), Crumb(_("Deployments"), "#")],
        "tabs": [
            Tab(_("Overview"), "#", current=True),
            Tab(_("Events"), "#", count=12),
            Tab(_("Settings"), "#"),
        ],
        "form": SampleForm(),
        "wrong": wrong,
        "refused": SampleRefused(
            errors=[FieldError("/cards", "too_many", "64 > 24")],
        ),
        "busy": SampleBusy(),
        "states": list(STATUSES),
        "now": NOW,
        "until": utc_now() + timedelta(minutes=9, seconds=41),
        "amount": Decimal("128450.5"),
        "price": Decimal("0.000012"),
        "points": [3, 5, 4, 8, 9, 7, 12, 11, 14, 13, 16],
        "columns": [
            charts.Column(
                f"{at:%m-%d}",
                {"a": 180 + index * 7 % 60, "b": 60 + index * 11 % 50, "c": index * 5 % 40},
            )
            for index, at in enumerate(days)
        ],
        "series": [("a", "Ascend 910B"), ("b", "NVIDIA H20"), ("c", "Hygon K100")],
        "heat_rows": _heat_rows(),
        "heat_headings": [f"{hour:02d}:00" for hour in range(8, 20)],
        "sites": _sites(),
        "steps": _steps(),
        "entries": _entries(),
        "curl": "curl https://gateway.example/v1/chat/completions \\\n"
        '  -H "Authorization: Bearer $KEY" \\\n  -d \'{"model": "qwen3-32b"}\'',
        "rows": [
            ("qwen3-32b-prod", "Qwen3 32B", "ready", 2, Decimal("46.80")),
            ("客服问答", "DeepSeek R1 671B", "starting", 1, Decimal("412.00")),
            ("embed-bge", "BGE M3", "failed", 1, Decimal("3.20")),
            ("nightly-batch", "GLM 4.5 Air", "stopped", 0, Decimal(0)),
        ],
    }


def _navigation() -> list[NavigationSection]:
    rows = [(_("Reserve"), "calendar-plus"), (_("Reservations"), "calendar-event")]
    more = [(_("Catalogue"), "apps"), (_("Deployments"), "rocket"), (_("API keys"), "key")]
    return [
        NavigationSection("", (NavigationLink(_("Home"), "#", "home", current=False),)),
        NavigationSection(
            _("Compute"),
            tuple(NavigationLink(name, "#", icon, current=False) for name, icon in rows),
        ),
        NavigationSection(
            _("Models"),
            tuple(NavigationLink(name, "#", icon, current=icon == "rocket") for name, icon in more),
        ),
    ]


def _heat_rows() -> list[charts.HeatRow]:
    pools = [("Ascend 910B", 512), ("NVIDIA H20", 128)]
    frees: list[list[int | None]] = [
        [512, 448, 320, 320, 256, 128, 64, 0, 0, 96, 256, 512],
        [8, 8, 0, 0, 24, 64, 128, 128, 96, 40, 16, None],
    ]
    return [
        charts.HeatRow(
            name,
            tuple(charts.HeatCell(free, size, "#heat" if free else "") for free in row),
            note=f"{size} · 64 GiB",
        )
        for (name, size), row in zip(pools, frees, strict=True)
    ]


def _sites() -> list[charts.WallSite]:
    cards = ["running"] * 5 + ["free", "reserved", "held"]
    mixed = ["running", "draining", "draining", "failed", "free", "free", "free", "free"]
    racks = [
        charts.WallRack(
            f"A{rack:02d}",
            tuple(
                charts.WallNode(
                    f"ascend-{rack:02d}-{node:02d}",
                    tuple(mixed if (rack + node) % 5 == 0 else cards[node:] + cards[:node]),
                    "#node",
                )
                for node in range(1, 5)
            ),
        )
        for rack in range(1, 5)
    ]
    return [charts.WallSite("上海临港 Lingang", tuple(racks))]


def _steps() -> list[charts.Step]:
    marks = [NOW - timedelta(seconds=seconds) for seconds in (460, 455, 320, 95)]
    return [
        charts.Step(_("Requested"), marks[0], marks[1], "idle"),
        charts.Step(_("Placing"), marks[1], marks[2], "wait", note="2 × 8 cards, rack A03"),
        charts.Step(_("Starting"), marks[2], marks[3], "info"),
        charts.Step(_("Running"), marks[3], None, "ok"),
    ]


def _entries() -> list[TimelineEntry]:
    return [
        TimelineEntry(NOW, _("Confirmed"), "¥128,450.50", "王芳", "ok", "checks"),
        TimelineEntry(
            NOW - timedelta(minutes=7), _("Awaiting approval"), "", "li.wei@example.cn", "wait"
        ),
        TimelineEntry(
            NOW - timedelta(minutes=9), _("Held"), "24 × Ascend 910B", "li.wei@example.cn"
        ),
    ]


urlpatterns = [
    path("", components, name="styleguide"),
    path("trouble/<int:status>/", error_page, name="styleguide-trouble"),
]
