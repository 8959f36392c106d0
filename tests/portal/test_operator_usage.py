"""Operators put usage right: corrections of any event, what came too late, lines of a draft."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from billing.commands.invoices import due_month_end
from billing.commands.runs import draft_item, start_run
from billing.models import Correction, RejectedEvent, UsageEvent
from billing.queries.drafts import draft
from common.clock import utc_now
from common.period import floor_hour
from tenants.models import AuditEntry, Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest
from tests.factories.billing import make_prices, make_tenant, tokens
from tests.factories.lately import lately
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db

PAGE = "/ops/tenants/alice/usage/"
ENGINE = "compute.engine"
WRONG = {"kind": "correct", "quantity": "1000000", "reason": "The probe counted twice"}


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice() -> Organisation:
    make_prices()
    return make_tenant("alice")


def event_page(event_id: str, source: str = ENGINE) -> str:
    return f"{PAGE}event/?{urlencode({'source': source, 'id': event_id})}"


def used(tenant: Organisation, event_id: str = "e1", quantity: int = 3_000_000) -> None:
    now = utc_now()
    event = tokens(event_id, quantity, lately(timedelta(minutes=5)), source=ENGINE)
    assert ingest(tenant, event, now=now) == [(event_id, "accepted", "")]


def came_too_late(tenant: Organisation) -> str:
    now = utc_now()
    late = tokens("old", 2_000_000, floor_hour(now - timedelta(days=40)), source=ENGINE)
    assert ingest(tenant, late, now=now) == [("old", "rejected", "too_old")]
    with operator_scope():
        return str(RejectedEvent.objects.get().pk)


def net(tenant: Organisation) -> str:
    with tenant_scope(tenant.pk):
        return str(draft(tenant_id=tenant.pk, until=utc_now() + timedelta(hours=1)).net)


def counted(tenant: Organisation) -> tuple[int, int]:
    with operator_scope():
        return UsageEvent.objects.count(), Correction.objects.count()


def test_what_the_product_measured_itself_is_corrected_once(alice: Organisation) -> None:
    used(alice)
    finance = signed_in("finance")
    sent = {**WRONG, "idem": "the-first"}
    answers = [finance.post(event_page("e1"), sent) for _ in range(2)]
    assert [(a.status_code, a["Location"]) for a in answers] == [(302, event_page("e1"))] * 2
    assert net(alice) == "1.00"
    assert counted(alice) == (2, 1)
    page = finance.get(event_page("e1")).content.decode()
    assert "3,000,000" in page
    assert "The probe counted twice" in page
    with operator_scope():
        entry = AuditEntry.objects.get(action="billing.usage.corrected")
    assert entry.detail == {
        "kind": "correct",
        "quantity": 1_000_000,
        "difference": -2_000_000,
        "reason": "The probe counted twice",
    }
    assert broken() == ()


def test_a_void_leaves_nothing_to_charge_and_is_the_last_word(alice: Organisation) -> None:
    used(alice)
    finance = signed_in("finance")
    gone = {"kind": "void", "quantity": "", "reason": "A test call", "idem": "void-1"}
    assert finance.post(event_page("e1"), gone).status_code == 302
    assert net(alice) == "0"
    before = counted(alice)
    again = finance.post(event_page("e1"), {**WRONG, "idem": "after"})
    assert again.status_code == 409
    assert 'data-code="not_corrected"' in again.content.decode()
    assert counted(alice) == before
    with operator_scope():
        assert RejectedEvent.objects.count() == 0


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"kind": "correct", "quantity": "", "reason": "x"}, "Say how much it was."),
        ({"kind": "correct", "quantity": "-1", "reason": "x"}, "greater than or equal to 0"),
        ({"kind": "correct", "quantity": "1.5", "reason": "x"}, "Enter a whole number."),
        ({"kind": "correct", "quantity": "10000000000000000", "reason": "x"}, "less than or equal"),
        ({"kind": "void", "quantity": "", "reason": ""}, "This field is required."),
        ({"kind": "halve", "quantity": "1", "reason": "x"}, "not one of the available choices"),
    ],
)
def test_a_correction_that_says_too_little_is_refused_on_its_form(
    alice: Organisation, sent: dict[str, str], said: str
) -> None:
    used(alice)
    answer = signed_in("finance").post(event_page("e1"), {**sent, "idem": "bad"})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert counted(alice) == (1, 0)


def test_who_may_only_look_sees_no_form_and_is_refused(alice: Organisation) -> None:
    used(alice)
    support = signed_in("support")
    assert "Book the correction" not in support.get(event_page("e1")).content.decode()
    assert support.post(event_page("e1"), {**WRONG, "idem": "x"}).status_code == 403
    assert counted(alice) == (1, 0)


def test_another_tenants_event_is_not_found_under_this_one(alice: Organisation) -> None:
    used(make_tenant("bob"), "bobs")
    finance = signed_in("finance")
    assert finance.get(event_page("bobs")).status_code == 404
    assert finance.post(event_page("bobs"), {**WRONG, "idem": "x"}).status_code in {404, 409}
    assert counted(alice) == (1, 0)


def test_what_came_too_late_is_counted_once_when_an_operator_says_why(alice: Organisation) -> None:
    row = came_too_late(alice)
    finance = signed_in("finance")
    page = finance.get(f"{PAGE}refused/").content.decode()
    assert "It is older than the meter takes." in page
    target = f"{PAGE}refused/{row}/count/"
    for _ in range(2):
        answer = finance.post(target, {"reason": "The engine was cut off for weeks"})
        assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}refused/")
    assert net(alice) == "2.00"
    page = finance.get(f"{PAGE}refused/").content.decode()
    assert "Counted all the same" in page
    assert target not in page
    with operator_scope():
        entry = AuditEntry.objects.get(action="billing.usage.forced")
    assert entry.detail == {"reason": "The engine was cut off for weeks"}
    assert broken() == ()


def test_late_usage_is_not_counted_without_a_reason(alice: Organisation) -> None:
    row = came_too_late(alice)
    answer = signed_in("finance").post(f"{PAGE}refused/{row}/count/", {"reason": " "})
    assert answer.status_code == 422
    assert 'data-code="reason_missing"' in answer.content.decode()
    assert counted(alice) == (0, 0)


def statements(browser: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert browser.get(page).status_code == 200
    return len(seen.captured_queries)


@pytest.mark.parametrize("page", [PAGE, f"{PAGE}refused/"])
def test_more_events_ask_the_database_no_more(alice: Organisation, page: str) -> None:
    used(alice)
    came_too_late(alice)
    support = signed_in("support")
    statements(support, page)
    few = statements(support, page)
    now = utc_now()
    for number in range(30):
        used(alice, f"more-{number}")
        old = now - timedelta(days=50, hours=number)
        ingest(alice, tokens(f"old-{number}", 1, old, source=ENGINE), now=now)
    assert statements(support, page) == few


def test_the_list_is_filtered_by_meter(alice: Organisation) -> None:
    used(alice, "words")
    support = signed_in("support")
    assert "words" in support.get(f"{PAGE}?meter=test.tokens_in").content.decode()
    assert "words" not in support.get(f"{PAGE}?meter=test.tokens_out").content.decode()


def test_who_agrees_to_a_draft_sees_its_lines(alice: Organisation) -> None:
    end = due_month_end(utc_now())
    used_at = end - timedelta(days=2)
    ingest(alice, tokens("e1", 3_000_000, used_at, source=ENGINE), now=used_at)
    # After the month's end, so of no invoice of this run.
    used(alice, "now", 5_000_000)
    with operator_scope():
        run_id = start_run(actor=SYSTEM, period_end=end, now=utc_now())
    assert run_id is not None
    with tenant_scope(alice.pk):
        assert draft_item(run_id=run_id, tenant_id=alice.pk, now=utc_now()) == "drafted"
    finance = signed_in("finance")
    address = f"/ops/runs/{run_id}/alice/draft/"
    assert address in finance.get(f"/ops/runs/{run_id}/").content.decode()
    page = finance.get(address).content.decode()
    assert "test.tokens_in price" in page
    assert "3.18" in page
    assert "8.48" not in page
