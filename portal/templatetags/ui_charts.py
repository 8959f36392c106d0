"""Charts as server-drawn SVG: attributes only, a title, and the numbers beside them as a table."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django import template
from django.template.loader import render_to_string
from django.utils.functional import Promise

from portal.console import charts

register = template.Library()
Text = str | Promise


@register.inclusion_tag("components/_sparkline.html")
def sparkline(points: Sequence[charts.Number], label: Text, tone: str = "") -> dict[str, object]:
    """A tiny line from zero; its numbers stand near it, so it needs no table."""
    return {"line": charts.line(points), "label": label, "tone": tone}


@register.inclusion_tag("components/_stacked_bars.html")
def stacked_bars(
    columns: Sequence[charts.Column],
    series: Sequence[tuple[str, Text]],
    label: Text,
    unit: Text = "",
    column_heading: Text = "",
    mark: Decimal | None = None,
    mark_label: Text = "",
) -> dict[str, object]:
    """Stacked columns, one per day; a single series is a plain bar chart.

    ``mark`` is a value drawn across the columns, named beside the series.
    """
    return {
        "bars": charts.stacked(columns, series, mark=mark or None),
        "mark_label": mark_label,
        "rows": [
            (column, [column.parts.get(key, 0) for key, _label in series]) for column in columns
        ],
        "label": label,
        "unit": unit,
        "column_heading": column_heading,
    }


@register.inclusion_tag("components/_heat_map.html")
def heat_map(
    rows: Sequence[charts.HeatRow], headings: Sequence[Text], label: Text, corner: Text = ""
) -> dict[str, object]:
    """Free cards by pool and time, as a real table."""
    return {"rows": rows, "headings": headings, "label": label, "corner": corner}


@register.inclusion_tag("components/_capacity_wall.html")
def capacity_wall(sites: Sequence[charts.WallSite], label: Text) -> dict[str, object]:
    """Every card of the centre: site, rack, node, card.

    A thousand nodes look a few dozen ways, so each look is drawn once.
    """
    nodes = [node for site in sites for rack in site.racks for node in rack.nodes]
    drawings = {
        cards: render_to_string(
            "components/_wall_node.html",
            {"drawing": charts.node_drawing(charts.WallNode("", cards))},
        )
        for cards in {node.cards for node in nodes}
    }
    drawn = [
        (
            site,
            [(rack, [(node, drawings[node.cards]) for node in rack.nodes]) for rack in site.racks],
        )
        for site in sites
    ]
    samples = [
        (state, charts.node_drawing(charts.WallNode(state, (state,))))
        for state in ("free", "held", "reserved", "running", "draining", "failed", "unknown")
    ]
    return {"sites": drawn, "samples": samples, "label": label}


@register.inclusion_tag("components/_step_timeline.html")
def step_timeline(steps: Sequence[charts.Step], now: datetime, label: Text) -> dict[str, object]:
    """What something went through, how long each took, and why it waited."""
    return {"bar": charts.step_bar(steps, now), "label": label, "now": now}
