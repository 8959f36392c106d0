"""How amounts, quantities, instants and durations are written, the same on every page."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.zone import centre_zone
from portal.console.context import zone_label

register = template.Library()

SIGNS = {"CNY": "¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "SGD": "S$", "USD": "US$"}
FEWEST_DECIMALS, MOST_DECIMALS = 2, 6
DASH = "—"


@register.filter
def money(value: object, currency: str = "") -> SafeString | str:
    """An amount with its currency and 2 to 6 decimals, never rounded on the way to the reader.

    Takes a Money (``amount`` and ``currency``) or a number with the currency as argument. Digits
    beyond the sixth are dropped from sight towards zero; only the invoice line rounds.
    """
    amount, code = getattr(value, "amount", value), getattr(value, "currency", currency)
    number = _decimal(amount)
    if number is None:
        return DASH
    sign = "−" if number < 0 else ""
    return format_html(
        '<span class="money">{}<span class="currency">{}</span>{}</span>',
        sign,
        SIGNS.get(str(code), f"{code} " if code else ""),
        _grouped(abs(number)),
    )


@register.filter
def quantity(value: object, unit: str = "") -> str:
    """A number with thousands apart, and its unit."""
    number = _decimal(value)
    if number is None:
        return DASH
    text = f"{number:,.0f}" if number == number.to_integral() else f"{number.normalize():,f}"
    text = text.removesuffix(".0").replace("-", "−")
    return f"{text} {unit}" if unit else text


@register.filter
def card_hours(card_seconds: object) -> str:
    """Card-seconds as card-hours, to the second decimal, cut and never rounded up."""
    seconds = _decimal(card_seconds)
    if seconds is None:
        return DASH
    hundredths = int(seconds * 100 // 3600)
    return f"{Decimal(hundredths) / 100:,.2f}"


@register.filter
def compact(value: object) -> str:
    """A large count in few characters, 18.1M; for tiles and axes, where the exact one is near."""
    number = _decimal(value)
    if number is None:
        return DASH
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**4, "k")):
        if abs(number) >= size:
            divisor = 1000 if letter == "k" else size
            return f"{number / divisor:,.1f}".removesuffix(".0") + letter
    return quantity(number)


@register.filter
def percent(value: object, decimals: int = 0) -> str:
    """A share of one as a percentage."""
    number = _decimal(value)
    return DASH if number is None else f"{number * 100:.{decimals}f}%"


@register.filter
def instant(value: datetime | None) -> SafeString | str:
    """A moment as ``YYYY-MM-DD HH:mm`` at the centre, with the zone; the tooltip gives UTC."""
    if value is None:
        return DASH
    return _time_tag(value, "%Y-%m-%d %H:%M")


@register.filter
def instant_seconds(value: datetime | None) -> SafeString | str:
    """A moment to the second, for logs and audit."""
    if value is None:
        return DASH
    return _time_tag(value, "%Y-%m-%d %H:%M:%S")


@register.filter
def day(value: datetime | None) -> str:
    """The centre's calendar day of a moment."""
    return DASH if value is None else f"{_at_centre(value):%Y-%m-%d}"


@register.filter
def month(value: datetime | None) -> str:
    """The centre's calendar month of a moment, in the reader's words."""
    return DASH if value is None else date_format(_at_centre(value), "YEAR_MONTH_FORMAT")


@register.filter
def duration(value: timedelta | int | None) -> str:
    """A length of time in its two largest units."""
    if value is None:
        return DASH
    seconds = int(value.total_seconds()) if isinstance(value, timedelta) else int(value)
    parts = [
        (seconds // 86400, _days),
        (seconds % 86400 // 3600, _hours),
        (seconds % 3600 // 60, _minutes),
        (seconds % 60, _seconds),
    ]
    told = [words(number) for number, words in parts if number]
    return " ".join(told[:2]) or _seconds(0)


@register.filter
def ago(value: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in one unit; ``now`` comes from the view."""
    if value is None:
        return DASH
    seconds = max(0, int(((now or datetime.now(UTC)) - value).total_seconds()))
    if seconds < 60:
        return _("just now")
    for size, words in ((86400, _days), (3600, _hours), (60, _minutes)):
        if seconds >= size:
            return _("%(time)s ago") % {"time": words(seconds // size)}
    return _("just now")


def _days(number: int) -> str:
    return ngettext("%(number)d day", "%(number)d days", number) % {"number": number}


def _hours(number: int) -> str:
    return _("%(number)d h") % {"number": number}


def _minutes(number: int) -> str:
    return _("%(number)d min") % {"number": number}


def _seconds(number: int) -> str:
    return _("%(number)d s") % {"number": number}


def _at_centre(value: datetime) -> datetime:
    return value.astimezone(centre_zone())


def _time_tag(value: datetime, pattern: str) -> SafeString:
    at_utc = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{} <span class="zone">{}</span></time>',
        at_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        at_utc.strftime("%Y-%m-%d %H:%M:%S"),
        _at_centre(value).strftime(pattern),
        zone_label(value),
    )


def _decimal(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _grouped(number: Decimal) -> str:
    whole, _point, fraction = f"{number:f}".partition(".")
    fraction = fraction[:MOST_DECIMALS].rstrip("0").ljust(FEWEST_DECIMALS, "0")
    return f"{int(whole):,}.{fraction}"
