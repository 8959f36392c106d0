"""The spool: what was metered reaches billing exactly once, whoever is killed and when."""

import errno
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.clock import utc_now
from common.ids import uuid7
from portal.gateway.background import Flusher
from portal.gateway.holds import Holds
from portal.gateway.metrics import Metrics
from portal.gateway.spool import CallRecord, Spool, SpoolUnavailable
from tests.factories.gateway import ALICE, PROJECT


def record(tokens_out: int = 3) -> CallRecord:
    return CallRecord(
        id=uuid7(),
        at=datetime(2026, 11, 10, 8, 30, tzinfo=UTC),
        tenant_id=ALICE,
        project_id=PROJECT,
        key_id=uuid7(),
        deployment_id=uuid7(),
        model="模型-1",
        tokens_in=7,
        tokens_out=tokens_out,
        reported=True,
        partial=False,
    )


class Billing:
    """Takes records as billing does: by id, once."""

    def __init__(self) -> None:
        self.taken: dict[object, CallRecord] = {}
        self.deliveries = 0
        self.away = False
        self.dies_after_commit = False

    def __call__(self, records: Sequence[CallRecord]) -> None:
        if self.away:
            raise OSError("billing is away")
        self.deliveries += 1
        self.taken.update({r.id: r for r in records})
        if self.dies_after_commit:
            raise KeyboardInterrupt


def test_a_record_survives_the_way_to_the_file_and_back() -> None:
    given = record()
    assert CallRecord.from_line(given.line()) == given


def test_records_are_delivered_in_order_and_their_file_is_gone(tmp_path: Path) -> None:
    spool, billing = Spool(tmp_path), Billing()
    given = [record(n) for n in range(1_200)]
    for one in given:
        spool.append(one)
    assert spool.pending == 1_200
    assert spool.flush(billing) == 1_200
    assert list(billing.taken.values()) == given
    assert billing.deliveries == 3
    assert spool.pending == 0
    assert spool.flush(billing) == 0


def test_while_billing_is_away_records_wait_and_then_go_once(tmp_path: Path) -> None:
    spool, billing = Spool(tmp_path), Billing()
    billing.away = True
    for _ in range(3):
        spool.append(record())
        with pytest.raises(OSError, match="away"):
            spool.flush(billing)
    billing.away = False
    assert spool.flush(billing) == 3
    assert len(billing.taken) == 3


def test_killed_between_the_commit_and_the_deletion_nothing_counts_twice(tmp_path: Path) -> None:
    spool, billing = Spool(tmp_path), Billing()
    given = record()
    spool.append(given)
    billing.dies_after_commit = True
    with pytest.raises(KeyboardInterrupt):
        spool.flush(billing)
    billing.dies_after_commit = False
    assert spool.flush(billing) == 1
    assert billing.deliveries == 2
    assert list(billing.taken.values()) == [given]


def test_a_living_process_flushes_what_a_dead_one_left(tmp_path: Path) -> None:
    dead, billing = Spool(tmp_path), Billing()
    given = record()
    dead.append(given)
    living = Spool(tmp_path)
    assert living.flush(billing) == 0, "the first process still holds its lock"
    # What the end of a process does to its descriptors.
    os.close(dead._lock)
    assert living.flush(billing) == 1
    assert list(billing.taken.values()) == [given]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_a_line_torn_by_a_power_cut_costs_that_line_only(tmp_path: Path) -> None:
    spool, billing = Spool(tmp_path), Billing()
    first = record()
    spool.append(first)
    (segment,) = tmp_path.rglob("*.jsonl")
    with segment.open("ab") as file:
        file.write(record().line()[:40])
    assert spool.flush(billing) == 1
    assert list(billing.taken.values()) == [first]


def test_a_full_disk_stops_serving_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, billing = Spool(tmp_path), Billing()
    whole_write = os.write
    first, second = record(), record()

    def full(descriptor: int, line: bytes) -> int:
        # Half of it fits, as on a real disk.
        whole_write(descriptor, line[: len(line) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def short(descriptor: int, line: bytes) -> int:
        return whole_write(descriptor, line[: len(line) // 2])

    spool.append(first)
    monkeypatch.setattr(os, "write", short)
    with pytest.raises(SpoolUnavailable):
        spool.append(second)
    spool.recheck()
    assert not spool.is_writable
    monkeypatch.setattr(os, "write", full)
    spool.recheck()
    monkeypatch.setattr(os, "write", whole_write)
    spool.recheck()
    assert spool.is_writable
    spool.flush(billing)
    assert set(billing.taken) == {first.id, second.id}


def test_what_billing_refuses_is_kept_for_a_person(tmp_path: Path) -> None:
    spool, metrics = Spool(tmp_path / "spool"), Metrics()
    good, bad = record(), record()

    def bill(records: Sequence[CallRecord]) -> list[tuple[CallRecord, str]]:
        return [(one, "unknown_meter") for one in records if one.id == bad.id]

    refused = tmp_path / "refused.jsonl"
    flusher = Flusher(
        spool=spool,
        bill=bill,
        clock=utc_now,
        holds=Holds(lambda: None),
        refused=refused,
        metrics=metrics,
    )
    spool.append(good)
    spool.append(bad)
    flusher.flush()
    (line,) = refused.read_text().splitlines()
    assert str(bad.id) in line
    assert "unknown_meter" in line
    assert b"gateway_spool_refused_records_total 1.0" in metrics.text()


def test_a_clean_end_leaves_nothing_or_the_records(tmp_path: Path) -> None:
    empty = Spool(tmp_path)
    empty.close()
    assert list(tmp_path.iterdir()) == []
    full = Spool(tmp_path)
    given = record()
    full.append(given)
    full.close()
    billing = Billing()
    assert Spool(tmp_path).flush(billing) == 1
    assert list(billing.taken.values()) == [given]
