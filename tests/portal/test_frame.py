"""The frame around every page: fragments, navigation, preferences, trouble and vendored files."""

import hashlib
import re
from pathlib import Path

import pytest
from django.http import HttpRequest
from django.template import engines
from django.test import Client, RequestFactory
from django.utils.translation import override

from common.errors import DomainError
from portal.console.htmx import render_fragment, render_page, wants_fragment
from portal.console.navigation import (
    OPERATOR_NAVIGATION,
    TENANT_NAVIGATION,
    NavigationGroup,
    NavigationItem,
    address_of,
    sections_for,
)
from portal.console.trouble import TROUBLES, trouble
from tenants.permissions import MEMBER_ROLES, Permission

ROOT = Path(__file__).resolve().parent.parent.parent
VENDORS = [ROOT / "portal/static/vendor", ROOT / "tests/portal/vendor"]
SPRITE = ROOT / "portal/static/vendor/tabler-icons-3.48.0.svg"
PAGE = "styleguide/components.html"


class Busy(DomainError):
    code = "busy"
    status = 503


def _request(**headers: str) -> HttpRequest:
    return RequestFactory().get("/", headers=headers)


def test_htmx_asks_for_a_fragment_and_a_browser_or_a_history_restore_for_the_page() -> None:
    assert wants_fragment(_request(**{"HX-Request": "true"}))
    assert not wants_fragment(_request())
    assert not wants_fragment(
        _request(**{"HX-Request": "true", "HX-History-Restore-Request": "true"})
    )
    assert not wants_fragment(_request(**{"HX-Request": "true", "HX-Request-Type": "full"}))


def test_a_refusal_is_the_same_fragment_with_the_refusals_status() -> None:
    answer = render_fragment(_request(), "components/_refusal.html", {}, Busy())
    assert answer.status_code == 503
    assert 'data-code="busy"' in answer.content.decode()
    assert answer["Vary"] == "HX-Request"


def test_a_page_without_refusal_is_200_and_varies_too() -> None:
    answer = render_page(_request(), "components/_refusal.html", {}, partial="row")
    assert (answer.status_code, answer["Vary"]) == (200, "HX-Request")
    assert answer.content.decode().strip() == ""


def test_a_partial_is_found_by_its_name_inside_its_page() -> None:
    django = engines["django"]
    source = (
        "{% load partials %}<p>{% partialdef row inline %}<b>{{ x }}</b>{% endpartialdef %}</p>"
    )
    assert django.from_string(source).render({"x": 1}) == "<p><b>1</b></p>"
    loader = django.engine.template_loaders[0]
    assert type(loader).__module__ == "template_partials.loader"


def test_the_navigation_shows_what_the_role_may_follow_and_marks_the_current_page() -> None:
    groups = (
        NavigationGroup("A", (NavigationItem("x", "set-theme", "x", Permission.KEY_MANAGE),)),
        NavigationGroup("B", (NavigationItem("y", "set-language", "y"),)),
    )
    sections = sections_for(groups, permissions=MEMBER_ROLES["viewer"], path="/i18n/setlang")
    assert [(section.label, section.links[0].current) for section in sections] == [("B", True)]


def test_every_row_of_the_navigation_has_a_page() -> None:
    missing = {
        item.url_name
        for groups, tenant in ((TENANT_NAVIGATION, "acme"), (OPERATOR_NAVIGATION, ""))
        for group in groups
        for item in group.items
        if not address_of(item, tenant)
    }
    assert missing == set()


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    symbols = set(re.findall(r'<symbol id="([^"]+)"', SPRITE.read_text()))
    named = {
        item.icon
        for groups in (TENANT_NAVIGATION, OPERATOR_NAVIGATION)
        for group in groups
        for item in group.items
    }
    assert named <= symbols


def test_a_theme_is_kept_and_a_forged_one_refused(client: Client) -> None:
    kept = client.post("/i18n/theme", {"theme": "dark", "next": "/_styleguide/"})
    assert (kept.status_code, kept["Location"]) == (302, "/_styleguide/")
    assert kept.cookies["theme"].value == "dark"
    assert kept.cookies["theme"]["httponly"]
    assert client.post("/i18n/theme", {"theme": "pink"}).status_code == 400
    assert client.get("/i18n/theme").status_code == 405
    away = client.post("/i18n/theme", {"theme": "", "next": "https://evil.example/"})
    assert away["Location"] == "/"
    assert away.cookies["theme"].value == ""


@pytest.mark.parametrize("status", TROUBLES)
def test_a_page_of_trouble_speaks_both_languages_and_names_the_request(status: int) -> None:
    with override("en"):
        page = trouble(_request(**{"X-Request-ID": "req-<1>"}), status)
    text = page.content.decode()
    assert page.status_code == status
    assert '<html lang="en"' in text
    assert 'lang="zh-Hans"' in text
    assert "req-&lt;1&gt;" in text


def test_an_unknown_address_gets_the_products_own_page(client: Client) -> None:
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert "trouble-code" in answer.content.decode()


@pytest.mark.parametrize("folder", VENDORS, ids=lambda folder: folder.parent.name)
def test_vendored_files_are_exactly_those_of_the_lock(folder: Path) -> None:
    rows = [
        line.split()
        for line in (folder / "VENDOR.lock").read_text().splitlines()
        if not line.startswith("#")
    ]
    on_disk = {path.name for path in folder.iterdir()} - {"VENDOR.lock"}
    assert {row[0] for row in rows} == on_disk
    for name, _package, _version, _licence, digest in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_no_template_carries_inline_style_or_script() -> None:
    wrong = [
        str(path)
        for path in (ROOT / "templates").rglob("*.html")
        if re.search(r"\sstyle=|<style|\son\w+=|hx-on|js:|<script(?![^>]*src=)", path.read_text())
    ]
    assert wrong == []
