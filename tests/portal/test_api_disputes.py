"""Objections to invoice lines by the API: the console's own commands."""

import pytest

from billing.commands.disputes import accept_dispute
from billing.commands.invoices import issue_invoice
from billing.models import Dispute, Invoice
from common.clock import utc_now
from tenants.models import AuditEntry
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import desk
from tests.factories.desk import Customer
from tests.factories.program import program

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Customer:
    desk.open_desk()
    return desk.program("alice")


@pytest.fixture
def bill(alice: Customer) -> Invoice:
    alice.post("usage/events", [desk.event(data={"quantity": 10_000_000})], key=None)
    with tenant_scope(alice.organisation.pk):
        return issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )


def disputes() -> list[tuple[str, str]]:
    with operator_scope():
        return list(Dispute.objects.order_by("pk").values_list("state", "reason"))


def test_a_line_is_objected_to_once_however_often_it_is_sent(
    alice: Customer, bill: Invoice
) -> None:
    where, sent = f"invoices/{bill.pk}/disputes", {"line": 1, "reason": " Never ran. "}
    first = alice.post(where, sent, key="once")
    again = alice.post(where, sent, key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    said = first.json()
    assert (said["line"], said["state"], said["reason"]) == (1, "open", "Never ran.")
    assert (said["invoice_id"], said["answer"], said["answered_at"]) == (str(bill.pk), "", None)
    assert alice.get(where).json() == {"items": [said], "next": None}
    another = alice.post(where, sent)
    assert (another.status_code, another.json()["code"]) == (409, "dispute_open")
    assert disputes() == [("open", "Never ran.")]
    with operator_scope():
        assert AuditEntry.objects.filter(action="billing.dispute.opened").count() == 1


def test_the_answer_is_read_with_the_credit_note_it_led_to(alice: Customer, bill: Invoice) -> None:
    where = f"invoices/{bill.pk}/disputes"
    made = alice.post(where, {"line": 1, "reason": "Never ran."}).json()
    with operator_scope():
        note = accept_dispute(
            actor=SYSTEM, dispute_id=made["id"], answer="You are right.", now=utc_now()
        )
    (found,) = alice.get(where).json()["items"]
    assert (found["state"], found["answer"]) == ("accepted", "You are right.")
    assert found["credit_note_id"] == str(note.pk)
    late = alice.post(f"{where}/{made['id']}/withdraw", {})
    assert (late.status_code, late.json()["code"]) == (409, "dispute_answered")


def test_an_objection_is_taken_back_and_may_be_made_again(alice: Customer, bill: Invoice) -> None:
    where = f"invoices/{bill.pk}/disputes"
    made = alice.post(where, {"line": 1, "reason": "Never ran."}).json()
    back = alice.post(f"{where}/{made['id']}/withdraw", {})
    assert (back.status_code, back.json()["state"]) == (200, "withdrawn")
    assert alice.post(where, {"line": 1, "reason": "It did not."}).status_code == 201
    assert disputes() == [("withdrawn", "Never ran."), ("open", "It did not.")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"line": 2, "reason": "x"}, 404, "not_found"),
        ({"line": 0, "reason": "x"}, 422, "invalid_input"),
        ({"line": 10**30, "reason": "x"}, 422, "invalid_input"),
        ({"line": "one", "reason": "x"}, 422, "invalid_input"),
        ({"line": 1, "reason": "  "}, 422, "invalid_input"),
        ({"line": 1, "reason": "x" * 1001}, 422, "invalid_input"),
        ({"line": 1, "reason": "x", "net": "1.00"}, 422, "invalid_input"),
        ({"line": 1}, 422, "invalid_input"),
    ],
)
def test_a_wrong_objection_is_refused_by_a_stable_code(
    alice: Customer, bill: Invoice, body: dict[str, object], status: int, code: str
) -> None:
    refused = alice.post(f"invoices/{bill.pk}/disputes", body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert disputes() == []


def test_a_key_of_another_tenant_or_without_the_scope_objects_to_nothing(
    alice: Customer, bill: Invoice
) -> None:
    where, sent = f"invoices/{bill.pk}/disputes", {"line": 1, "reason": "Never ran."}
    made = alice.post(where, sent).json()
    bob = desk.program("bob")
    for answer in (
        bob.get(where),
        bob.post(where, sent),
        bob.post(f"{where}/{made['id']}/withdraw", {}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    reader = program(alice.organisation, {"billing:invoice:read"})
    assert reader.get(where).status_code == 200
    for answer in (reader.post(where, sent), reader.post(f"{where}/{made['id']}/withdraw", {})):
        assert answer.status_code == 403
    without = alice.post(where, sent, key=None)
    assert (without.status_code, without.json()["code"]) == (400, "idempotency_key_required")
    assert disputes() == [("open", "Never ran.")]
