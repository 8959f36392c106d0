"""Usage as a stream of lines: each line has a result, and what was counted stays counted."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from billing.models import RejectedEvent, UsageBucket
from portal.api import streaming
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer, event

pytestmark = pytest.mark.django_db
NDJSON = "application/x-ndjson"


@pytest.fixture
def alice() -> Customer:
    return desk.program("alice", credit="0")


def counted() -> int:
    with operator_scope():
        return sum(UsageBucket.objects.values_list("quantity", flat=True))


def body(*lines: object) -> bytes:
    return b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )


def sent(customer: Customer, *lines: object) -> list[dict[str, Any]]:
    answer = customer.post("usage/stream", body(*lines), key=None, content_type=NDJSON)
    assert (answer.status_code, answer["Content-Type"]) == (200, NDJSON), answer.content
    return [json.loads(line) for line in answer.content.splitlines()]


def told(results: Sequence[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(one["line"], one["status"], one["code"]) for one in results]


def test_each_line_has_a_result_and_a_broken_one_is_refused_alone(alice: Customer) -> None:
    results = sent(
        alice,
        event(1),
        b"",
        b"{torn",
        b"\xff\xfe",
        b"null",
        event(1),
        event(2, time="2999-01-01T00:00:00Z"),
        event(3, data={"quantity": float("nan")}),
        b"[" * 50_000,
        event(4),
    )
    assert told(results) == [
        (1, "accepted", ""),
        (3, "rejected", "not_json"),
        (4, "rejected", "not_json"),
        (5, "rejected", "not_an_event"),
        (6, "duplicate", ""),
        (7, "rejected", "in_future"),
        (8, "rejected", "bad_quantity"),
        (9, "rejected", "not_json"),
        (10, "accepted", ""),
    ]
    assert counted() == 2000
    with operator_scope():
        assert RejectedEvent.objects.count() == 6


def test_more_lines_than_a_batch_are_counted_in_chunks(
    alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LINES_AT_ONCE", 3)
    assert [one["status"] for one in sent(alice, *map(event, range(8)))] == ["accepted"] * 8
    assert {one["status"] for one in sent(alice, *map(event, range(8)))} == {"duplicate"}
    assert counted() == 8000


def test_an_overlong_line_is_passed_over_and_the_next_one_counted(alice: Customer) -> None:
    long = event(1, subject="x" * 200_000)
    assert told(sent(alice, long, event(2))) == [
        (1, "rejected", "line_too_long"),
        (2, "accepted", ""),
    ]
    assert counted() == 1000


def test_a_last_line_without_an_end_counts(alice: Customer) -> None:
    answer = alice.post(
        "usage/stream", body(event(1), event(2))[:-1], key=None, content_type=NDJSON
    )
    assert len(answer.content.splitlines()) == 2
    assert counted() == 2000


def test_what_is_no_stream_of_lines_is_refused_unread(alice: Customer) -> None:
    answer = alice.post("usage/stream", body(event(1)), key=None, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert counted() == 0


def test_a_stream_that_says_it_is_too_long_is_refused_unread(
    alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST_BYTES", 100)
    answer = alice.post("usage/stream", body(event(1)), key=None, content_type=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert counted() == 0


class Body:
    """A body of unknown length."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)

    def readline(self, size: int, /) -> bytes:
        line = self.lines.pop(0) if self.lines else b""
        if len(line) > size:
            self.lines.insert(0, line[size:])
        return line[:size]


def test_reading_stops_at_the_limits_and_gives_what_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "MOST_BYTES", 10)
    stopped = streaming.Stopped()
    (chunk,) = streaming.chunks(Body(b"[1]\n", b"[2]\n", b"[3]\n", b"[4]\n"), stopped)
    assert (chunk.items, stopped.code) == ([[1], [2], [3]], "body_too_large")
    monkeypatch.setattr(streaming, "MOST_BYTES", 10**6)
    monkeypatch.setattr(streaming, "LONGEST_LINE", 50)
    stopped = streaming.Stopped()
    endless = Body(b"x" * 2_000_000)
    (chunk,) = streaming.chunks(endless, stopped)
    assert (chunk.broken, stopped.code) == ({0: "line_too_long"}, "body_too_large")
    ticks = iter(range(0, 10_000, 100))
    stopped = streaming.Stopped()
    (chunk,) = streaming.chunks(
        Body(b"[1]\n", b"[2]\n", b"[3]\n"), stopped, clock=lambda: float(next(ticks))
    )
    assert (chunk.items, stopped.code) == ([[1], [2]], "time_limit")


def test_a_key_without_the_scope_counts_nothing() -> None:
    bob = desk.program("bob", credit="0", scopes={"billing:usage:read"})
    answer = bob.post("usage/stream", body(event(1)), key=None, content_type=NDJSON)
    assert answer.status_code == 403
    assert counted() == 0


def test_a_sender_can_list_what_was_refused(alice: Customer) -> None:
    sent(alice, event(1, data={"quantity": -1}), b"{torn", event(2, source="probe", time="x"))
    listed = alice.get("usage/rejected").json()["items"]
    assert sorted(row["code"] for row in listed) == ["bad_quantity", "bad_time", "not_json"]
    assert all(row["detail"] for row in listed)
    (one,) = alice.get("usage/rejected", source="probe").json()["items"]
    assert (one["id"], one["code"], one["said"]["meter"]) == (
        "event-2",
        "bad_time",
        "appliances.tokens_in",
    )
    assert alice.get("usage/rejected", code="too_old").json()["items"] == []
    later = alice.get("usage/rejected", since="2999-01-01T00:00:00Z").json()["items"]
    assert later == []
    bob = desk.program("bob", credit="0")
    assert bob.get("usage/rejected").json()["items"] == []
