"""Every page of the operators' console in a real browser, in all eight ways."""

import threading

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.factories.compute import ENGINES, make_catalogue, make_pool, make_tenant
from tests.portal.browser import THOROUGH, WAYS, Way, chromium, seen, watched
from tests.portal.operator_stage import confirmed, requested, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = (
    "",
    "approvals/",
    "reservations/",
    "deployments/",
    "pools/",
    "pools/h20/",
    "nodes/",
    "nodes/wall/",
    "clusters/",
    "chips/",
    "chips/nvidia-h20/",
    "tenants/",
    "tenants/alice/",
    "tenants/+new/",
    "catalogue/",
    "prices/",
    "prices/new/",
    "invoices/",
    "jobs/",
    "audit/",
)
CORE = ("", "approvals/", "nodes/wall/")


@pytest.fixture
def session(settings: Settings) -> str:
    """A centre with work to do, and an administrator's session."""
    settings.COMPUTE_ENGINES = ENGINES
    make_catalogue()
    make_pool(cards=8)
    alice = make_tenant("alice")
    confirmed(alice)
    requested(alice)
    return str(signed_in("admin").cookies["sessionid"].value)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_page_is_fit_to_be_seen(live_server: LiveServer, session: str, way: Way) -> None:
    found: dict[str, list[str]] = {}

    def look() -> None:
        with chromium() as own, seen(own, way, live_server.url) as context:
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
            for page in PAGES:
                opened = watched(context, f"{live_server.url}/ops/{page}")
                thorough = way in THOROUGH or page in CORE
                found[page] = opened.check() if thorough else opened.at_a_glance()
                opened.page.close()

    # Playwright keeps a loop in its thread, in which Django refuses to clean the database.
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == {page: [] for page in PAGES}


def test_a_request_is_approved_by_letter_and_its_row_says_so(
    live_server: LiveServer, session: str
) -> None:
    rows: list[str] = []

    def press() -> None:
        way = Way("light", 1440, "en")
        with chromium() as own, seen(own, way, live_server.url) as context:
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
            page = context.new_page()
            page.goto(f"{live_server.url}/ops/approvals/")
            page.locator("[data-inbox-row]").first.focus()
            page.keyboard.press("a")
            page.get_by_text("Confirmed").wait_for()
            rows.append(page.locator(".inbox-row").inner_text())

    thread = threading.Thread(target=press)
    thread.start()
    thread.join()
    assert ["Confirmed" in row for row in rows] == [True]
