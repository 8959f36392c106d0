"""portalctl and money: budgets, costs, fapiao, objections, corrections, what was agreed."""

from decimal import Decimal

import pytest

from billing.commands.invoices import issue_invoice
from billing.models import Budget, Dispute, Invoice, TaxProfile
from common.clock import utc_now
from portal_client.cli.problems import OK, REFUSED, USAGE
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer
from tests.portal_client.terminal import Terminal


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: object,
    address: str,
    alice: Customer,
) -> Terminal:
    """A terminal with alice's key in its variables."""
    made = Terminal(monkeypatch, capsys, tmp_path)  # type: ignore[arg-type]  # pytest's own path
    made.let(PORTAL_URL=address, PORTAL_KEY=alice.secret)
    return made


@pytest.fixture
def bill(alice: Customer) -> Invoice:
    used = desk.event(1, data={"quantity": 100_000_000})
    assert alice.post("usage/events", used, key=None).json()["accepted"] == 1
    with operator_scope():
        return issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )


def test_a_budget_is_set_read_changed_and_removed(terminal: Terminal) -> None:
    made = terminal.run("budgets", "set", "--amount", "100.00", "--stops", "--json")
    assert (made.code, made.json["scope"], made.json["amount"]) == (OK, "tenant", "100.00")
    identifier = made.json["id"]
    assert identifier in terminal.run("budgets", "list").output
    assert terminal.run("budgets", "show", identifier, "--json").json["stops"] is True
    changed = terminal.run("budgets", "change", identifier, "--amount", "200", "--json")
    assert (changed.json["amount"], changed.json["stops"]) == ("200.00", True)
    removed = terminal.run("budgets", "remove", identifier)
    assert (removed.code, removed.output) == (OK, "The budget is removed.\n")
    with operator_scope():
        assert not Budget.objects.filter(removed_at=None).exists()


def test_costs_and_what_was_agreed_are_read(terminal: Terminal, bill: Invoice) -> None:
    costs = terminal.run("costs", "show", "--by", "service", "--json")
    assert (costs.code, costs.json["group_by"]) == (OK, "service")
    assert Decimal(costs.json["total"]) == bill.net
    forecast = terminal.run("costs", "forecast", "--json")
    assert (forecast.code, forecast.json["currency"]) == (OK, "CNY")
    for words in (
        ("credits", "list"),
        ("contracts", "list"),
        ("contracts", "terms", "HT-1"),
        ("vouchers", "list"),
        ("vouchers", "schemes"),
        ("vouchers", "applications"),
        ("credit-notes", "list"),
    ):
        read = terminal.run(*words)
        assert (read.code, read.output) == (OK, "Nothing to show.\n"), words
    assert "card" in terminal.run("prices", "list").output
    refused = terminal.run("vouchers", "apply", "no-such-scheme", "--amount", "1.00")
    assert (refused.code, "not_found" in refused.errors) == (REFUSED, True)


def test_the_account_is_read(terminal: Terminal, bill: Invoice) -> None:
    draft = terminal.run("invoices", "draft", "--json")
    assert (draft.code, draft.json["gross"], draft.json["lines"]) == (OK, "0.00", [])
    told = terminal.run("wallet", "statement", "--json").json
    assert Decimal(told["invoiced"]) == bill.gross
    assert bill.number in terminal.run("wallet", "movements").output
    wrong = terminal.run("wallet", "statement", "--first", "yesterday")
    assert wrong.code == USAGE


def test_a_fapiao_is_asked_for_once_somebody_said_whom_it_is_for(
    terminal: Terminal, bill: Invoice
) -> None:
    early = terminal.run("fapiao", "request", bill.number)
    assert (early.code, "no_tax_profile" in early.errors) == (REFUSED, True)
    words = ("--buyer", "Alice Ltd", "--kind", "digital_ordinary")
    assert terminal.run("fapiao", "set-profile", *words).code == OK
    assert terminal.run("fapiao", "profile", "--json").json["buyer_name"] == "Alice Ltd"
    asked = terminal.run("fapiao", "request", bill.number, "--json")
    assert (asked.code, asked.json["state"]) == (OK, "requested")
    assert Decimal(asked.json["gross"]) == bill.gross
    assert asked.json["serial"] in terminal.run("fapiao", "list").output
    assert "Alice Ltd" in terminal.run("fapiao", "show", asked.json["id"]).output
    with operator_scope():
        assert TaxProfile.objects.count() == 1


def test_a_line_is_objected_to_and_the_objection_taken_back(
    terminal: Terminal, bill: Invoice
) -> None:
    made = terminal.run("disputes", "open", bill.number, "1", "--reason", "Not ours", "--json")
    assert (made.code, made.json["state"]) == (OK, "open")
    assert "Not ours" in terminal.run("disputes", "list", bill.number).output
    back = terminal.run("disputes", "withdraw", bill.number, made.json["id"], "--json")
    assert back.json["state"] == "withdrawn"
    with operator_scope():
        assert Dispute.objects.get().state == "withdrawn"


def test_an_event_is_taken_back_and_one_that_is_not_there_is_refused(
    terminal: Terminal, alice: Customer
) -> None:
    said = desk.event(1)
    assert alice.post("usage/events", said, key=None).json()["accepted"] == 1
    words = ("--source", str(said["source"]), "--reason", "Counted twice", "--json")
    void = terminal.run("usage", "correct", str(said["id"]), "--correction", "c1", *words)
    assert (void.code, void.json["status"], void.json["effect"]) == (
        OK,
        "accepted",
        "draft_updated",
    )
    missing = terminal.run("usage", "correct", "no-such", "--correction", "c2", *words)
    assert (missing.code, missing.json["status"]) == (REFUSED, "rejected")
