"""The adapter's own decisions, without a Slurm: when to try again, what to hold, what to quote."""

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from compute.engines import (
    EngineRefused,
    EngineUnavailable,
    NodeFact,
    NodeState,
    ServiceClass,
    WorkloadKind,
    WorkloadSpec,
)
from compute.engines.slurm import SlurmEngine
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.reservations import fewest_covering
from compute.engines.slurm.script import batch_script
from compute.engines.slurm.settings import Connection
from compute.engines.slurm.usage import EARLIEST, Cursor, advance
from compute.engines.slurm.workloads import submission

SPEC = WorkloadSpec(
    key="acp-a1",
    project_key="acp-p1",
    kind=WorkloadKind.SERVICE,
    gres="h20",
    cards=2,
    argv=("serve",),
)


# The connection.


@pytest.mark.parametrize(
    "settings", [{"timeout_seconds": "soon"}, {"colour": "blue"}, {"qos_shared": "a,b"}]
)
def test_a_wrong_connection_setting_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(EngineRefused):
        SlurmEngine(settings)


def program(folder: Path, name: str, body: str) -> Connection:
    """A connection whose ``bin_dir`` holds one program of the test's own."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return Connection(bin_dir=str(folder), timeout_seconds=2)


def test_a_program_that_hangs_is_unavailable_in_time(tmp_path: Path) -> None:
    commands = Commands(program(tmp_path, "squeue", "exec sleep 60"))
    started = time.monotonic()

    with pytest.raises(EngineUnavailable):
        commands.ask("squeue")
    with pytest.raises(EngineUnavailable):  # one clock for all programs of a call
        commands.ask("squeue")

    assert time.monotonic() - started < 4


def test_a_host_without_slurm_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        SlurmEngine({"bin_dir": str(tmp_path)}).inventory()


def test_silence_is_tried_again_and_a_no_is_final(tmp_path: Path) -> None:
    silent = "echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1"
    with pytest.raises(EngineUnavailable):
        Commands(program(tmp_path, "sbatch", silent)).ask("sbatch")
    no = "echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1"
    with pytest.raises(EngineRefused, match="Invalid account"):
        Commands(program(tmp_path, "sbatch", no)).ask("sbatch")


def test_nothing_of_the_portals_environment_reaches_slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    monkeypatch.setenv("SBATCH_RESERVATION", "somebody-elses")

    printed = Commands(program(tmp_path, "env-of", "exec env")).ask("env-of")

    names = {line.partition("=")[0] for line in printed.splitlines()}
    assert names - {"PWD", "_", "SHLVL"} == {"PATH", "TZ", "LC_ALL", "SLURM_TIME_FORMAT"}


@pytest.mark.parametrize("key", ["", "A", "a b", "a,b", "-a", "a;b", "a$b", "模型", "a" * 64])
def test_a_name_slurm_would_change_or_split_is_refused(key: str) -> None:
    with pytest.raises(EngineRefused):
        submission(Connection(), replace(SPEC, key=key))


def test_the_card_type_is_always_named() -> None:
    arguments = submission(Connection(), replace(SPEC, time_limit_seconds=61))

    assert "--gres=gpu:h20:2" in arguments
    assert "--time=2" in arguments


@pytest.mark.parametrize(
    ("chosen", "options"),
    [
        (ServiceClass.ON_DEMAND, {"--requeue"}),
        (ServiceClass.SHARED, {"--qos=cheap", "--no-requeue"}),
        (ServiceClass.URGENT, {"--qos=first", "--requeue"}),
    ],
)
def test_a_service_class_is_a_qos_of_the_sites(chosen: ServiceClass, options: set[str]) -> None:
    connection = Connection(qos_shared="cheap", qos_urgent="first")

    arguments = submission(connection, replace(SPEC, service_class=chosen))

    assert {one for one in arguments if "qos" in one or "requeue" in one} == options


def test_inside_a_reservation_no_class_is_named() -> None:
    spec = replace(SPEC, reservation_key="acp-r1", service_class=ServiceClass.URGENT)

    arguments = submission(Connection(qos_urgent="first"), spec)

    assert [one for one in arguments if "qos" in one] == []


def test_a_class_without_a_qos_is_refused_and_not_offered() -> None:
    with pytest.raises(EngineRefused, match="no QOS for urgent"):
        submission(Connection(), replace(SPEC, service_class=ServiceClass.URGENT))

    offered = {
        name: SlurmEngine.service_classes(settings)
        for name, settings in (
            ("none", {}),
            ("shared", {"qos_shared": "cheap"}),
            ("both", {"qos_shared": "cheap", "qos_urgent": "first", "timeout_seconds": "soon"}),
            ("unsafe", {"qos_urgent": "a,b"}),
        )
    }

    on_demand, shared, urgent = ServiceClass
    assert offered == {
        "none": {on_demand},
        "shared": {on_demand, shared},
        "both": {on_demand, shared, urgent},
        "unsafe": {on_demand},
    }


# The batch script.


def run_script(tmp_path: Path, spec: WorkloadSpec) -> "tuple[str, dict[str, object]]":
    """What the program printed, and the comment; scontrol is the test's own."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        '#!/bin/sh\n[ "$1" = update ] || { echo "NodeName=n1 NodeAddr=10.0.0.9 Port=1"; exit; }\n'
        f'printf %s "${{3#Comment=}}" > {tmp_path}/comment\n'
    )
    scontrol.chmod(0o755)
    done = subprocess.run(
        ["bash", "-s"],
        input=batch_script(Connection(), spec),
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "SLURM_JOB_ID": "7",
            "SLURMD_NODENAME": "n1",
            "SLURM_JOB_GPUS": "0,3",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, json.loads((tmp_path / "comment").read_text())


def test_a_service_publishes_where_it_answers(tmp_path: Path) -> None:
    spec = replace(SPEC, argv=("sh", "-c", "echo $PORT"), generation=3, reservation_key="acp-r1")

    printed, comment = run_script(tmp_path, spec)

    assert comment == {
        "generation": 3,
        "reservation": "acp-r1",
        "node": "n1",
        "cards": "0,3",
        "restart": 0,
        "endpoint": f"http://10.0.0.9:{printed.strip()}",
    }
    assert 20000 <= int(printed) <= 31999


def test_a_service_may_bring_its_own_port(tmp_path: Path) -> None:
    spec = replace(SPEC, argv=("sh", "-c", "echo $PORT"), env={"PORT": "29999"})

    printed, comment = run_script(tmp_path, spec)

    assert printed == "29999\n"
    assert comment["endpoint"] == "http://10.0.0.9:29999"


def test_the_works_environment_cannot_change_the_script(tmp_path: Path) -> None:
    hostile = {"PATH": "/usr/bin:/bin:/mine", "comment": "x", "SLURM_JOB_GPUS": "9"}
    spec = replace(SPEC, kind=WorkloadKind.JOB, argv=("sh", "-c", "echo $PATH"), env=hostile)

    printed, comment = run_script(tmp_path, spec)

    assert printed == "/usr/bin:/bin:/mine\n"
    assert comment == {"generation": 1, "node": "n1", "cards": "0,3", "restart": 0}


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, argv=()),
        replace(SPEC, argv=("a\0b",)),
        replace(SPEC, env={"A B": "x"}),
        replace(SPEC, env={"A;touch x": "x"}),
    ],
)
def test_what_bash_could_misread_is_refused(spec: WorkloadSpec) -> None:
    with pytest.raises(EngineRefused):
        batch_script(Connection(), spec)


