"""The engine contract, and what is Slurm's own, on a real Slurm of sixteen emulated nodes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.period import Period
from compute.engines import (
    EngineRefused,
    EngineUnavailable,
    ProjectSpec,
    ReservationSpec,
    ServiceClass,
    UsageFact,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from compute.engines.slurm import SlurmEngine
from tests.contracts.engine_bench import (
    Launch,
    UsageReader,
    WaitUntil,
    in_state,
    new_key,
    observed,
    with_endpoint,
)
from tests.contracts.engine_contract import EngineContract
from tests.slurmlab import CLASSES, SlurmLab

pytestmark = pytest.mark.slurm

FOR_LONG = "import time; time.sleep(600)"
RUNNING, PENDING = WorkloadState.RUNNING, WorkloadState.PENDING


@pytest.fixture(scope="module")
def engine(lab: SlurmLab) -> SlurmEngine:
    return SlurmEngine(lab.connection())


class TestSlurm(EngineContract):
    patience_seconds = 40.0

    @pytest.fixture
    def gres(self) -> str:
        return "dcu"

    # Projects.

    def test_the_ceiling_of_a_project_is_its_accounts_limit(
        self, engine: SlurmEngine, lab: SlurmLab
    ) -> None:
        project = ProjectSpec("acp-ceiling", 'Ceiling, "quoted" = 契约', {"h20": 16, "dcu": 4})

        engine.ensure_project(project)
        assert _limits(lab) == "gres/gpu:dcu=4,gres/gpu:h20=16"
        engine.ensure_project(replace(project, max_cards={"h20": 8}))

        assert _limits(lab) == "gres/gpu:h20=8"

    # Reservations.

    @pytest.fixture
    def part(self, engine: SlurmEngine, project: ProjectSpec) -> Iterator[ReservationSpec]:
        """Eleven of the sixteen cards of two nodes."""
        now = datetime.now(UTC)
        period = Period(now, now + timedelta(hours=2))
        spec = ReservationSpec(new_key(), project.key, "h20", 11, period)
        yield spec
        engine.drop_reservation(spec.key)

    def test_part_of_a_node_takes_the_whole_node_and_limits_the_work_to_the_contract(
        self,
        engine: SlurmEngine,
        part: ReservationSpec,
        project: ProjectSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        held = engine.ensure_reservation(part)
        assert held.nodes == ("h20-001", "h20-002")
        assert held.cards == 11

        first, second, third = (
            replace(
                self.job(project, "h20", "import time; time.sleep(600)"),
                cards=cards,
                reservation_key=part.key,
            )
            for cards in (8, 3, 1)
        )
        for spec in (first, second):
            launch(spec)
            wait_until(lambda spec=spec: in_state(observed(engine, spec.key), RUNNING))
        launch(third)

        held_back = wait_until(lambda: _with_reason(engine, third.key))
        assert (held_back.state, held_back.reason) == (WorkloadState.PENDING, "QOSGrpGRES")

    def test_a_longer_contract_moves_the_end(
        self, engine: SlurmEngine, part: ReservationSpec
    ) -> None:
        first = engine.ensure_reservation(part)
        longer = Period(part.period.start, part.period.end + timedelta(hours=1))

        moved = engine.ensure_reservation(replace(part, period=longer))

        assert moved.nodes == first.nodes
        assert moved.period.end == longer.end.replace(microsecond=0)

    def test_another_reservation_of_the_name_is_refused_and_stays(
        self, engine: SlurmEngine, part: ReservationSpec
    ) -> None:
        first = engine.ensure_reservation(part)

        for other in (replace(part, cards=10), replace(part, gres="dcu")):
            with pytest.raises(EngineRefused):
                engine.ensure_reservation(other)

        assert engine.ensure_reservation(part) == first

    def test_named_nodes_are_reserved_once(
        self, engine: SlurmEngine, lab: SlurmLab, part: ReservationSpec
    ) -> None:
        named = replace(part, cards=8, nodes=("h20-003",))
        assert engine.ensure_reservation(named).nodes == ("h20-003",)
        rival = replace(named, key=new_key())

        with pytest.raises(EngineRefused, match="overlap"):
            engine.ensure_reservation(rival)
        with pytest.raises(EngineRefused, match="named nodes"):
            engine.ensure_reservation(replace(rival, nodes=("dcu-001",)))

        assert f"ReservationName={rival.key}" not in lab.run(
            "scontrol", "-o", "show", "reservation"
        )

    def test_a_reservation_of_the_future_keeps_other_contracts_off_its_nodes(
        self, engine: SlurmEngine, part: ReservationSpec
    ) -> None:
        later = Period(part.period.start + timedelta(days=1), part.period.end + timedelta(days=1))
        future = replace(part, cards=32, period=later)
        held = engine.ensure_reservation(future)
        assert len(held.nodes) == 4
        assert not held.active

        with pytest.raises(EngineRefused, match="lack 8 of 8 cards"):
            engine.ensure_reservation(replace(future, key=new_key(), cards=8))

    # Workloads.

    def test_the_sites_filter_refuses_cards_without_a_type(
        self, lab: SlurmLab, project: ProjectSpec
    ) -> None:
        untyped = ("sbatch", "--gres=gpu:2", f"--account={project.key}", "--wrap=true")

        assert "name the card type" in lab.run(*untyped, check=False)

    def test_a_requeued_service_publishes_anew_and_is_metered_twice(
        self,
        engine: SlurmEngine,
        lab: SlurmLab,
        service: WorkloadSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        launch(service)
        first = wait_until(lambda: with_endpoint(observed(engine, service.key)))
        lab.run("scontrol", "requeue", first.engine_job_id)

        waiting = wait_until(lambda: in_state(observed(engine, service.key), PENDING))
        assert (waiting.endpoint, waiting.started_at) == ("", None)
        second = wait_until(lambda: with_endpoint(observed(engine, service.key)))

        assert second.engine_job_id == first.engine_job_id
        assert second.endpoint != first.endpoint
        reader = UsageReader(engine)
        facts = wait_until(lambda: _two(reader, service.key))
        assert [fact.ended_at is None for fact in facts] == [False, True]
        assert len({fact.record_key for fact in facts}) == 2

    def test_of_two_jobs_with_one_name_the_first_stays(
        self,
        engine: SlurmEngine,
        lab: SlurmLab,
        service: WorkloadSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        first = launch(service)
        twin = (f"--job-name={service.key}", f"--account={service.project_key}")
        lab.run("sbatch", "--gres=gpu:h20:1", *twin, "--wrap=exec sleep 600")

        assert launch(service).engine_job_id == first.engine_job_id

        names = ("squeue", "-h", "-t", "PENDING,RUNNING", f"--name={service.key}", "-o", "%A")
        wait_until(lambda: lab.run(*names).split() == [first.engine_job_id])

    def test_the_start_is_estimated(self, engine: SlurmEngine, service: WorkloadSpec) -> None:
        estimate = engine.estimate_start(service)

        assert estimate is not None
        assert abs(estimate - datetime.now(UTC)) < timedelta(minutes=5)
        with pytest.raises(EngineRefused):
            engine.estimate_start(replace(service, cards=5))

    # Service classes.

    def test_the_lab_is_set_up_by_the_lines_of_the_document(self) -> None:
        text = Path("docs/slurm.md").read_text()

        assert all(f"sacctmgr -i {line}\n" in text for line in CLASSES)

    def test_every_class_runs_under_its_own_qos(
        self,
        engine: SlurmEngine,
        lab: SlurmLab,
        project: ProjectSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        told = {}
        for chosen in ServiceClass:
            spec = replace(self.job(project, "dcu", FOR_LONG), service_class=chosen)
            launch(spec)
            seen = wait_until(lambda spec=spec: in_state(observed(engine, spec.key), RUNNING))
            said = lab.run("squeue", "-h", f"--jobs={seen.engine_job_id}", "-O", "QOS:30")
            told[chosen.value] = said.strip()

        assert told == {"on_demand": "normal", "shared": "shared", "urgent": "urgent"}

    @pytest.mark.parametrize("mode", ["cancel", "requeue"])
    def test_a_shared_job_ends_where_an_urgent_one_needs_its_cards(
        self,
        engine: SlurmEngine,
        lab: SlurmLab,
        project: ProjectSpec,
        launch: Launch,
        wait_until: WaitUntil,
        mode: str,
    ) -> None:
        lab.run("sacctmgr", "-i", "modify", "qos", "shared", "set", f"PreemptMode={mode}")
        job = replace(self.job(project, "dcu", FOR_LONG), cards=4)
        # Three nodes of four cards: no card is left.
        shared = [
            replace(job, key=new_key(), service_class=ServiceClass.SHARED) for _node in range(3)
        ]
        for spec in shared:
            launch(spec)
            wait_until(lambda spec=spec: in_state(observed(engine, spec.key), RUNNING))
        urgent = replace(job, key=new_key(), service_class=ServiceClass.URGENT)

        launch(urgent)
        wait_until(lambda: in_state(observed(engine, urgent.key), RUNNING))

        states = [one.state for one in engine.observe([spec.key for spec in shared])]
        assert sorted(states) == [WorkloadState.ENDED, RUNNING, RUNNING]
        (ended,) = (one for one in engine.observe([spec.key for spec in shared]) if one.preempted)
        assert (ended.state, ended.reason.split(":")[0]) == (WorkloadState.ENDED, "PREEMPTED")
        reader = UsageReader(engine)
        (fact,) = wait_until(lambda: reader.closed(ended.key))
        assert (fact.started_at, fact.ended_at) == (ended.started_at, ended.ended_at)
        assert (fact.cards, fact.ended_at - fact.started_at < timedelta(minutes=2)) == (4, True)

    # The connection.

    def test_a_cluster_that_is_not_there_is_unavailable(self, lab: SlurmLab) -> None:
        gone = {"slurm_conf": "/nonexistent/slurm.conf", "timeout_seconds": "2"}
        elsewhere = SlurmEngine({**lab.connection(), **gone})

        with pytest.raises(EngineUnavailable):
            elsewhere.inventory()


def _limits(lab: SlurmLab) -> str:
    asked = ("where", "account=acp-ceiling", "user=", "format=GrpTRES")
    return lab.run("sacctmgr", "-nP", "show", "assoc", *asked).strip()


def _with_reason(engine: SlurmEngine, key: str) -> WorkloadObservation | None:
    seen = observed(engine, key)
    return seen if seen.reason not in ("", "Priority") else None


def _two(reader: UsageReader, key: str) -> list[UsageFact]:
    """The facts of a workload in the order they began, once there are two."""
    reader.read()
    facts = sorted(reader.of(key), key=_began)
    return facts if len(facts) == 2 else []


def _began(fact: UsageFact) -> datetime:
    return fact.started_at
