"""Usage events over the API: each has a result of its own, whatever stands beside it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from billing.models import RejectedEvent, UsageBucket, UsageEvent
from billing.sources import is_reserved
from compute.commands import accrual, usage
from portal.gateway import domain
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer, event

pytestmark = pytest.mark.django_db

BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"
NO_HALF = b"\\ud800"


@pytest.fixture
def alice() -> Customer:
    return desk.program("alice", credit="0")


def counted() -> int:
    with operator_scope():
        total = sum(UsageBucket.objects.values_list("quantity", flat=True))
        assert total == sum(UsageEvent.objects.values_list("quantity", flat=True))
    return total


def without(member: str) -> dict[str, Any]:
    return {name: value for name, value in event().items() if name != member}


def of(**data: Any) -> dict[str, Any]:
    return event(data=data)


def dimensions(**changes: Any) -> dict[str, Any]:
    given = {"model": "tiny", "deployment": "d1", "key": "k1", **changes}
    return of(dimensions={name: value for name, value in given.items() if value is not None})


EARLIER = timedelta(days=36)
BAD: Mapping[str, tuple[object, str]] = {
    "a number": (5, "not_an_event"),
    "null": (None, "not_an_event"),
    "a list": ([event()], "not_an_event"),
    "no specversion": (without("specversion"), "bad_specversion"),
    "another specversion": (event(specversion="0.3"), "bad_specversion"),
    "no id": (without("id"), "bad_id"),
    "an empty id": (event(id=""), "bad_id"),
    "a number as id": (event(id=7), "bad_id"),
    "an overlong id": (event(id="x" * 201), "bad_id"),
    "a control character in the id": (event(id="a\0b"), "bad_id"),
    "no source": (without("source"), "bad_source"),
    "an overlong source": (event(source="源" * 101), "bad_source"),
    "the engine's source": (event(source="compute.engine"), "reserved_source"),
    "the gateway's source": (event(source="gateway"), "reserved_source"),
    "no meter": (without("type"), "unknown_meter"),
    "an unknown meter": (event(type="appliances.smiles"), "unknown_meter"),
    "a list as meter": (event(type=["appliances.tokens_in"]), "unknown_meter"),
    "an overlong subject": (event(subject="🚀" * 201), "bad_subject"),
    "a number as subject": (event(subject=1), "bad_subject"),
    "no time": (without("time"), "bad_time"),
    "a time without offset": (event(time="2026-01-01T00:00:00"), "bad_time"),
    "a month that is none": (event(time="2026-13-01T00:00:00Z"), "bad_time"),
    "the year one": (event(time="0001-01-01T00:00:00+14:00"), "too_old"),
    "too late": (event(time=desk.written(desk.minute(-EARLIER))), "too_old"),
    # Read when tests are collected, and sent much later.
    "in the future": (event(time="2999-01-01T00:00:00Z"), "in_future"),
    "no data": (without("data"), "bad_data"),
    "a list as data": (event() | {"data": []}, "bad_data"),
    "text as data": (event() | {"data": "quantity=1"}, "bad_data"),
    "data of another type": (event(datacontenttype="text/xml"), "bad_data"),
    "data in base64": (event(data_base64="e30="), "unknown_field"),
    "an attribute that cannot be one": (event(traceParent="x"), "unknown_field"),
    "an unknown member of the data": (of(price="0"), "unknown_field"),
    "no quantity": (event() | {"data": {"dimensions": {}}}, "bad_quantity"),
    "a negative quantity": (of(quantity=-1), "bad_quantity"),
    "a fraction": (of(quantity=1.5), "bad_quantity"),
    "a whole fraction": (of(quantity=1.0), "bad_quantity"),
    "not a number": (of(quantity=float("nan")), "bad_quantity"),
    "infinity": (of(quantity=float("inf")), "bad_quantity"),
    "text as quantity": (of(quantity="1000"), "bad_quantity"),
    "truth as quantity": (of(quantity=True), "bad_quantity"),
    "more than anybody uses": (of(quantity=10**15 + 1), "bad_quantity"),
    "more than a column holds": (of(quantity=10**30), "bad_quantity"),
    "another unit": (of(unit="million tokens"), "wrong_unit"),
    "a number as unit": (of(unit=1), "wrong_unit"),
    "no dimensions": (event() | {"data": {"quantity": 1}}, "bad_dimensions"),
    "a dimension too few": (dimensions(key=None), "bad_dimensions"),
    "a dimension too many": (dimensions(colour="red"), "bad_dimensions"),
    "a number as dimension": (dimensions(key=1), "bad_dimensions"),
    "a list as dimensions": (of(dimensions=["model"]), "bad_dimensions"),
    "an overlong dimension": (dimensions(model="模" * 101), "bad_dimensions"),
    "an unknown project": (of(project="other"), "unknown_project"),
    "a project in Chinese": (of(project="项目🚀\0"), "unknown_project"),
    "a number as project": (of(project=1), "unknown_project"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_event_is_refused_with_its_code_and_fails_no_other(
    alice: Customer, name: str
) -> None:
    bad, code = BAD[name]
    answer = alice.post("usage/events", [event(1), bad, event(3)], key=None, content_type=BATCH)
    assert answer.status_code == 200, answer.content
    receipt = answer.json()
    assert [one["status"] for one in receipt["results"]] == ["accepted", "rejected", "accepted"]
    assert receipt["results"][1]["code"] == code
    assert receipt["results"][1]["detail"]
    assert (receipt["accepted"], receipt["rejected"]) == (2, 1)
    assert counted() == 2000
    with operator_scope():
        assert list(RejectedEvent.objects.values_list("code", flat=True)) == [code]


def test_half_a_character_is_refused_and_answered_in_writable_text(alice: Customer) -> None:
    sent = json.dumps([event(1), event(2)]).encode().replace(b"event-2", NO_HALF)
    receipt = alice.post("usage/events", sent, key=None).json()
    assert [one["code"] for one in receipt["results"]] == ["", "bad_id"]
    assert counted() == 1000


def test_names_in_chinese_and_emoji_are_counted_as_they_are(alice: Customer) -> None:
    named = event(id="事件-🚀", source="湖畔/计量", subject="部署：智能助手 🤖")
    assert alice.post("usage/events", named, key=None).json()["accepted"] == 1
    (row,) = alice.get("usage/events").json()["items"]
    assert (row["id"], row["source"], row["subject"]) == (
        "事件-🚀",
        "湖畔/计量",
        "部署：智能助手 🤖",
    )


def test_an_event_sent_again_is_a_duplicate_and_other_content_a_conflict(alice: Customer) -> None:
    alice.post("usage/events", event(), key=None)
    batch = [event(), of(quantity=1), event(2), event(2)]
    receipt = alice.post("usage/events", batch, key=None).json()
    assert [one["status"] for one in receipt["results"]] == [
        "duplicate",
        "conflict",
        "accepted",
        "duplicate",
    ]
    assert receipt["results"][1]["code"] == "other_content"
    assert counted() == 2000


def test_the_meter_s_own_unit_may_be_said(alice: Customer) -> None:
    assert alice.post("usage/events", of(unit="token"), key=None).json()["accepted"] == 1


def test_nanoseconds_and_extension_attributes_are_taken(alice: Customer) -> None:
    at = desk.written(desk.minute(-desk.HOUR)).replace("Z", ".123456789Z")
    sent = event(time=at, traceparent="00-1-2-01", datacontenttype="application/json")
    assert alice.post("usage/events", sent, key=None).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", "application/json", 400, "parse_error"),
        (b"{", BATCH, 400, "parse_error"),
        (b"\xff\xfe", ONE, 400, "parse_error"),
        (b"5", "application/json", 400, "parse_error"),
        (b"{}", BATCH, 400, "parse_error"),
        (b"[]", ONE, 400, "parse_error"),
        (b"[" * 100_000, "application/json", 400, "parse_error"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(
    alice: Customer, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = alice.post("usage/events", body, key=None, content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert counted() == 0


def test_more_than_a_thousand_events_are_refused_and_a_thousand_are_not(alice: Customer) -> None:
    batch = [event(number) for number in range(1001)]
    refused = alice.post("usage/events", batch, key=None)
    assert (refused.status_code, refused.json()["code"]) == (422, "batch_too_large")
    assert counted() == 0
    taken = alice.post("usage/events", batch[:1000], key=None)
    assert (taken.status_code, taken.json()["accepted"]) == (200, 1000)
    assert alice.post("usage/events", [], key=None).json()["results"] == []


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=1000)
def test_a_body_over_the_limit_is_refused_unread(alice: Customer) -> None:
    answer = alice.post("usage/events", [event(n) for n in range(9)], key=None)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert counted() == 0


def test_a_key_is_honoured_where_one_is_sent(alice: Customer) -> None:
    first = alice.post("usage/events", event(), key="batch-1")
    again = alice.post("usage/events", event(), key="batch-1")
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    other = alice.post("usage/events", event(2), key="batch-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert counted() == 1000


def test_another_tenant_s_project_and_events_are_unknown(alice: Customer) -> None:
    bob = desk.program("bob", credit="0")
    assert bob.post("usage/events", event(), key=None).json()["accepted"] == 1
    assert alice.post("usage/events", of(quantity=7), key=None).json()["accepted"] == 1
    assert [row["quantity"] for row in alice.get("usage/events").json()["items"]] == [7]


def test_the_product_s_own_sources_are_all_reserved() -> None:
    for source in (accrual.SOURCE, usage.SOURCE, domain.SOURCE):
        assert is_reserved(source)


def test_usage_is_summed_by_day_project_and_dimension_in_pages(alice: Customer) -> None:
    alice.post(
        "usage/events",
        [
            of(project="main"),
            event(2, data={"dimensions": {"model": "big", "deployment": "d", "key": "k"}}),
        ],
        key=None,
    )
    by_model = alice.get("usage/summary", group_by="model", limit=1).json()
    rest = alice.get("usage/summary", group_by="model", cursor=by_model["next"]).json()
    assert rest["next"] is None
    values = [(row["value"], row["quantity"]) for row in by_model["items"] + rest["items"]]
    assert values == [("big", 1000), ("tiny", 1000)]
    by_project = alice.get("usage/summary", group_by="project").json()["items"]
    assert [(row["value"], row["quantity"]) for row in by_project] == [("", 1000), ("main", 1000)]
    by_day = alice.get("usage/summary", group_by="day").json()["items"]
    assert sum(row["quantity"] for row in by_day) == 2000
    unknown = alice.get("usage/summary", group_by="colour")
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (422, "unknown_heading")


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("usage/events", {"cursor": "x"}, "/cursor"),
        ("usage/events", {"cursor": "MjAyNnx4"}, "/cursor"),
        ("usage/summary", {"cursor": "eA"}, "/cursor"),
        ("usage/summary", {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/to"),
        ("usage/summary", {"to": "0001-01-01T00:00:00Z"}, "/to"),
        ("usage/events", {"since": "yesterday"}, "/since"),
        ("usage/events", {"limit": "101"}, "/limit"),
        ("usage/events", {"colour": "red"}, "/colour"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    alice: Customer, path: str, query: dict[str, str], pointer: str
) -> None:
    answer = alice.get(path, **query)
    assert answer.status_code == 422, answer.content
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