# Nodes of a reservation.


def nodes(*cards: int) -> list[NodeFact]:
    return [
        NodeFact(name=f"n{nth}", gres="h20", cards=count, cards_allocated=0, state=NodeState.UP)
        for nth, count in enumerate(cards)
    ]


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        (4, ("n1",)),
        (5, ("n0",)),
        (8, ("n0",)),
        (12, ("n0", "n1")),
        (17, ("n0", "n1", "n2")),
        (20, ("n0", "n1", "n2")),
    ],
)
def test_the_fewest_nodes_cover_the_cards(cards: int, names: tuple[str, ...]) -> None:
    assert fewest_covering(nodes(8, 4, 8), cards) == names


def test_too_few_free_cards_are_refused() -> None:
    with pytest.raises(EngineRefused, match="lack 1 of 21 cards"):
        fewest_covering(nodes(8, 4, 8), 21)
    drained = [replace(node, state=NodeState.DRAINED) for node in nodes(8)]
    with pytest.raises(EngineRefused):
        fewest_covering(drained, 1)


def test_cards_of_nodes_that_are_down_may_come_back() -> None:
    down = [replace(node, state=NodeState.DOWN) for node in nodes(8)]

    with pytest.raises(EngineUnavailable):
        fewest_covering(down, 8)
    with pytest.raises(EngineRefused):
        fewest_covering(down, 9)


# The usage cursor.

CALM = Connection(usage_hold_seconds=300, usage_overlap_seconds=60)


def step(cursor: Cursor, now: int, *, is_disturbed: bool = False, failed_at: int = 0) -> Cursor:
    return advance(cursor, CALM, now=now, is_disturbed=is_disturbed, failed_at=failed_at, seen={})


def test_in_calm_the_cursor_trails_the_clock_by_hold_and_overlap() -> None:
    first = step(Cursor(), 2_000_000)

    assert first.since == 2_000_000 - 360
    assert step(first, 2_000_030).since == 2_000_030 - 360


@pytest.mark.parametrize(
    ("is_disturbed", "failed_at"), [(True, 0), (False, 2_000_010)], ids=["queue", "no answer"]
)
def test_after_a_disturbance_the_cursor_stands_for_the_hold_time(
    is_disturbed: bool, failed_at: int
) -> None:
    calm = step(Cursor(), 2_000_000)

    held = step(calm, 2_000_010, is_disturbed=is_disturbed, failed_at=failed_at)
    assert held.since == calm.since
    for now in range(2_000_040, 2_000_310, 30):
        held = step(held, now)
        assert held.since == calm.since

    assert step(held, 2_000_310).since == 2_000_310 - 360


def test_a_pause_may_have_hidden_an_outage() -> None:
    calm = step(Cursor(), 2_000_000)

    late = step(calm, 2_000_101)

    assert late.since == calm.since
    assert late.hold_until == 2_000_401


def test_the_cursor_never_goes_back() -> None:
    ahead = Cursor(since=3_000_000, polled_at=2_000_000)

    assert step(ahead, 2_000_010).since == 3_000_000


def test_the_cursor_survives_being_kept_as_text() -> None:
    cursor = Cursor(since=5, polled_at=6, hold_until=7, open={"9:100": 8})

    assert Cursor.read(cursor.text()) == cursor
    assert Cursor.read("") == Cursor(since=EARLIEST)


@pytest.mark.parametrize("text", ["x", "[]", '{"other":1}', '{"open":[1]}', "7"])
def test_a_cursor_of_somebody_else_is_refused(text: str) -> None:
    with pytest.raises(EngineRefused):
        Cursor.read(text)
