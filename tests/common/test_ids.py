"""Identifiers: their layout, and that rows written one after another are read in that order."""

import threading
import time
import uuid

import pytest

from common.ids import uuid7


def test_an_identifier_is_a_version_7_uuid_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    # The thread's earlier identifiers may have run ahead of the clock by a fraction of this.
    assert before <= made.int >> 80 <= after + 1


def test_identifiers_ascend_within_a_millisecond() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert len({identifier.int >> 80 for identifier in made}) < 10_000
    assert made == sorted(set(made))


def test_identifiers_ascend_where_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    an_hour_ago = time.time_ns() - 3_600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: an_hour_ago)
    second, third = uuid7(), uuid7()
    assert first < second < third


def test_threads_at_one_moment_make_different_identifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    made: list[uuid.UUID] = []
    threads = [
        threading.Thread(target=lambda: made.extend(uuid7() for _ in range(1_000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4_000
