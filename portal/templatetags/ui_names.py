"""Names that exist in both languages, in the reader's."""

from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from portal.console.wording import (
    ANSWERS,
    EVENT_KINDS,
    PRICE_MODELS,
    PRICE_PARTS,
    SERVICE_CLASSES,
    WORDS,
)
from portal.templatetags.ui import badge

register = template.Library()


@register.filter
def named(value: Any, field: str = "name") -> str:  # anything with <field>_en and <field>_zh
    """The name of a thing in the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    first, second = ("zh", "en") if chinese else ("en", "zh")
    told = getattr(value, f"{field}_{first}", "") or getattr(value, f"{field}_{second}", "")
    return str(told)


@register.simple_tag
def fit_badge(answer: str) -> SafeString:
    """Whether an appliance fits, as icon, word and colour."""
    word, tone, icon_name = ANSWERS[str(answer)]
    return badge(word, tone, icon_name)


@register.simple_tag
def event_kind(kind: str) -> SafeString:
    """What kind of event a difference comes from; nothing for one of use itself."""
    if kind not in EVENT_KINDS:
        return SafeString()
    word, tone, icon_name = EVENT_KINDS[kind]
    return badge(word, tone, icon_name)


@register.filter
def dimension(value: str, name: str) -> str | Promise:
    """A dimension's value, in words where it is a code of ours."""
    return SERVICE_CLASSES.get(value, value) if name == "service_class" else value


@register.filter
def plainly(value: object) -> str:
    """A detail of the audit trail; a list is its parts, and a dash without any."""
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "—"
    return str(value)


@register.filter
def word(code: str, kind: str) -> str | Promise:
    """What a code is called: ``kind`` is actor, area, budget, capacity, category or rule."""
    return WORDS[kind].get(str(code), str(code))


@register.filter
def price_model(code: str) -> str | Promise:
    """How a price model is called."""
    return PRICE_MODELS.get(code, code)


@register.filter
def price_part(code: str) -> str | Promise:
    """What of a price differs, in words."""
    return PRICE_PARTS.get(code, code)
