"""What a real Slurm's crashes may not change: one workload a key, and every card-second counted."""

import json

import pytest

from compute.engines import (
    EngineUnavailable,
    ProjectSpec,
    ReservationSpec,
    WorkloadKind,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from compute.engines.slurm import SlurmEngine
from compute.engines.slurm.usage import EARLIEST
from tests.contracts.engine_bench import (
    EngineBench,
    Launch,
    UsageReader,
    WaitUntil,
    card_seconds,
    new_key,
)
from tests.slurmlab import SlurmLab

pytestmark = pytest.mark.slurm


class TestFaults(EngineBench):
    patience_seconds = 60.0

    @pytest.fixture
    def gres(self) -> str:
        return "mlu370"

    @pytest.fixture
    def engine(self, lab: SlurmLab) -> SlurmEngine:
        quick = {"usage_hold_seconds": "12", "usage_overlap_seconds": "5", "timeout_seconds": "5"}
        return SlurmEngine(lab.connection(**quick))

    def test_work_accepted_just_before_slurmctld_was_killed_exists_once(
        self,
        engine: SlurmEngine,
        lab: SlurmLab,
        service: WorkloadSpec,
        reservation: ReservationSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        engine.ensure_reservation(reservation)
        inside = WorkloadSpec(**{**vars(service), "reservation_key": reservation.key})
        launch(inside)
        lab.kill("slurmctld")
        with pytest.raises(EngineUnavailable):
            engine.observe([inside.key])
        with pytest.raises(EngineUnavailable):
            engine.usage("")
        lab.start_slurmctld()

        # The caller reconciles as it always does: it asks for what should be there.
        def converged() -> WorkloadObservation | None:
            try:
                engine.ensure_reservation(reservation)
                seen = launch(inside)
            except EngineUnavailable:
                return None
            return seen if seen.state is WorkloadState.RUNNING else None

        seen = wait_until(converged)
        other = launch(WorkloadSpec(**{**vars(inside), "key": new_key()}))

        assert other.engine_job_id != seen.engine_job_id
        assert _live(lab, inside.key) == [seen.engine_job_id]
        assert seen.node in engine.ensure_reservation(reservation).nodes

    def test_usage_read_while_slurmdbd_was_killed_equals_the_whole_accounting(
        self,
        engine: SlurmEngine,
        lab: SlurmLab,
        project: ProjectSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        reader, unanswered = UsageReader(engine), []
        reader.read()

        def read() -> None:
            try:
                reader.read()
            except EngineUnavailable as error:
                unanswered.append(error)

        # Three run at a time, so that some start, and some end, while nobody keeps the books.
        jobs = [self._nap(project, seconds) for seconds in (2, 3, 4, 2, 3, 2, 3, 2)]
        for job in jobs:
            launch(job)
            read()
        lab.kill("slurmdbd")
        wait_until(lambda: (read(), len(unanswered) > 1, not _live(lab, *keys_of(jobs)))[2])
        lab.start_slurmdbd()
        wait_until(lambda: (read(), all(_whole(reader, lab, job.key) for job in jobs))[1])
        wait_until(lambda: (read(), json.loads(reader.cursor)["since"] > EARLIEST)[1])

        assert unanswered
        for job in jobs:
            assert card_seconds(reader.of(job.key)) == _accounted(lab, job.key) > 0

    def _nap(self, project: ProjectSpec, seconds: int) -> WorkloadSpec:
        return WorkloadSpec(
            key=new_key(),
            project_key=project.key,
            kind=WorkloadKind.JOB,
            gres="mlu370",
            cards=8,
            argv=("sleep", str(seconds)),
        )


def keys_of(jobs: list[WorkloadSpec]) -> list[str]:
    return [job.key for job in jobs]


def _live(lab: SlurmLab, *keys: str) -> list[str]:
    states = "PENDING,RUNNING,COMPLETING"
    return lab.run("squeue", "-h", "-t", states, f"--name={','.join(keys)}", "-o", "%A").split()


def _whole(reader: UsageReader, lab: SlurmLab, key: str) -> bool:
    facts = reader.of(key)
    return bool(facts) and all(fact.ended_at is not None for fact in facts)


def _accounted(lab: SlurmLab, key: str) -> int:
    """Card-seconds of a job by a plain reading of the accounting, apart from the adapter."""
    shape = ("-n", "-P", "-D", "-X", f"--name={key}", "-S", "now-1hours")
    rows = lab.run("sacct", *shape, "-o", "ElapsedRaw,AllocTRES").split()
    total = 0
    for row in rows:
        elapsed, tres = row.split("|")
        counts = dict(part.split("=") for part in tres.split(",") if part)
        total += int(elapsed) * int(counts.get("gres/gpu:mlu370", 0))
    return total
