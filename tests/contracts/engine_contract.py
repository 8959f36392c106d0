"""What every engine adapter must do, written from the promises of the port.

An adapter's test module subclasses ``EngineContract`` and gives two fixtures:

- ``engine``: the adapter, connected to something real;
- ``gres``: the engine's own name of a card type with at least four cards on one idle node.

It may override ``a_service_argv`` (a server that answers /health on ``PORT``), ``wait_until``
(``wait_until(condition, timeout)`` gives the first true value of the condition), ``unit`` (how long
work must run to be worth a whole second on the bill) and ``patience_seconds``.
"""

import json
from dataclasses import replace

import pytest

from compute.engines import (
    Engine,
    EngineDescription,
    EngineRefused,
    NodeState,
    ProjectSpec,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from tests.contracts.engine_bench import (
    LIVE,
    Launch,
    WaitUntil,
    finished,
    in_state,
    new_key,
    next_generation,
    observed,
    status,
    with_endpoint,
)
from tests.contracts.engine_capacity_contract import CapacityContract


class EngineContract(CapacityContract):
    """Subclass it with a name that starts with Test."""

    # What the engine says of itself.

    def test_it_describes_itself(self, engine: Engine) -> None:
        description = engine.describe()

        assert isinstance(description, EngineDescription)
        assert description.kind
        assert description.version

    def test_the_inventory_lists_nodes_with_cards(
        self, engine: Engine, gres: str, wait_until: WaitUntil
    ) -> None:
        nodes = engine.inventory()

        assert isinstance(nodes, tuple)
        assert len({node.name for node in nodes}) == len(nodes)
        node = self.node_with(engine, gres)
        assert node.cards >= 4
        assert node.state is NodeState.UP
        wait_until(lambda: self.node_with(engine, gres).cards_allocated == 0)

    # Projects.

    def test_a_project_may_be_ensured_again(self, engine: Engine, project: ProjectSpec) -> None:
        engine.ensure_project(project)

    # Workloads.

    def test_a_service_publishes_its_endpoint_and_answers(
        self, engine: Engine, service: WorkloadSpec, launch: Launch, wait_until: WaitUntil
    ) -> None:
        launch(service)

        seen = wait_until(lambda: with_endpoint(observed(engine, service.key)))

        assert seen.state is WorkloadState.RUNNING
        assert seen.generation == 1
        assert seen.node
        assert len(seen.cards) in (0, 2)  # an engine that cannot name cards names none
        assert seen.started_at is not None
        assert seen.started_at.tzinfo is not None
        assert wait_until(lambda: status(seen.endpoint + service.health_path)) == 200

    def test_a_running_workload_takes_cards_of_its_node(
        self, engine: Engine, service: WorkloadSpec, launch: Launch, wait_until: WaitUntil
    ) -> None:
        launch(service)
        seen = wait_until(lambda: in_state(observed(engine, service.key), WorkloadState.RUNNING))

        node = next(node for node in engine.inventory() if node.name == seen.node)

        assert node.gres == service.gres
        assert node.cards_allocated == 2

    def test_ensuring_twice_starts_one(
        self, engine: Engine, service: WorkloadSpec, launch: Launch, wait_until: WaitUntil
    ) -> None:
        first = launch(service)
        second = launch(service)
        wait_until(lambda: in_state(observed(engine, service.key), WorkloadState.RUNNING))
        third = launch(service)

        assert first.engine_job_id
        assert {second.engine_job_id, third.engine_job_id} == {first.engine_job_id}

    def test_an_ended_workload_is_found_and_not_started_again(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        job = self.job(project, gres, "pass")
        first = launch(job)
        wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.ENDED))

        again = launch(job)

        assert again.state is WorkloadState.ENDED
        assert again.engine_job_id == first.engine_job_id

    def test_the_next_generation_starts_anew_once_the_last_has_ended(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        job = self.job(project, gres, "pass")
        launch(job)
        wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.ENDED))

        launch(next_generation(job))

        seen = wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.ENDED))
        assert seen.generation == 2

    def test_the_next_generation_finds_the_last_while_it_runs(
        self, engine: Engine, service: WorkloadSpec, launch: Launch
    ) -> None:
        first = launch(service)

        seen = launch(next_generation(service))

        assert seen.generation == 1
        assert seen.engine_job_id == first.engine_job_id

    def test_work_that_ends_by_itself_has_ended(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        job = self.job(project, gres, "pass")
        launch(job)

        seen = wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.ENDED))

        assert seen.exit_code == 0
        assert seen.started_at is not None
        assert seen.ended_at is not None
        assert seen.started_at <= seen.ended_at

    def test_failing_work_has_failed_with_its_last_lines(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        job = self.job(project, gres, "print('loading'); print('out of memory 内存'); exit(3)")
        launch(job)

        seen = wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.FAILED))

        assert seen.exit_code == 3
        assert seen.reason
        assert seen.last_lines[-2:] == ("loading", "out of memory 内存")

    def test_a_program_that_is_not_there_has_failed(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        job = self.job(project, gres, "pass")
        job = replace(job, argv=("/nonexistent/program", "--serve"))
        launch(job)

        seen = wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.FAILED))

        assert seen.exit_code != 0
        assert seen.last_lines

    def test_arguments_and_environment_arrive_untouched(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        hostile = (
            "$(exit 9)",
            "`id`",
            "two words",
            "'; exit 9; #",
            '"',
            "\\",
            "a\nb",
            "",
            "模型 🚀",
        )
        code = (
            "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['PROMPT']])); exit(1)"
        )
        job = self.job(project, gres, code, *hostile)
        prompt = "a=1,b='2' $HOME\n%j 你好"
        launch(replace(job, env={"PROMPT": prompt}))

        seen = wait_until(lambda: in_state(observed(engine, job.key), WorkloadState.FAILED))

        assert json.loads(seen.last_lines[-1]) == [list(hostile), prompt]

    def test_stopping_twice_is_fine(
        self, engine: Engine, service: WorkloadSpec, launch: Launch, wait_until: WaitUntil
    ) -> None:
        launch(service)
        seen = wait_until(lambda: with_endpoint(observed(engine, service.key)))

        engine.stop_workload(service.key, grace_seconds=5)
        engine.stop_workload(service.key, grace_seconds=5)

        ended = wait_until(lambda: finished(observed(engine, service.key)))
        assert ended.state is WorkloadState.ENDED
        assert ended.ended_at is not None
        assert status(seen.endpoint + service.health_path) == 0
        engine.stop_workload(service.key, grace_seconds=5)

    def test_stopping_a_workload_that_never_was_is_fine(self, engine: Engine) -> None:
        engine.stop_workload(new_key())

    def test_an_unknown_key_is_lost(self, engine: Engine) -> None:
        key = new_key()

        assert engine.observe([key]) == (WorkloadObservation(key=key, state=WorkloadState.LOST),)

    def test_observations_come_in_the_order_asked(
        self, engine: Engine, service: WorkloadSpec, launch: Launch
    ) -> None:
        launch(service)
        before, after = new_key(), new_key()

        seen = engine.observe([before, service.key, after])

        assert [one.key for one in seen] == [before, service.key, after]
        assert [one.state in LIVE for one in seen] == [False, True, False]
        assert engine.observe([]) == ()

    def test_more_cards_than_any_node_has_are_refused_or_never_run(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch
    ) -> None:
        job = replace(self.job(project, gres, "pass"), cards=100_000)

        with pytest.raises(EngineRefused):
            launch(job)

        assert observed(engine, job.key).state is WorkloadState.LOST

    def test_a_card_type_nobody_has_is_refused(
        self, engine: Engine, project: ProjectSpec, launch: Launch
    ) -> None:
        job = self.job(project, "abacus9000", "pass")

        with pytest.raises(EngineRefused):
            launch(job)

        assert observed(engine, job.key).state is WorkloadState.LOST
