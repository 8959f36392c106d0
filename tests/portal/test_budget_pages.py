"""Budgets as people and programs manage them: set, shown, changed, refused, removed."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.commands.accrual import accrue
from billing.commands.spend_days import watch_spend
from billing.models import Budget, BudgetMonth
from common.clock import utc_now
from portal.templatetags.ui_numbers import money
from tenants.models import ApiKey
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import console, desk
from tests.factories.console import Console
from tests.factories.desk import Customer

pytestmark = pytest.mark.django_db

MOST = 12


@pytest.fixture
def alice() -> Console:
    cache.clear()
    console.centre()
    who = console.tenant("alice")
    console.used(who)
    return who


@pytest.fixture
def program() -> Customer:
    desk.open_desk()
    return desk.program("carol")


def _send(who: Console, rest: str, role: str = "owner", **fields: str) -> tuple[int, str]:
    client = who.client(role)
    answer = client.post(who.path(rest), {"idem": str(uuid4()), **fields})
    if answer.status_code != 302:
        return answer.status_code, answer.content.decode()
    return 302, client.get(answer["Location"]).content.decode()


def _count(who: Console) -> None:
    with tenant_scope(who.id):
        accrue(tenant_id=who.id, now=utc_now())
        watch_spend(tenant_id=who.id, now=utc_now())


def test_a_budget_from_its_setting_to_its_removal_in_the_console(alice: Console) -> None:
    _count(alice)
    page = alice.client().get(alice.path("budgets/")).content.decode()
    assert "No budgets yet" in page
    status, page = _send(alice, "budgets/", subject="tenant", amount="0.01", stops="on")
    assert status == 302
    assert "This budget is reached and stops new spending" in page
    with operator_scope():
        made = Budget.objects.get()
    assert (made.scope, made.amount, made.stops, made.stops_running) == (
        "tenant",
        Decimal("0.01"),
        True,
        False,
    )
    here = f"budgets/{made.pk}/"
    status, page = _send(alice, here, amount="1000000")
    assert status == 302
    assert "Tells only" in page
    status, page = _send(alice, "budgets/", subject="tenant", amount="5")
    assert status == 409
    assert "has a budget already" in page
    listed = alice.client().get(alice.path("budgets/")).content.decode()
    assert "Tells only" in listed
    assert "CN¥1,000,000.00" in listed or "1,000,000.00" in listed
    assert _send(alice, f"{here}remove/")[0] == 302
    assert alice.client().get(alice.path(here)).status_code == 404


def test_use_that_was_not_reckoned_yet_is_shown_as_such_and_a_budget_reckons_it(
    alice: Console,
) -> None:
    page = alice.client().get(alice.path("budgets/")).content.decode()
    assert "The first use is being reckoned" in page
    assert "Nothing was spent this month" not in page
    assert "0.00" not in page
    _send(alice, "budgets/", subject="tenant", amount="500")
    page = alice.client().get(alice.path("budgets/")).content.decode()
    assert "The first use is being reckoned" not in page
    assert "Nothing was spent this month" not in page
    with operator_scope():
        spent = BudgetMonth.objects.get().spent
    assert page.count(str(money(spent, "CNY"))) == 2


def test_each_kind_of_subject_can_be_chosen_and_wrong_input_stays(alice: Console) -> None:
    console.key(alice)
    with operator_scope():
        key_id = ApiKey.objects.get(tenant_id=alice.id).pk
    for subject in (f"project:{alice.project.pk}", f"key:{key_id}"):
        assert _send(alice, "budgets/", subject=subject, amount="500")[0] == 302
    status, page = _send(alice, "budgets/", subject="tenant", amount="-1")
    assert status == 422
    assert 'value="-1"' in page
    status, page = _send(alice, "budgets/", subject="tenant", amount="5", stops_running="on")
    assert status == 422
    assert "Running work is stopped only with what is new." in page
    assert _send(alice, "budgets/", subject=f"key:{uuid4()}", amount="5")[0] == 422
    with operator_scope():
        assert Budget.objects.count() == 2


def test_a_list_costs_as_much_with_many_budgets_as_with_one(alice: Console) -> None:
    _count(alice)
    client = alice.client()
    _send(alice, "budgets/", subject="tenant", amount="500")

    def cost() -> int:
        with CaptureQueriesContext(connection) as told:
            assert client.get(alice.path("budgets/")).status_code == 200
        scopes = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "SELECT set_config")
        return sum(not query["sql"].startswith(scopes) for query in told)

    cost()
    first = cost()
    for number in range(6):
        console.key(alice, f"key {number}")
    with operator_scope():
        keys = list(ApiKey.objects.filter(tenant_id=alice.id).values_list("pk", flat=True))
    for key_id in keys:
        assert _send(alice, "budgets/", subject=f"key:{key_id}", amount="500")[0] == 302
    assert cost() == first <= MOST


def test_chinese_pages_speak_chinese(alice: Console) -> None:
    _count(alice)
    _send(alice, "budgets/", subject="tenant", amount="500")
    page = alice.client(language="zh-hans").get(alice.path("budgets/")).content.decode()
    assert "预算" in page
    assert "Expected at month end" not in page


def test_the_api_sets_shows_changes_and_removes(program: Customer) -> None:
    made = program.post("budgets", {"scope": "tenant", "amount": "500.00", "stops": True})
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["scope"], told["subject_id"], told["amount"], told["spent"]) == (
        "tenant",
        None,
        "500.00",
        "0.00",
    )
    assert (told["percent"], told["reached"], told["forecast"], told["alerts"]) == (
        0,
        False,
        None,
        [],
    )
    assert (told["remaining"], told["held"]) == ("500.00", "0.00")
    here = f"budgets/{told['id']}"
    assert program.get("budgets").json()["items"] == [told]
    changed = program.post(here, {"amount": "600.00", "stops_running": True})
    assert changed.status_code == 200
    assert (changed.json()["amount"], changed.json()["stops"]) == ("600.00", True)
    assert program.get(here).json()["stops_running"] is True
    assert program.delete(here).status_code == 204
    assert program.get(here).status_code == 404
    assert program.post(here, {"amount": "1.00"}).status_code == 404


def test_the_api_refuses_by_stable_codes(program: Customer) -> None:
    project = str(program.project.pk)
    body = {"scope": "project", "subject_id": project, "amount": "5.00"}
    assert program.post("budgets", body).status_code == 201
    again = program.post("budgets", body)
    assert (again.status_code, again.json()["code"]) == (409, "budget_exists")
    for wrong in (
        {"scope": "tenant", "amount": "0.00"},
        {"scope": "tenant", "amount": "-5.00"},
        {"scope": "tenant", "amount": "0.001"},
        {"scope": "tenant", "amount": 5},
        {"scope": "tenant", "amount": "5.00", "stops_running": True},
        {"scope": "centre", "amount": "5.00"},
        {"scope": "tenant"},
        {"scope": "tenant", "amount": "5.00", "currency": "USD"},
    ):
        assert program.post("budgets", wrong).status_code == 422, wrong
    for foreign in ("project", "key", "deployment"):
        given = {"scope": foreign, "subject_id": str(uuid4()), "amount": "5.00"}
        assert program.post("budgets", given).status_code == 404
    with operator_scope():
        assert Budget.objects.count() == 1


def test_a_reached_budget_refuses_a_deployment_over_the_api(program: Customer) -> None:
    answer = program.post("deployments", desk.deployment_body())
    assert answer.status_code == 201, answer.content
    dimensions = desk.event(1)["data"]["dimensions"]
    events = [desk.event(1, data={"quantity": 10**9, "dimensions": dimensions})]
    assert program.post("usage/events", events, key=None).status_code == 200
    made = program.post("budgets", {"scope": "tenant", "amount": "0.01", "stops": True})
    assert made.json()["reached"] is True
    assert made.json()["alerts"] == [50, 80, 100]
    refused = program.post("deployments", desk.deployment_body(name="another"))
    assert (refused.status_code, refused.json()["code"]) == (409, "budget_reached")
