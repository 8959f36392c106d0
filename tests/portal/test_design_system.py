"""The component set in a real browser: accessible, within the policy, and never wider than it."""

import threading
from collections.abc import Iterator

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from tenants.models import User
from tests.portal.browser import WAYS, Way, chromium, seen, watched
from tests.portal.site import served

pytestmark = pytest.mark.browser

PUBLIC = ["/_styleguide/", "/accounts/login/", "/accounts/password/reset/"]
TROUBLE = [400, 403, 404, 429, 500, 503]
SIGNED_IN = [
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/password/change/",
    "/accounts/email/",
    "/accounts/logout/",
]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The site on a free port, with no database allowed: the frame itself asks it nothing."""
    with served(WSGIHandler()) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_public_page_is_fit_to_be_seen(site: str, browser: Browser, way: Way) -> None:
    for address in PUBLIC:
        with seen(browser, way, site) as context:
            assert (address, watched(context, site + address).check()) == (address, [])


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_open_menu_table_and_dialog_is_fit_to_be_seen(
    site: str, browser: Browser, way: Way
) -> None:
    with seen(browser, way, site) as context:
        opened = watched(context, f"{site}/_styleguide/")
        for table in opened.page.locator("details.plot-data > summary").all():
            table.click()
        opened.page.locator("details.menu > summary").last.click()
        assert opened.check() == []
        opened.page.keyboard.press("Escape")
        opened.page.locator("[data-dialog=stop]").click()
        assert opened.page.locator("dialog#stop").is_visible()
        assert opened.check() == []
        opened.page.get_by_role("button", name="qwen3-32b-prod").or_(
            opened.page.locator("[data-dialog-close]")
        ).first.click()
        assert not opened.page.locator("dialog#stop").is_visible()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_apis_page_is_no_wider_than_a_telephone(
    site: str, browser: Browser, language: str
) -> None:
    with seen(browser, Way("light", 390, language), site) as context:
        assert watched(context, f"{site}/docs/api/").at_a_glance() == []


@pytest.mark.parametrize("way", [WAYS[0], WAYS[-1]], ids=str)
def test_every_page_of_trouble_is_fit_to_be_seen(site: str, browser: Browser, way: Way) -> None:
    for status in TROUBLE:
        with seen(browser, way, site) as context:
            page = watched(context, f"{site}/_styleguide/trouble/{status}/")
            # Chromium itself reports the document's own status as an error.
            found = [told for told in page.check() if "Failed to load resource" not in told]
            assert (status, found) == (status, [])


def test_the_navigation_opens_on_a_telephone_and_escape_closes_it(
    site: str, browser: Browser
) -> None:
    with seen(browser, Way("light", 390, "en"), site) as context:
        opened = watched(context, f"{site}/_styleguide/")
        rail = opened.page.locator("#site-nav")
        assert not rail.is_visible()
        opened.page.locator("[data-rail-open]").click()
        assert rail.is_visible()
        assert opened.check() == []
        opened.page.keyboard.press("Escape")
        assert not rail.is_visible()


def test_theme_and_language_are_kept_by_forms_and_come_back_to_the_page(
    site: str, browser: Browser
) -> None:
    with seen(browser, Way("light", 1440, "en"), site) as context:
        page = watched(context, f"{site}/_styleguide/?page=2").page
        menu = page.locator("details.menu > summary").last
        menu.click()
        page.locator("button[name=theme][value=dark]").click()
        page.wait_for_load_state()
        assert page.locator("html").get_attribute("data-bs-theme") == "dark"
        page.locator("details.menu > summary").last.click()
        page.locator("button[name=language][value=zh-hans]").click()
        page.wait_for_load_state()
        assert page.locator("html").get_attribute("lang") == "zh-Hans"
        assert page.url == f"{site}/_styleguide/?page=2"


def test_the_dialog_opens_without_javascript(site: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/_styleguide/")
    page.locator("[data-dialog=stop]").click()
    assert page.locator("dialog#stop button").is_visible()
    context.close()


def test_a_first_view_weighs_little(site: str, browser: Browser) -> None:
    with seen(browser, Way("light", 1440, "en"), site) as context:
        page = context.new_page()
        fetched: list[str] = []
        page.on("request", lambda request: fetched.append(request.url.removeprefix(site)))
        page.goto(f"{site}/_styleguide/")
        assert sorted({url for url in fetched if url.endswith((".js", ".css"))}) == [
            "/static/portal/portal.css",
            "/static/portal/portal.js",
            "/static/vendor/htmx-4.0.1.min.js",
            "/static/vendor/tabler-1.6.1.min.css",
        ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", [WAYS[0], WAYS[3], WAYS[5], WAYS[6]], ids=str)
def test_every_page_of_an_account_is_fit_to_be_seen(
    live_server: LiveServer, client: Client, way: Way
) -> None:
    user = User.objects.create_user(email="alice@example.cn", password="correct horse battery")
    client.force_login(user)
    session = client.cookies["sessionid"].value
    found = _account_pages(live_server.url, session, way)
    assert found == {address: [] for address in SIGNED_IN}


def _account_pages(site: str, session: str, way: Way) -> dict[str, list[str]]:
    # The module's browser keeps a loop in its thread, in which Django refuses to clean the
    # database; a thread of its own spares the test's.
    found: dict[str, list[str]] = {}

    def look() -> None:
        with chromium() as own, seen(own, way, site) as context:
            context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
            for address in SIGNED_IN:
                found[address] = watched(context, site + address).check()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found
