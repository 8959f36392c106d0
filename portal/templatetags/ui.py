"""The console's components as template tags; ``docs/components.md`` shows each with its call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import template
from django.conf import settings
from django.forms import BaseForm, BoundField, CheckboxInput, FileInput, RadioSelect, Select
from django.forms.widgets import CheckboxSelectMultiple
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.console.statuses import look_of

register = template.Library()
Text = str | Promise

SPRITE = "vendor/tabler-icons-3.48.0.svg"
ALERT_ICONS = {
    "ok": "circle-check",
    "info": "info-circle",
    "wait": "alert-triangle",
    "bad": "alert-octagon",
}


@dataclass(frozen=True)
class Crumb:
    """One step of the way to a page; the page itself is not one."""

    label: Text
    href: str


@dataclass(frozen=True)
class Tab:
    """One tab, which is a link: each tab has its own address."""

    label: Text
    href: str
    current: bool = False
    count: int | None = None


@dataclass(frozen=True)
class TimelineEntry:
    """Something that happened; ``tone`` as in the statuses."""

    at: datetime
    title: Text
    text: Text = ""
    actor: Text = ""
    tone: str = "idle"
    icon: str = "circle"


@register.simple_tag
def sprite(name: str) -> str:
    """The address of an icon, for an ``<svg>`` that needs classes of its own."""
    return f"{static(SPRITE)}#{name}"


@register.simple_tag
def icon(name: str, label: Text = "") -> SafeString:
    """An icon of the sprite; without a label it is decoration and hidden from readers."""
    href = sprite(name)
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)


@register.simple_tag
def status(state: str, word: Text = "") -> SafeString:
    """A state as icon, word and colour."""
    look = look_of(str(state))
    return format_html(
        '<span class="status-badge tone-{}">{}<span>{}</span></span>',
        look.tone,
        icon(look.icon),
        word or look.word,
    )


@register.simple_tag
def badge(word: Text, tone: str = "idle", icon_name: str = "") -> SafeString:
    """A word in a tone, for what is a property rather than a state."""
    picture = icon(icon_name) if icon_name else ""
    return format_html(
        '<span class="status-badge tone-{}">{}<span>{}</span></span>', tone, picture, word
    )


@register.simple_block_tag
def page_header(
    content: SafeString,
    title: Text,
    subtitle: Text = "",
    crumbs: Sequence[Crumb] = (),
    state: str = "",
    word: Text = "",
) -> str:
    """The page's h1, its way, its state, and its actions as the block's content."""
    return render_to_string(
        "components/_page_header.html",
        {
            "title": title,
            "subtitle": subtitle,
            "crumbs": crumbs,
            "state": state,
            "word": word,
            "actions": content if content.strip() else "",
        },
    )


@register.simple_block_tag
def card(
    content: SafeString,
    title: Text = "",
    subtitle: Text = "",
    id: str = "",  # noqa: A002 - the attribute's own name reads best in a template
    flush: bool = False,  # noqa: FBT001, FBT002 - keyword in every template
    href: str = "",
    href_label: Text = "",
) -> str:
    """A titled surface; ``flush`` lets a table reach its edges, ``href`` is the way to more."""
    return render_to_string(
        "components/_card.html",
        {
            "title": title,
            "subtitle": subtitle,
            "id": id,
            "flush": flush,
            "href": href,
            "href_label": href_label,
            "body": content,
        },
    )


@register.inclusion_tag("components/_tile.html")
def tile(
    label: Text,
    value: Any,  # anything a template can print: a number, money, a filtered string
    unit: Text = "",
    hint: Text = "",
    tone: str = "",
    href: str = "",
    points: Sequence[float] = (),
) -> dict[str, object]:
    """One number that matters, with what it means; ``points`` adds a sparkline."""
    return {
        "label": label,
        "value": value,
        "unit": unit,
        "hint": hint,
        "tone": tone,
        "href": href,
        "points": points,
    }


@register.simple_block_tag
def table_frame(content: SafeString, label: Text, rows: int | None = None) -> str:
    """A scrolling region around a ``<table class="sheet">``, so that the page never scrolls."""
    return render_to_string(
        "components/_table_frame.html", {"label": label, "body": content, "rows": rows}
    )


@register.inclusion_tag("components/_pagination.html", takes_context=True)
def pagination(
    context: template.Context, next_cursor: str | None, previous_cursor: str | None = None
) -> dict[str, object]:
    """Links to the neighbouring pages of a keyset, keeping the rest of the query."""
    return {
        "request": context.get("request"),
        "next_cursor": next_cursor,
        "previous_cursor": previous_cursor,
    }


@register.inclusion_tag("components/_empty_state.html")
def empty_state(
    title: Text,
    text: Text = "",
    icon_name: str = "circle-dashed",
    href: str = "",
    action: Text = "",
) -> dict[str, object]:
    """Why there is nothing here, and the one next step the viewer may take."""
    return {"title": title, "text": text, "icon_name": icon_name, "href": href, "action": action}


@register.simple_tag(takes_context=True)
def field(
    context: template.Context,
    bound: BoundField,
    autofocus: bool = False,  # noqa: FBT001, FBT002
) -> str:
    """A form field with its label, help and error, tied together for screen readers.

    Shape: beside an amount's label stands the page's ``currency``.
    """
    widget = bound.field.widget
    choices = isinstance(widget, RadioSelect | CheckboxSelectMultiple)
    is_check = isinstance(widget, CheckboxInput)
    attributes: dict[str, str | bool] = {}
    if not choices:
        names = [_field_class(widget), str(widget.attrs.get("class", ""))]
        names += ["is-invalid"] if bound.errors else []
        attributes["class"] = " ".join(name for name in names if name)
    if autofocus:
        attributes["autofocus"] = True
    return render_to_string(
        "components/_field.html",
        {
            "field": bound,
            "control": bound.as_widget(attrs=attributes),
            "is_check": is_check,
            "is_group": choices,
            "currency": context.get("currency") if hasattr(bound.field, "is_money") else "",
        },
    )


def _field_class(widget: object) -> str:
    if isinstance(widget, CheckboxInput):
        return "form-check-input"
    if isinstance(widget, Select):
        return "form-select"
    return "form-control" if not isinstance(widget, FileInput) else "form-control form-file"


@register.inclusion_tag("components/_error_summary.html")
def error_summary(form: BaseForm) -> dict[str, object]:
    """Every error of a form at its head, each a link to its field; takes the focus."""
    return {"form": form, "fields": [bound for bound in form if bound.errors]}


@register.simple_tag
def idem_field(value: str = "") -> SafeString:
    """A hidden key made once per rendering, so that a double submit is one request."""
    return format_html('<input type="hidden" name="idem" value="{}">', value or uuid4())


@register.simple_block_tag
def alert(content: SafeString, tone: str = "info", title: Text = "") -> str:
    """A notice in the page; bad news is announced at once, the rest politely."""
    return render_to_string(
        "components/_alert.html",
        {"tone": tone, "title": title, "body": content, "icon_name": ALERT_ICONS[tone]},
    )


@register.inclusion_tag("components/_refusal.html", takes_context=True)
def refusal(context: template.Context, error: object | None = None) -> dict[str, object]:
    """What was refused, why, under which code; nothing where nothing was."""
    shell = context.get("shell")
    return {
        "refusal": error if error is not None else context.get("refusal"),
        "request_id": getattr(shell, "request_id", ""),
    }


@register.inclusion_tag("components/_countdown.html")
def countdown(until: datetime, done: Text = "") -> dict[str, object]:
    """The time left, counted by the browser; without JavaScript the instant itself."""
    return {"until": until, "done": done}


@register.inclusion_tag("components/_snippet.html")
def snippet(text: str, label: Text = "", id: str = "") -> dict[str, object]:  # noqa: A002
    """Text to copy: a command, an address, a key shown once."""
    return {
        "text": text,
        "label": label,
        "id": id or f"snippet-{uuid4().hex[:8]}",
        "multiline": "\n" in text,
    }


@register.inclusion_tag("components/_timeline.html")
def timeline(entries: Sequence[TimelineEntry]) -> dict[str, object]:
    """What happened, newest first as given."""
    return {"entries": entries}


@register.simple_block_tag
def datagrid(content: SafeString, columns: int = 3) -> SafeString:
    """Facts about one thing; fill it with ``{% datum %}``."""
    return format_html('<dl class="facts facts-{}">{}</dl>', columns, content)


@register.simple_block_tag
def datum(content: SafeString, label: Text) -> SafeString:
    """One fact: a label and its value."""
    return format_html(
        "<div><dt>{}</dt><dd>{}</dd></div>", label, content if content.strip() else "—"
    )


@register.inclusion_tag("components/_progress.html")
def progress(
    value: int, maximum: int, label: Text, tone: str = "", shown: Text = ""
) -> dict[str, object]:
    """How much of a whole is taken; ``shown`` replaces the percentage in words.

    Without a ``tone`` a full whole is bad, as of a pool's cards; where it is the aim, say "ok".
    """
    percent = round(100 * value / maximum) if maximum else 0
    return {
        "value": min(value, maximum),
        "maximum": maximum or 1,
        "percent": percent,
        "label": label,
        "tone": tone or ("bad" if percent >= 100 else "wait" if percent >= 80 else ""),
        "shown": shown,
    }


@register.inclusion_tag("components/_budget_meter.html")
def budget_meter(percent: int, label: Text, shown: Text = "") -> dict[str, object]:
    """How much of a budget is spent, on a scale with the thresholds that are told."""
    return {
        "value": max(0, min(percent, 100)),
        "percent": percent,
        "label": label,
        "tone": "bad" if percent >= 100 else "wait" if percent >= 80 else "",
        "shown": shown,
    }


@register.inclusion_tag("components/_tabs.html")
def tabs(items: Sequence[Tab], label: Text) -> dict[str, object]:
    return {"items": items, "label": label}


@register.simple_block_tag(takes_context=True)
def confirm(
    context: template.Context,
    content: SafeString,
    id: str,  # noqa: A002
    action: str,
    button: Text,
    title: Text,
    icon_name: str = "",
    typed: str = "",
    danger: bool = True,  # noqa: FBT001, FBT002
    target: str = "",
    small: bool = False,  # noqa: FBT001, FBT002
) -> str:
    """A button that asks before it posts; the content says what will happen.

    ``typed`` must be written out first; ``target`` posts by htmx and replaces that element. The
    dialog opens without JavaScript too.
    """
    return render_to_string(
        "components/_confirm.html",
        {
            "id": id,
            "action": action,
            "button": button,
            "title": title,
            "icon_name": icon_name,
            "typed": typed,
            "danger": danger,
            "target": target,
            "small": small,
            "body": content,
        },
        request=context.get("request"),
    )


@register.simple_tag
def card_state_word(state: str) -> Text:
    """What a card's state is called, as in its badge."""
    return look_of(state).word


@register.simple_tag
def centre_zone() -> str:
    """The zone every instant of the console is shown in."""
    return settings.CENTRE_TIME_ZONE


@register.filter
def item(mapping: Mapping[str, object], key: str) -> object:
    """The value under a key that is only known while rendering."""
    return mapping.get(key)
