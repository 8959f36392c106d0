"""What the adapter reads out of Slurm's own words, recorded from 22.05.8; no Slurm is needed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from compute.engines import NodeFact, NodeState, UsageFact, WorkloadState
from compute.engines.slurm.jobs import JobRecord, history_record, queue_record
from compute.engines.slurm.nodes import node_fact
from compute.engines.slurm.parsing import (
    cards,
    exit_code,
    fields,
    hosts,
    instant,
    node_state,
    one_kind,
    workload_state,
)
from compute.engines.slurm.reservations import held
from compute.engines.slurm.usage import fact_of, usage_row

RECORDED = Path(__file__).parent / "recorded" / "slurm-22.05.8"


def lines(name: str) -> list[str]:
    return (RECORDED / name).read_text().splitlines()


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


# Recorded outputs.


def test_every_recorded_node_is_read() -> None:
    facts = {fact.name: fact for fact in map(node_fact, lines("scontrol-show-node.txt"))}

    assert len(facts) == 16
    assert sum(fact.cards for fact in facts.values()) == 116
    assert facts["h20-001"] == NodeFact(
        name="h20-001",
        gres="h20",
        cards=8,
        cards_allocated=8,
        state=NodeState.UP,
        reason="",
        cpus=192,
        memory_mib=2_048_000,
    )
    assert facts["h20-002"].cards_allocated == 2
    assert facts["dcu-003"].cards == 4
    drained = facts["mlu370-001"]
    assert drained.state is NodeState.DRAINED
    assert drained.reason.startswith("acp-7 fan [root@")


def test_the_recorded_reservation_is_read() -> None:
    (reservation,) = [held(line) for line in lines("scontrol-show-reservation.txt")]

    assert reservation is not None
    assert reservation.name == "acp-res-2"
    assert reservation.nodes == ("h20-001", "h20-002")
    assert reservation.accounts == ("acp-p7",)
    assert reservation.period.seconds == 4 * 3600
    assert reservation.active


def test_the_answer_for_no_reservation_is_none() -> None:
    assert held("No reservations in the system") is None


def test_the_recorded_queue_is_read() -> None:
    records = {
        record.key: record for record in filter(None, map(queue_record, lines("squeue.txt")))
    }

    assert set(records) == {"acp-v1", "acp-v2", "acp-v3", "acp-v4", "acp-v5"}
    running = records["acp-v1"].observation()
    assert running.state is WorkloadState.RUNNING
    assert running.engine_job_id == "15"
    assert running.node == "h20-001"
    assert running.cards == ("0", "1", "2", "3", "4", "5", "6", "7")
    assert running.started_at == at(1795327595)
    assert (running.ended_at, running.exit_code, running.reason) == (None, None, "")
    failed = records["acp-v4"].observation(("out of memory",))
    assert (failed.state, failed.exit_code) == (WorkloadState.FAILED, 3)
    assert failed.reason == "FAILED: NonZeroExitCode"
    assert failed.last_lines == ("out of memory",)
    assert failed.ended_at == at(1795327596)
    stopped = records["acp-v2"].observation()
    assert (stopped.state, stopped.exit_code) == (WorkloadState.ENDED, 128 + 15)
    assert stopped.reason == "CANCELLED"


def test_the_recorded_history_is_read() -> None:
    records = [record for record in map(history_record, lines("sacct-history.txt")) if record]

    assert len(records) == len(lines("sacct-history.txt"))
    by_id = {record.job_id: record for record in records}
    assert by_id["18"].exit_code == 3
    assert by_id["18"].state is WorkloadState.FAILED
    assert by_id["16"].state is WorkloadState.ENDED
    assert by_id["15"].is_live
    requeued = [record for record in records if record.job_id == "14"]
    assert [record.submitted_at for record in requeued] == [at(1795327319), at(1795327323)]


@pytest.mark.parametrize("word", ["PREEMPTED", "CANCELLED by 0", "REQUEUED", "NODE_FAIL"])
def test_only_preempted_work_is_said_to_have_been_preempted(word: str) -> None:
    line = f"7|acp-v1|{word}|1795327319|1795327320|1795327330|0:15|h20-001|{{}}"

    record = history_record(line)

    assert record is not None
    seen = record.observation()
    assert seen.preempted is (word == "PREEMPTED")
    if seen.preempted:
        assert (seen.state, seen.reason) == (WorkloadState.ENDED, "PREEMPTED")


def test_what_slurm_refused_at_submission_was_never_accepted() -> None:
    records = [record for record in map(history_record, lines("sacct-history.txt")) if record]

    refused = [record.job_id for record in records if not record.was_accepted]

    assert refused == ["5", "6"]


def test_the_recorded_usage_is_read() -> None:
    rows = [row for row in map(usage_row, lines("sacct-usage.txt")) if row]
    facts = {}
    for row in rows:
        fact = fact_of(row, 1795327606, "")
        if fact:
            facts[fact.record_key] = fact

    assert len(rows) == len(lines("sacct-usage.txt"))
    assert not [key for key in facts if key.startswith(("5:", "6:"))]
    assert facts["16:1795327594"] == UsageFact(
        record_key="16:1795327594",
        workload_key="acp-v2",
        engine_job_id="16",
        node="h20-002",
        gres="h20",
        cards=2,
        started_at=at(1795327595),
        ended_at=at(1795327600),
        seen_until=at(1795327600),
        reservation_key="acp-res-2",
    )
    still_open = facts["15:1795327594"]
    assert (still_open.ended_at, still_open.seen_until) == (None, at(1795327606))
    requeued = [fact for key, fact in facts.items() if key.startswith("14:")]
    assert [_card_seconds(fact) for fact in requeued] == [2 * 2, 36 * 2]


def _card_seconds(fact: UsageFact) -> int:
    assert fact.ended_at is not None
    return fact.cards * int((fact.ended_at - fact.started_at).total_seconds())


# Rows as they were seen in other moments.


def test_a_row_whose_start_slurmdbd_was_not_told_of_is_no_fact_yet() -> None:
    row = usage_row("9|1795326941|PENDING|1795326942|Unknown|2|gres/gpu:h20=8|h20-001|||acp-w1")

    assert row is not None
    assert fact_of(row, 1795326950, "") is None


def test_a_running_job_lends_its_reservation_to_a_row_that_lacks_it() -> None:
    row = usage_row("9|1795326941|RUNNING|1795326942|Unknown|2|gres/gpu:h20=8|h20-001|||acp-w1")

    assert row is not None
    fact = fact_of(row, 1795326950, "acp-res-1")
    assert fact is not None
    assert fact.reservation_key == "acp-res-1"


def test_suspension_is_no_usage() -> None:
    row = usage_row("9|100|COMPLETED|1000|1100|60|gres/gpu:h20=8|h20-001|||acp-w1")

    assert row is not None
    fact = fact_of(row, 0, "")
    assert fact is not None
    assert _card_seconds(fact) == 8 * 60


def test_an_endpoint_of_the_start_before_a_requeue_is_not_shown() -> None:
    assert _running(restarts=1, published_restart=0).observation().endpoint == ""
    assert _running(restarts=1, published_restart=1).observation().endpoint == "http://10.0.0.1:20"


def _running(*, restarts: int, published_restart: int) -> JobRecord:
    comment = f'{{"generation":4,"restart":{published_restart},"endpoint":"http://10.0.0.1:20"}}'
    record = queue_record(f"7|acp-a|RUNNING|90|100|NONE|{restarts}|0|n1|None|{comment}   |")
    assert record is not None
    assert record.generation == 4
    return record


def test_somebody_elses_comment_is_no_harm() -> None:
    for comment in ("(null)", "hello | world", "[1]", '{"generation":"x"}'):
        record = queue_record(f"7|acp-a|RUNNING|90|100|NONE|0|0|n1|None|{comment}   |")
        assert record is not None
        assert (record.generation, record.observation().endpoint) == (1, "")


def test_a_line_that_is_no_record_is_left_out() -> None:
    assert queue_record("slurm_load_jobs error") is None
    assert history_record("") is None
    assert usage_row("9|Unknown|PENDING") is None


# Small words.


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("dcu-001", ("dcu-001",)),
        ("h20-[001-003,007]", ("h20-001", "h20-002", "h20-003", "h20-007")),
        ("a1,b-[09-10]x,c", ("a1", "b-09x", "b-10x", "c")),
        ("None assigned", ()),
        ("(null)", ()),
        ("", ()),
    ],
)
def test_short_host_lists_are_spelt_out(expression: str, names: tuple[str, ...]) -> None:
    assert hosts(expression) == names


def test_cards_are_counted_by_type() -> None:
    assert cards("cpu=1,mem=1G,gres/gpu=3,gres/gpu:h20=1,gres/gpu:dcu=2") == {"h20": 1, "dcu": 2}
    assert one_kind("billing=1,gres/gpu:h20=8,gres/gpu=8") == ("h20", 8)
    assert one_kind("cpu=1,gres/gpu=2") == ("gpu", 2)
    assert one_kind("cpu=1") == ("", 0)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("IDLE", NodeState.UP),
        ("MIXED+PLANNED", NodeState.UP),
        ("IDLE+CLOUD+POWERED_DOWN", NodeState.UP),
        ("IDLE+DRAIN", NodeState.DRAINED),
        ("MIXED+DRAIN", NodeState.DRAINING),
        ("IDLE+COMPLETING+DRAIN", NodeState.DRAINING),
        ("MIXED*", NodeState.DOWN),
        ("IDLE+DRAIN+NOT_RESPONDING", NodeState.DOWN),
        ("DOWN+DRAIN", NodeState.DOWN),
        ("IDLE+INVALID_REG+DRAIN", NodeState.DOWN),
    ],
)
def test_the_flags_of_a_node_count_before_its_base(text: str, state: NodeState) -> None:
    assert node_state(text) is state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("PENDING", WorkloadState.PENDING),
        ("CONFIGURING", WorkloadState.PENDING),
        ("COMPLETING", WorkloadState.RUNNING),
        ("CANCELLED by 1000", WorkloadState.ENDED),
        ("TIMEOUT", WorkloadState.ENDED),
        ("NODE_FAIL", WorkloadState.FAILED),
        ("OUT_OF_MEMORY", WorkloadState.FAILED),
        ("A_WORD_OF_TOMORROW", WorkloadState.FAILED),
    ],
)
def test_job_states_become_the_ports(text: str, state: WorkloadState) -> None:
    assert workload_state(text) is state


def test_a_free_text_cannot_replace_a_field_before_it() -> None:
    found = fields("NodeName=n1 State=IDLE OS=Linux 6.1 #1 SMP Reason=fan State=DOWN")

    assert found["State"] == "IDLE"
    assert found["OS"] == "Linux 6.1 #1 SMP"


def test_instants_and_exit_codes() -> None:
    assert instant("1795326942") == at(1795326942)
    assert [instant(word) for word in ("Unknown", "None", "N/A", "0", "")] == [None] * 5
    assert [exit_code(word) for word in ("3:0", "0:9", "0:0", "")] == [3, 137, 0, None]
