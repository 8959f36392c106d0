"""The tenant console in a real browser: reserve, race, deploy, keys, and every page looked at."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, expect

from appliances.models import Deployment
from billing.models import Invoice
from compute.models import Reservation
from tenants.scoping import operator_scope
from tests.factories import console
from tests.factories.console import Console
from tests.portal.browser import THOROUGH, WAYS, Way, seen, watching
from tests.portal.site import ClosingHandler, browser_beside_rows, served
from tests.portal.site import sign_in as site_sign_in

pytestmark = pytest.mark.browser

PLAIN = Way("light", 1440, "en")
CORE = ("", "reserve/?chip=nvidia-h20&cards=2", "deploy/small-chat/")


@pytest.fixture(scope="module")
def centre(django_db_setup: None, django_db_blocker: Any) -> Iterator[Console]:
    """A furnished tenant whose rows are committed, for other threads to see; cleaned up after."""
    with django_db_blocker.unblock():
        console.centre()
        yield console.furnished()
        connections.close_all()
        call_command("flush", interactive=False, verbosity=0, database="owner")


@pytest.fixture(autouse=True)
def database(centre: Console, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served(ClosingHandler()) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_beside_rows() as opened:
        yield opened


def sign_in(context: BrowserContext, site: str, who: Console, role: str = "owner") -> None:
    site_sign_in(context, site, who.people[role])


def opened(context: BrowserContext, site: str, who: Console, rest: str = "") -> Page:
    page = context.new_page()
    page.goto(site + who.path(rest), wait_until="load")
    return page


def count(who: Console, model: Any) -> int:
    with operator_scope():
        return int(model.objects.filter(tenant_id=who.id).count())


def addresses(who: Console) -> list[str]:
    with operator_scope():
        reservations = [
            f"reservations/{one.pk}/" for one in Reservation.objects.filter(tenant_id=who.id)[:3]
        ]
        deployments = [
            f"deployments/{Deployment.objects.get(tenant_id=who.id, name=name).pk}/"
            for name in ("chat", "nightly", "starting-now")
        ]
        invoice = Invoice.objects.get(tenant_id=who.id).pk
    return [
        "",
        "reserve/?chip=nvidia-h20&cards=2",
        "reserve/?cards=0",
        "reservations/",
        *reservations,
        "catalogue/",
        "catalogue/qa-standard/",
        "deploy/small-chat/",
        "deployments/",
        *deployments,
        "usage/?meter=appliances.tokens_in&by=model",
        "invoices/",
        f"invoices/{invoice}/",
        f"invoices/{invoice}/lines/1/",
        "wallet/",
        "keys/",
        "members/",
        "projects/",
        "audit/",
    ]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_page_is_fit_to_be_seen(
    site: str, browser: Browser, centre: Console, way: Way
) -> None:
    wrong = {}
    with seen(browser, way, site) as context:
        sign_in(context, site, centre)
        looked = watching(context, site)
        for rest in addresses(centre):
            looked.go(site + centre.path(rest))
            assert looked.page.locator("main h1").count() == 1, rest
            thorough = way in THOROUGH or rest in CORE
            found = looked.check() if thorough else looked.at_a_glance()
            told = [one for one in found if "Failed to load resource" not in one]
            if told:
                wrong[rest] = told
    assert wrong == {}


def test_cards_are_reserved_in_five_interactions_at_the_price_shown(
    site: str, browser: Browser
) -> None:
    who = console.tenant("swift")
    with seen(browser, PLAIN, site) as context:
        sign_in(context, site, who)
        page = opened(context, site, who)
        page.get_by_role("link", name="Reserve cards", exact=True).first.click()
        page.get_by_label("Chip", exact=False).first.select_option("ascend-910b3")
        expect(page.locator(".quote-name")).to_have_text("Ascend 910B3")
        assert page.get_by_label("Cards", exact=True).is_visible()
        shown = page.locator("#quote-total").inner_text()
        page.get_by_role("button", name="Hold for 10 minutes").click()
        page.wait_for_url(re.compile(r"/reservations/[0-9a-f-]+/$"))
        assert page.locator("#reservation-total").inner_text() == shown
        assert page.locator("[data-countdown]").is_visible()
        page.get_by_role("button", name=re.compile("^Confirm for")).click()
        page.wait_for_load_state()
        assert page.get_by_text("Awaiting approval").first.is_visible()
    with operator_scope():
        made = Reservation.objects.get(tenant_id=who.id)
    assert f"{made.gross:,.2f}" == shown.replace("¥", "").strip()
    assert made.state == "awaiting_approval"


def test_a_late_answer_never_shows_an_old_quote_beside_new_inputs(
    site: str, browser: Browser
) -> None:
    who = console.tenant("hasty")
    with seen(browser, PLAIN, site) as context:
        sign_in(context, site, who)
        page = opened(context, site, who, "reserve/?chip=ascend-910b3&hours=1")
        field = page.get_by_label("Cards", exact=True)
        field.fill("1")
        field.press("2")
        expect(page.locator(".quote-form [name=cards]")).to_have_value("12")
        assert page.evaluate("document.activeElement.name") == "cards"
        assert "cards=12" in page.url


def test_two_race_for_the_last_cards_and_the_loser_is_shown_other_times(
    site: str, browser: Browser
) -> None:
    first, second = console.tenant("north"), console.tenant("south")
    query = "reserve/?chip=hygon-k100-ai&cards=12&hours=2&flexible_days=0&other_chips=no"
    with seen(browser, PLAIN, site) as one, seen(browser, PLAIN, site) as two:
        sign_in(one, site, first)
        sign_in(two, site, second)
        ahead, behind = opened(one, site, first, query), opened(two, site, second, query)
        ahead.get_by_role("button", name="Hold for 10 minutes").click()
        ahead.wait_for_url(re.compile(r"/reservations/[0-9a-f-]+/$"))
        behind.get_by_role("button", name="Hold for 10 minutes").click()
        behind.wait_for_selector("[data-code=not_enough_capacity]")
        assert behind.locator(".times a").count() >= 1
        assert behind.get_by_label("Cards", exact=True).input_value() == "12"
    assert (count(first, Reservation), count(second, Reservation)) == (1, 0)


def test_a_double_click_makes_one(site: str, browser: Browser) -> None:
    who = console.tenant("clicky")
    with seen(browser, PLAIN, site) as context:
        sign_in(context, site, who)
        page = opened(context, site, who, "reserve/?chip=ascend-910b3&cards=1")
        page.get_by_role("button", name="Hold for 10 minutes").dblclick()
        page.wait_for_url(re.compile(r"/reservations/[0-9a-f-]+/$"))
    assert count(who, Reservation) == 1


def test_reserving_and_deploying_work_without_javascript(site: str, browser: Browser) -> None:
    who = console.tenant("plain")
    running = console.active(who, cards=1)
    context = browser.new_context(java_script_enabled=False, locale="en")
    context.add_cookies([{"name": "django_language", "value": "en", "url": site}])
    try:
        sign_in(context, site, who)
        page = opened(context, site, who, "reserve/")
        page.get_by_label("Cards", exact=True).fill("2")
        page.get_by_label("Chip", exact=False).first.select_option("ascend-910b3")
        page.get_by_role("button", name="Show offers").click()
        page.get_by_role("button", name="Hold for 10 minutes").click()
        page.get_by_role("button", name=re.compile("^Confirm for")).click()
        assert page.get_by_text("Awaiting approval").first.is_visible()
        page.goto(site + who.path("deploy/small-chat/"))
        page.get_by_role("button", name="Deploy", exact=True).click()
        assert page.get_by_text("Requested").first.is_visible()
        page.get_by_role("button", name="Stop", exact=True).first.click()
        page.locator("dialog#stop button").click()
        assert page.get_by_text("Stopping").first.is_visible()
        page.goto(site + who.path("members/"))
        page.get_by_label("E-mail address").fill("no.script@example.com")
        page.get_by_role("button", name="Invite", exact=True).click()
        assert page.get_by_text("no.script@example.com").first.is_visible()
    finally:
        context.close()
    with operator_scope():
        made = Deployment.objects.get(tenant_id=who.id)
    assert (made.reservation_id, made.state) == (running.pk, "stopping")


def test_a_deployment_s_page_follows_it_and_rests_when_it_is_over(
    site: str, browser: Browser
) -> None:
    who = console.tenant("watcher")
    one = console.deployed(who)
    with seen(browser, PLAIN, site) as context:
        sign_in(context, site, who)
        page = opened(context, site, who, f"deployments/{one.pk}/")
        assert page.locator(".live-state").inner_text().strip() == "Requested"
        console.ready(one, minutes=0)
        expect(page.locator(".live-state")).to_have_text("Ready", timeout=20000)
        console.failed(one)
        expect(page.locator(".live-state")).to_have_text("Failed", timeout=20000)
        assert page.locator("#deployment-live").get_attribute("hx-trigger") is None
        assert page.locator("#last-lines").inner_text().endswith("CUDA error: out of memory")


def test_a_key_is_shown_once_and_is_nowhere_after(site: str, browser: Browser) -> None:
    who = console.tenant("locksmith")
    with seen(browser, PLAIN, site) as context:
        sign_in(context, site, who)
        page = opened(context, site, who, "keys/")
        page.get_by_label("Name", exact=True).fill("robot")
        page.get_by_role("button", name="Make the key").click()
        secret = page.locator("#new-key").inner_text()
        assert re.fullmatch(r"acp_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}", secret)
        page.reload()
        assert secret not in page.content()
        storage = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert secret not in storage
        assert page.get_by_text("robot").first.is_visible()
