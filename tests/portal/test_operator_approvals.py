"""The approvals inbox in the operators' console."""

import pytest
from pytest_django import Settings

from billing.queries.wallet import standing
from compute.queries.profiles import steps_of
from tenants.scoping import operator_scope
from tests.factories.compute import ENGINES, Tenant, make_catalogue, make_pool, make_tenant
from tests.portal.operator_stage import ROLES, again, requested, signed_in

pytestmark = pytest.mark.django_db

INBOX = "/ops/approvals/"


@pytest.fixture(autouse=True)
def fake_engines(settings: Settings) -> None:
    settings.COMPUTE_ENGINES = ENGINES
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def alice() -> Tenant:
    make_catalogue()
    make_pool(cards=8)
    return make_tenant("alice")


def test_a_request_shows_who_asks_what_it_costs_and_what_it_leaves_free(alice: Tenant) -> None:
    waiting = requested(alice, cards=6)
    page = signed_in("capacity").get(INBOX).content.decode()
    assert f'id="approval-row-{waiting.pk}"' in page
    assert "6 cards of h20" in page
    assert "Alice" in page
    assert "2 of 8 cards stay free beside this request" in page
    assert "No conflict" in page


def test_the_last_cards_are_marked(alice: Tenant) -> None:
    requested(alice, cards=8)
    page = signed_in("capacity").get(INBOX).content.decode()
    assert "The last free cards" in page


def test_approving_confirms_and_leads_back_to_the_inbox(alice: Tenant) -> None:
    waiting = requested(alice)
    answer = signed_in("admin").post(f"{INBOX}{waiting.pk}/approve/")
    assert (answer.status_code, answer["Location"]) == (302, INBOX)
    assert again(waiting).state == "confirmed"


def test_approving_twice_confirms_once(alice: Tenant) -> None:
    waiting = requested(alice)
    browser = signed_in("capacity")
    first, second = (browser.post(f"{INBOX}{waiting.pk}/approve/") for _ in range(2))
    assert (first.status_code, second.status_code) == (302, 302)
    assert again(waiting).state == "confirmed"


def test_htmx_gets_the_row_back_as_it_now_is(alice: Tenant) -> None:
    waiting = requested(alice)
    answer = signed_in("capacity").post(
        f"{INBOX}{waiting.pk}/approve/", headers={"HX-Request": "true"}
    )
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in page
    assert f'id="approval-row-{waiting.pk}"' in page
    assert "Confirmed" in page


def test_rejecting_gives_the_reason_and_everything_back(alice: Tenant) -> None:
    waiting = requested(alice)
    answer = signed_in("capacity").post(
        f"{INBOX}{waiting.pk}/reject/", {"reason": "Maintenance that week."}
    )
    row = again(waiting)
    assert answer.status_code == 302
    assert (row.state, row.reason) == ("rejected", "Maintenance that week.")
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0
        steps = steps_of([row.pool.profile_id], row.period)[row.pool.profile_id]
    assert [step.taken for step in steps] == [0]


@pytest.mark.parametrize("fragment", [False, True])
def test_a_rejection_without_a_reason_changes_nothing(alice: Tenant, fragment: bool) -> None:
    waiting = requested(alice)
    headers = {"HX-Request": "true"} if fragment else {}
    answer = signed_in("capacity").post(
        f"{INBOX}{waiting.pk}/reject/", {"reason": " "}, headers=headers
    )
    assert answer.status_code == 422
    assert 'data-code="invalid_input"' in answer.content.decode()
    assert "open><summary" in answer.content.decode()
    assert again(waiting).state == "awaiting_approval"


def test_a_request_that_is_decided_already_says_so(alice: Tenant) -> None:
    waiting = requested(alice)
    browser = signed_in("capacity")
    browser.post(f"{INBOX}{waiting.pk}/reject/", {"reason": "No."})
    answer = browser.post(f"{INBOX}{waiting.pk}/approve/")
    assert answer.status_code == 409
    assert 'data-code="reservation_state"' in answer.content.decode()
    assert again(waiting).state == "rejected"


@pytest.mark.parametrize("role", ROLES)
def test_only_who_may_approve_sees_the_inbox(alice: Tenant, role: str) -> None:
    waiting = requested(alice)
    browser = signed_in(role)
    expected = 200 if role in {"capacity", "admin"} else 403
    assert browser.get(INBOX).status_code == expected
    if expected == 403:
        assert browser.post(f"{INBOX}{waiting.pk}/approve/").status_code == 403
        assert again(waiting).state == "awaiting_approval"
