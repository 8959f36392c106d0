"""Every page of the operators' console in a real browser, in all eight ways."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from playwright.sync_api import Browser

from tenants.models import User
from tests.factories.compute import ENGINES, Tenant, make_catalogue, make_pool, make_tenant
from tests.factories.tenants import operator
from tests.portal import operator_stage
from tests.portal.browser import THOROUGH, WAYS, Way, seen, watching
from tests.portal.operator_stage import confirmed, requested
from tests.portal.site import ClosingHandler, browser_beside_rows, served, sign_in

pytestmark = pytest.mark.browser

PAGES = (*operator_stage.PAGES, "tenants/+new/")
CORE = ("", "approvals/", "nodes/wall/")


@dataclass(frozen=True)
class Stage:
    """A centre with one request to decide, whose it is, and who may decide it."""

    alice: Tenant
    administrator: User


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[Stage]:
    """One stage for all ways; committed, for the site's threads to see, and cleaned up after."""
    with django_db_blocker.unblock(), override_settings(COMPUTE_ENGINES=ENGINES):
        make_catalogue()
        make_pool(cards=8)
        alice = make_tenant("alice")
        confirmed(alice)
        requested(alice)
        yield Stage(alice, operator("admin"))
        connections.close_all()
        call_command("flush", interactive=False, verbosity=0, database="owner")


@pytest.fixture(autouse=True)
def database(stage: Stage, django_db_blocker: Any) -> Iterator[None]:
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


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_page_is_fit_to_be_seen(site: str, browser: Browser, stage: Stage, way: Way) -> None:
    found: dict[str, list[str]] = {}
    with seen(browser, way, site) as context:
        sign_in(context, site, stage.administrator)
        opened = watching(context, site)
        for page in PAGES:
            opened.go(f"{site}/ops/{page}")
            thorough = way in THOROUGH or page in CORE
            found[page] = opened.check() if thorough else opened.at_a_glance()
    assert found == {page: [] for page in PAGES}


def test_a_request_is_approved_by_letter_and_its_row_says_so(
    site: str, browser: Browser, stage: Stage
) -> None:
    with seen(browser, Way("light", 1440, "en"), site) as context:
        sign_in(context, site, stage.administrator)
        page = context.new_page()
        page.goto(f"{site}/ops/approvals/")
        page.locator("[data-inbox-row]").first.focus()
        page.keyboard.press("a")
        page.get_by_text("Confirmed").wait_for()
        rows = [page.locator(".inbox-row").inner_text()]
    requested(stage.alice)  # the ways that come after see a request too
    assert ["Confirmed" in row for row in rows] == [True]
