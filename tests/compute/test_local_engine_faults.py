"""The embedded engine when its processes, its callers or its disk fail."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.period import Period
from compute.engines import (
    EngineRefused,
    EngineUnavailable,
    NodeState,
    ProjectSpec,
    ReservationSpec,
    UsageFact,
    WorkloadKind,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from compute.engines.local import LocalEngine, processes, shutdown

pytestmark = pytest.mark.processes

NODES = [{"name": "n1", "gres": "h20", "cards": 4}]
FOREVER = "import time; time.sleep(600)"


@pytest.fixture
def connection(tmp_path: Path) -> dict[str, str]:
    return {"state_dir": str(tmp_path / "engine"), "nodes": json.dumps(NODES)}


@pytest.fixture
def engine(connection: dict[str, str]) -> Iterator[LocalEngine]:
    engine = LocalEngine(connection)
    engine.ensure_project(ProjectSpec(key="acp-p1", name="北方大学"))
    yield engine
    shutdown(connection, grace_seconds=1)


def job(key: str, code: str = FOREVER, cards: int = 1) -> WorkloadSpec:
    return WorkloadSpec(
        key=key,
        project_key="acp-p1",
        kind=WorkloadKind.JOB,
        gres="h20",
        cards=cards,
        argv=(sys.executable, "-c", code),
    )


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "the condition did not come true in time"
        time.sleep(0.05)


def seen(engine: LocalEngine, key: str) -> WorkloadObservation:
    return engine.observe([key])[0]


def facts(engine: LocalEngine, cursor: str = "") -> list[UsageFact]:
    return list(engine.usage(cursor).facts)


def workload_home(engine: LocalEngine, key: str) -> Path:
    return engine.folder.workload(key)


def supervisor_of(engine: LocalEngine, key: str) -> int:
    return int((workload_home(engine, key) / "supervisor.pid").read_text())


def alive(process_id: int) -> bool:
    """A zombie that nobody has reaped yet is dead."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self/stat").exists()


def process_of(engine: LocalEngine, key: str) -> int:
    return int(json.loads((workload_home(engine, key) / "run.json").read_text())["process_id"])


CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child", "w").write(str(child.pid))
time.sleep(600)
"""


def test_a_killed_supervisor_leaves_no_process_and_a_closed_account(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1", CHILD, cards=2))
    child_file = workload_home(engine, "acp-1") / "child"
    until(lambda: child_file.exists() and child_file.read_text())
    processes = [process_of(engine, "acp-1"), int(child_file.read_text())]
    started = seen(engine, "acp-1").started_at
    until(lambda: facts(engine)[0].seen_until >= started + timedelta(seconds=2))

    os.kill(supervisor_of(engine, "acp-1"), signal.SIGKILL)
    until(lambda: seen(engine, "acp-1").state is WorkloadState.FAILED)

    until(lambda: not any(alive(one) for one in processes))
    after = seen(engine, "acp-1")
    (fact,) = facts(engine)
    heartbeat = int((workload_home(engine, "acp-1") / "heartbeat").stat().st_mtime)
    assert after.reason == "Its supervisor was killed."
    assert fact.ended_at == after.ended_at == datetime.fromtimestamp(heartbeat, UTC)
    assert (fact.cards, fact.started_at) == (2, started)
    assert engine.inventory()[0].cards_allocated == 0
    assert seen(engine, "acp-1") == after


def test_usage_alone_buries_an_orphan_too(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1"))
    cursor = engine.usage("").cursor

    os.kill(supervisor_of(engine, "acp-1"), signal.SIGKILL)
    until(lambda: facts(engine)[0].ended_at)

    assert [fact.ended_at is None for fact in facts(engine, cursor)] == [False]
    assert seen(engine, "acp-1").state is WorkloadState.FAILED


def test_the_cards_of_an_orphan_are_given_to_who_waits(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1", cards=4))
    assert engine.ensure_workload(job("acp-2", cards=1)).state is WorkloadState.PENDING

    os.kill(supervisor_of(engine, "acp-1"), signal.SIGKILL)

    until(lambda: json.loads((workload_home(engine, "acp-2") / "run.json").read_text())["cards"])
    assert seen(engine, "acp-1").state is WorkloadState.FAILED


def test_callers_at_once_start_one_process(connection: dict[str, str], engine: LocalEngine) -> None:
    code = "open('starts', 'a').write('x'); import time; time.sleep(600)"
    callers = [LocalEngine(connection) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: one.ensure_workload(job("acp-1", code)), callers))

    starts = workload_home(engine, "acp-1") / "starts"
    until(starts.exists)
    assert {answer.engine_job_id for answer in answers} == {"local-1"}
    assert starts.read_text() == "x"
    assert len(facts(engine)) == 1


def test_a_second_supervisor_of_one_key_finds_the_first(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1"))
    before = (supervisor_of(engine, "acp-1"), process_of(engine, "acp-1"))

    engine._supervise("acp-1")

    assert (supervisor_of(engine, "acp-1"), process_of(engine, "acp-1")) == before
    assert len(facts(engine)) == 1


def test_a_workload_whose_caller_died_before_starting_it_still_starts(engine: LocalEngine) -> None:
    spec = job("acp-1")
    engine._prepare_home(spec)
    engine._enter(spec)  # and here the caller is killed

    until(lambda: seen(engine, "acp-1").state is WorkloadState.RUNNING)

    assert engine.ensure_workload(spec).engine_job_id == "local-1"
    assert len(facts(engine)) == 1


def test_a_killed_supervisor_that_still_waits_is_replaced(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1", cards=4))
    engine.ensure_workload(job("acp-2", cards=4))
    os.kill(supervisor_of(engine, "acp-2"), signal.SIGKILL)

    assert seen(engine, "acp-2").state is WorkloadState.PENDING
    engine.stop_workload("acp-1", grace_seconds=1)

    until(lambda: seen(engine, "acp-2").state is WorkloadState.RUNNING)


def test_more_cards_than_declared_wait_until_enough_are_free(engine: LocalEngine) -> None:
    for name in ("acp-1", "acp-2", "acp-3"):
        engine.ensure_workload(job(name, cards=2))

    states = [one.state for one in engine.observe(["acp-1", "acp-2", "acp-3"])]
    cards = [card for one in engine.observe(["acp-1", "acp-2"]) for card in one.cards]
    assert states == [WorkloadState.RUNNING, WorkloadState.RUNNING, WorkloadState.PENDING]
    assert sorted(cards) == ["n1/0", "n1/1", "n1/2", "n1/3"]
    assert engine.inventory()[0].cards_allocated == 4
    assert "free cards" in seen(engine, "acp-3").reason
    assert [fact.workload_key for fact in facts(engine)] == ["acp-1", "acp-2"]

    engine.stop_workload("acp-2", grace_seconds=1)

    until(lambda: seen(engine, "acp-3").state is WorkloadState.RUNNING)
    assert seen(engine, "acp-3").cards == ("n1/2", "n1/3")


def test_starters_at_once_never_get_the_same_card(engine: LocalEngine) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: engine.ensure_workload(job(f"acp-{n}")), range(6)))

    keys = [f"acp-{n}" for n in range(6)]
    running = [one for one in engine.observe(keys) if one.state is WorkloadState.RUNNING]
    assert sorted(one.cards[0] for one in running) == ["n1/0", "n1/1", "n1/2", "n1/3"]


def test_a_waiting_workload_that_is_stopped_never_ran(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1", cards=4))
    engine.ensure_workload(job("acp-2", cards=1))

    engine.stop_workload("acp-2", grace_seconds=1)

    until(lambda: seen(engine, "acp-2").state is WorkloadState.ENDED)
    assert seen(engine, "acp-2").started_at is None
    assert [fact.workload_key for fact in facts(engine)] == ["acp-1"]


def test_the_journal_survives_the_loss_of_its_last_line(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1"))
    cursor = engine.usage("").cursor
    engine.stop_workload("acp-1", grace_seconds=1)
    until(lambda: seen(engine, "acp-1").state is WorkloadState.ENDED)
    (whole,) = facts(engine)
    journal = engine.folder.journal
    os.truncate(journal, journal.stat().st_size - 7)

    assert facts(engine) == [whole]
    assert facts(engine, cursor) == [whole]

    engine.ensure_workload(job("acp-2"))
    assert [(fact.workload_key, fact.ended_at) for fact in facts(engine)] == [
        ("acp-1", whole.ended_at),
        ("acp-2", None),
    ]


def test_a_cursor_of_a_longer_journal_reads_from_the_beginning(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1", "pass"))
    until(lambda: seen(engine, "acp-1").state is WorkloadState.ENDED)
    everything = facts(engine)

    for cursor in ("99999:", "7:", "nonsense", "-4:", "12:³"):
        assert facts(engine, cursor) == everything


def test_work_that_ignores_the_request_is_killed_with_its_children(engine: LocalEngine) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + CHILD
    engine.ensure_workload(job("acp-1", stubborn))
    child_file = workload_home(engine, "acp-1") / "child"
    until(lambda: child_file.exists() and child_file.read_text())
    processes = [process_of(engine, "acp-1"), int(child_file.read_text())]

    engine.stop_workload("acp-1", grace_seconds=1)

    until(lambda: seen(engine, "acp-1").state is WorkloadState.ENDED)
    until(lambda: not any(alive(one) for one in processes))
    assert seen(engine, "acp-1").exit_code == -signal.SIGKILL


def test_shutdown_ends_everything_and_a_restart_says_so(connection: dict[str, str]) -> None:
    engine = LocalEngine(connection)
    engine.ensure_project(ProjectSpec(key="acp-p1", name="North"))
    engine.ensure_workload(job("acp-1", cards=3))
    engine.ensure_workload(job("acp-2", cards=3))
    process = process_of(engine, "acp-1")

    assert shutdown(connection) == ("acp-1", "acp-2")

    again = LocalEngine(connection)
    assert [one.state for one in again.observe(["acp-1", "acp-2"])] == [WorkloadState.ENDED] * 2
    assert "shut down" in seen(again, "acp-1").reason
    assert not alive(process)
    assert [fact.ended_at is None for fact in facts(again)] == [False]
    assert shutdown(connection) == ()


def test_the_portal_s_secrets_do_not_reach_the_work(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    engine.ensure_workload(job("acp-1", "import os; print(dict(os.environ)); exit(1)", cards=2))

    until(lambda: seen(engine, "acp-1").state is WorkloadState.FAILED)

    said = seen(engine, "acp-1").last_lines[-1]
    assert "secret" not in said
    assert "'ACP_CARDS': '0,1'" in said
    assert "'ASCEND_RT_VISIBLE_DEVICES': '0,1'" in said


def test_a_time_limit_ends_the_work(engine: LocalEngine) -> None:
    engine.ensure_workload(replace(job("acp-1"), time_limit_seconds=1))

    until(lambda: seen(engine, "acp-1").state is WorkloadState.FAILED)

    assert seen(engine, "acp-1").reason == "Its time limit has passed."


def test_work_ends_with_its_reservation(engine: LocalEngine) -> None:
    now = datetime.now(UTC)
    period = Period(now - timedelta(seconds=5), now + timedelta(seconds=2))
    spec = ReservationSpec(key="r1", project_key="acp-p1", gres="h20", cards=4, period=period)
    engine.ensure_reservation(spec)
    engine.ensure_workload(replace(job("acp-1"), reservation_key="r1"))

    until(lambda: seen(engine, "acp-1").state is WorkloadState.ENDED)

    assert seen(engine, "acp-1").reason == "Its reservation has ended."


def test_others_keep_off_reserved_cards(engine: LocalEngine) -> None:
    now = datetime.now(UTC)
    period = Period(now, now + timedelta(hours=1))
    spec = ReservationSpec(key="r1", project_key="acp-p1", gres="h20", cards=3, period=period)
    engine.ensure_reservation(spec)

    assert engine.ensure_workload(job("acp-1", cards=2)).state is WorkloadState.PENDING
    assert engine.ensure_workload(job("acp-2", cards=1)).state is WorkloadState.RUNNING
    inside = replace(job("acp-3", cards=3), reservation_key="r1")
    assert engine.ensure_workload(inside).state is WorkloadState.RUNNING


def test_a_disk_that_refuses_is_a_time_to_try_later(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    engine = LocalEngine({"state_dir": str(tmp_path / "file"), "nodes": json.dumps(NODES)})

    with pytest.raises(EngineUnavailable):
        engine.inventory()


@pytest.mark.parametrize("key", ["../escape", "a/b", "", ".", "x" * 200, "模型"])
def test_a_key_that_is_no_name_is_refused_and_lost(engine: LocalEngine, key: str) -> None:
    with pytest.raises(EngineRefused):
        engine.ensure_workload(job(key))

    assert seen(engine, key).state is WorkloadState.LOST
    engine.stop_workload(key)


@pytest.mark.parametrize(
    "nodes", ["{", "[1]", '[{"name": "n"}]', '[{"name":"n","gres":"g","cards":0}]']
)
def test_malformed_settings_are_refused(tmp_path: Path, nodes: str) -> None:
    with pytest.raises(EngineRefused):
        LocalEngine({"state_dir": str(tmp_path), "nodes": nodes})


def test_a_node_with_work_drains_before_it_is_drained(engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1"))
    engine.drain("n1", "acp-isolate-1 风扇")

    (node,) = engine.inventory()
    assert (node.state, node.reason) == (NodeState.DRAINING, "acp-isolate-1 风扇")


def test_a_closing_line_lost_with_the_disk_is_written_before_the_next_generation(
    engine: LocalEngine,
) -> None:
    engine.ensure_workload(job("acp-1", "pass"))
    until(lambda: seen(engine, "acp-1").state is WorkloadState.ENDED)
    (whole,) = facts(engine)
    os.truncate(engine.folder.journal, engine.folder.journal.stat().st_size - 7)

    engine.ensure_workload(replace(job("acp-1"), generation=2))

    first, second = facts(engine)
    assert first == whole
    assert second.ended_at is None
    assert second.engine_job_id != first.engine_job_id


def test_shutdown_needs_no_disk(connection: dict[str, str], engine: LocalEngine) -> None:
    engine.ensure_workload(job("acp-1"))
    process = process_of(engine, "acp-1")
    code = (
        "import json, resource, sys; from compute.engines.local import shutdown;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "print(shutdown(json.loads(sys.argv[1])))"
    )

    said = subprocess.run(
        [sys.executable, "-c", code, json.dumps(connection)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert said.stdout == "('acp-1',)\n"
    assert not alive(process)
    assert seen(engine, "acp-1").reason == "The machine told it to end."


def test_a_chatty_workload_keeps_only_its_last_lines(engine: LocalEngine) -> None:
    # In one piece: nothing is trimmed while it is half written.
    code = (
        "import sys, time\nout = sys.stdout.buffer\n"
        "out.write((b'x' * 2**20 + b'\\n') * 18 + b'last words\\n')\n"
        "out.flush()\ntime.sleep(600)"
    )
    engine.ensure_workload(job("acp-1", code))
    output = workload_home(engine, "acp-1") / "output.log"

    def is_trimmed() -> bool:
        return output.stat().st_size < 2**20 and output.read_bytes().endswith(b"last words\n")

    until(is_trimmed)


def test_a_process_is_known_by_its_start_without_proc_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = subprocess.Popen([sys.executable, "-c", FOREVER])
    try:
        with_proc = processes.identity(child.pid)
        monkeypatch.setattr(processes, "PROC", tmp_path / "none")

        without = processes.identity(child.pid)

        assert without == processes.identity(child.pid)
        assert "" not in {with_proc, without}
    finally:
        child.kill()
        child.wait()
    assert processes.identity(child.pid) == ""


def test_a_stranger_with_a_reused_number_is_left_alone() -> None:
    stranger = subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True)
    try:
        processes.kill_orphans(stranger.pid, processes.identity(os.getpid()))
        assert stranger.poll() is None

        processes.kill_orphans(stranger.pid, processes.identity(stranger.pid))
        assert stranger.wait(10) == -signal.SIGKILL
    finally:
        stranger.kill()
        stranger.wait()
