"""Corrections over the API: each has a result of its own and says where it will be seen."""

from typing import Any

import pytest

from billing.models import Correction, RejectedEvent, UsageBucket
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer, event

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Customer:
    customer = desk.program("alice", credit="0")
    assert customer.post("usage/events", [event(1), event(2)], key=None).json()["accepted"] == 2
    return customer


def counted() -> int:
    with operator_scope():
        return sum(UsageBucket.objects.values_list("quantity", flat=True))


def said(number: int = 1, **changes: Any) -> dict[str, Any]:
    about = event(number)
    return {
        "id": f"c-{number}",
        "source": "billing-desk",
        "event": {"source": about["source"], "id": about["id"]},
        "kind": "void",
        "reason": "a test run",
        **changes,
    }


def test_a_correction_says_what_it_changed_and_where(alice: Customer) -> None:
    receipt = alice.post(
        "usage/corrections", [said(), said(2, kind="correct", quantity=400)], key=None
    ).json()
    assert receipt["accepted"] == 2
    assert [
        (one["status"], one["effect"], one["difference"], one["code"]) for one in receipt["results"]
    ] == [
        ("accepted", "draft_updated", -1000, ""),
        ("accepted", "draft_updated", -600, ""),
    ]
    assert counted() == 400
    listed = alice.get("usage/events").json()["items"]
    kinds = sorted((row["kind"], row["quantity"]) for row in listed)
    assert kinds == [("correct", -600), ("usage", 1000), ("usage", 1000), ("void", -1000)]


BAD: dict[str, tuple[object, str]] = {
    "a number": (5, "not_a_correction"),
    "an unknown member": (said(price="0"), "unknown_field"),
    "an unknown member of the event": (
        said(event={"source": "s", "id": "i", "time": ""}),
        "unknown_field",
    ),
    "no event": (said(event=None), "unknown_event"),
    "an event nobody sent": (said(event={"source": "s", "id": "i"}), "unknown_event"),
    "text as event": (said(event="e"), "unknown_event"),
    "no kind": (said(kind=None), "bad_kind"),
    "text as quantity": (said(kind="correct", quantity="1"), "bad_quantity"),
    "not a number": (said(kind="correct", quantity=float("nan")), "bad_quantity"),
    "below zero": (said(kind="correct", quantity=-1), "bad_quantity"),
    "a void with a quantity": (said(quantity=1), "bad_quantity"),
    "a number as reason": (said(reason=1), "bad_reason"),
    "no reason": (said(reason=""), "bad_reason"),
    "a list as id": (said(id=["c"]), "bad_id"),
    "the product's source": (said(source="gateway"), "reserved_source"),
    "the product's own event": (
        said(event={"source": "compute.engine", "id": "i"}),
        "reserved_source",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_correction_is_refused_with_its_code_and_fails_no_other(
    alice: Customer, name: str
) -> None:
    bad, code = BAD[name]
    answer = alice.post("usage/corrections", [bad, said(2)], key=None)
    assert answer.status_code == 200, answer.content
    first, second = answer.json()["results"]
    assert (first["status"], first["code"], second["status"]) == ("rejected", code, "accepted")
    assert first["detail"]
    assert counted() == 1000
    with operator_scope():
        assert list(RejectedEvent.objects.values_list("code", flat=True)) == [code]
        assert Correction.objects.count() == 1


def test_one_correction_may_be_sent_by_itself_and_again(alice: Customer) -> None:
    results = [alice.post("usage/corrections", said(), key=None).json() for _ in range(2)]
    assert [one["results"][0]["status"] for one in results] == ["accepted", "duplicate"]
    assert counted() == 1000


def test_too_many_corrections_are_refused_whole(alice: Customer) -> None:
    answer = alice.post("usage/corrections", [said()] * 1001, key=None)
    assert (answer.status_code, answer.json()["code"]) == (422, "batch_too_large")
    assert counted() == 2000


def test_another_tenants_events_are_unknown(alice: Customer) -> None:
    bob = desk.program("bob", credit="0")
    receipt = bob.post("usage/corrections", said(), key=None).json()
    assert receipt["results"][0]["code"] == "unknown_event"
    assert counted() == 2000
