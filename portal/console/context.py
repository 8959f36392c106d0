"""What every page's frame needs to know, beside what the view passes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.money import CURRENCY
from common.clock import utc_now
from common.zone import centre_zone
from portal.console.navigation import (
    OPERATOR_NAVIGATION,
    TENANT_NAVIGATION,
    NavigationSection,
    sections_for,
)
from portal.console.preferences import theme_of
from tenants.audit import request_id
from tenants.permissions import Permission


@dataclass(frozen=True)
class Choice:
    """One entry of the language or theme menu."""

    code: str
    name: str | Promise
    icon: str
    current: bool


@dataclass(frozen=True)
class TenantChoice:
    """One entry of the tenant switcher."""

    code: str
    name: str
    href: str
    current: bool


@dataclass(frozen=True)
class Shell:
    """The frame around a page.

    Shape: ``theme`` is empty while the viewer follows the device; ``zone_label`` reads "UTC+8".
    """

    theme: str
    themes: tuple[Choice, ...]
    language: str
    languages: tuple[Choice, ...]
    zone_label: str
    request_id: str
    here: str


def shell(request: HttpRequest) -> Mapping[str, object]:
    """Context processor: the frame, and the navigation of whichever console this is.

    Reads what the tenancy middleware put on the request, where it did: ``actor``, ``tenant`` (an
    object with ``code`` and ``name``) and ``tenant_choices`` (pairs of code and name).
    """
    theme = theme_of(request)
    frame = Shell(
        theme=theme,
        themes=tuple(
            Choice(code, name, icon, current=theme == code) for code, name, icon in _THEMES
        ),
        language=_html_language(),
        languages=tuple(
            Choice(code, _OWN_NAMES.get(code, name), "language", current=get_language() == code)
            for code, name in settings.LANGUAGES
        ),
        zone_label=zone_label(utc_now()),
        request_id=request_id.get() or request.headers.get("X-Request-ID", "")[:64],
        here=request.get_full_path(),
    )
    return {
        "shell": frame,
        "navigation": _navigation(request),
        "tenant": getattr(request, "tenant", None),
        "arrears": getattr(request, "arrears", None),
        # Views of operators say theirs where it is not the centre's own.
        "currency": getattr(getattr(request, "account", None), "currency", CURRENCY),
        "may_pay": _may(request, Permission.WALLET_READ),
        "tenant_choices": _tenant_choices(request),
    }


def _may(request: HttpRequest, permission: Permission) -> bool:
    actor = getattr(request, "actor", None)
    return actor is not None and permission in actor.permissions


def zone_label(at: datetime) -> str:
    """The centre's distance from UTC at an instant, as readers of either language know it."""
    offset = at.astimezone(centre_zone()).utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes >= 0 else "−"
    return f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")


# A language is listed in its own words, so that a reader lost in the other one finds it.
_OWN_NAMES = {"zh-hans": "简体中文", "en": "English"}
_THEMES = (
    ("", _("Same as device"), "device-desktop"),
    ("light", _("Light"), "sun"),
    ("dark", _("Dark"), "moon"),
)


def _html_language() -> str:
    return "zh-Hans" if (get_language() or "").startswith("zh") else "en"


def _navigation(request: HttpRequest) -> tuple[NavigationSection, ...]:
    actor = getattr(request, "actor", None)
    if actor is None:
        return ()
    tenant = getattr(request, "tenant", None)
    if tenant is not None:
        return sections_for(
            TENANT_NAVIGATION,
            permissions=actor.permissions,
            path=request.path,
            tenant_code=tenant.code,
        )
    return sections_for(OPERATOR_NAVIGATION, permissions=actor.permissions, path=request.path)


def _tenant_choices(request: HttpRequest) -> tuple[TenantChoice, ...]:
    tenant = getattr(request, "tenant", None)
    return tuple(
        TenantChoice(
            code,
            name,
            reverse("console:home", args=[code]),
            current=tenant is not None and tenant.code == code,
        )
        for code, name in getattr(request, "tenant_choices", ())
    )
