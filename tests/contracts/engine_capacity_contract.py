"""The part of the engine contract about reservations, usage and nodes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from compute.engines import (
    Engine,
    EngineRefused,
    EngineUnavailable,
    NodeState,
    ProjectSpec,
    ReservationSpec,
    WorkloadSpec,
    WorkloadState,
)
from tests.contracts.engine_bench import (
    EngineBench,
    Launch,
    UsageReader,
    WaitUntil,
    all_in,
    card_seconds,
    finished,
    in_state,
    new_key,
    observed,
    ran_for,
    record,
    started,
)


class CapacityContract(EngineBench):
    """Part of ``EngineContract``; adapters subclass that one."""

    # Reservations.

    def test_a_reservation_is_visible_and_made_once(
        self, engine: Engine, reservation: ReservationSpec
    ) -> None:
        first = engine.ensure_reservation(reservation)
        second = engine.ensure_reservation(reservation)

        assert first == second
        assert first.key == reservation.key
        assert first.cards == 4
        assert first.nodes
        assert set(first.nodes) <= {node.name for node in engine.inventory()}
        assert first.period.end == reservation.period.end
        assert first.active

    def test_work_runs_inside_its_reservation_and_the_usage_names_it(
        self,
        engine: Engine,
        reservation: ReservationSpec,
        service: WorkloadSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        held = engine.ensure_reservation(reservation)
        launch(replace(service, reservation_key=reservation.key))
        seen = wait_until(lambda: in_state(observed(engine, service.key), WorkloadState.RUNNING))
        assert seen.node in held.nodes

        reader = UsageReader(engine)
        (fact,) = wait_until(lambda: (reader.read(), reader.of(service.key))[1])

        assert fact.reservation_key == reservation.key
        assert (fact.gres, fact.cards, fact.node) == (service.gres, 2, seen.node)

    def test_dropping_a_reservation_ends_what_runs_in_it(
        self,
        engine: Engine,
        reservation: ReservationSpec,
        service: WorkloadSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        engine.ensure_reservation(reservation)
        launch(replace(service, reservation_key=reservation.key))
        wait_until(lambda: in_state(observed(engine, service.key), WorkloadState.RUNNING))

        def dropped() -> bool:
            try:
                engine.drop_reservation(reservation.key)
            except EngineUnavailable:  # its work is still ending: the caller asks again
                return False
            return True

        wait_until(dropped)

        wait_until(lambda: finished(observed(engine, service.key)))
        engine.drop_reservation(reservation.key)

    def test_dropping_a_reservation_that_never_was_is_fine(self, engine: Engine) -> None:
        engine.drop_reservation(new_key())

    def test_more_than_there_is_cannot_be_reserved_and_leaves_nothing(
        self, engine: Engine, reservation: ReservationSpec
    ) -> None:
        greedy = replace(reservation, cards=100_000)

        with pytest.raises(EngineRefused):
            engine.ensure_reservation(greedy)

        assert engine.ensure_reservation(reservation).cards == 4

    # Usage.

    def test_usage_equals_elapsed_times_cards_after_the_end(
        self, engine: Engine, service: WorkloadSpec, launch: Launch, wait_until: WaitUntil
    ) -> None:
        launch(service)
        wait_until(lambda: ran_for(observed(engine, service.key), self.unit))
        engine.stop_workload(service.key, grace_seconds=1)
        ended = wait_until(lambda: finished(observed(engine, service.key)))

        reader = UsageReader(engine)
        (fact,) = wait_until(lambda: reader.closed(service.key))

        assert ended.started_at is not None
        assert ended.ended_at is not None
        assert (fact.gres, fact.cards) == (service.gres, 2)
        assert (fact.started_at, fact.ended_at) == (ended.started_at, ended.ended_at)
        assert fact.seen_until == fact.ended_at
        assert fact.started_at.microsecond == 0
        elapsed = round((ended.ended_at - ended.started_at).total_seconds())
        assert elapsed >= int(self.unit)
        assert card_seconds([fact]) == elapsed * 2

    def test_open_usage_is_vouched_for_up_to_now(
        self, engine: Engine, service: WorkloadSpec, launch: Launch, wait_until: WaitUntil
    ) -> None:
        launch(service)
        wait_until(lambda: ran_for(observed(engine, service.key), self.unit))

        reader = UsageReader(engine)
        (fact,) = wait_until(lambda: (reader.read(), reader.of(service.key))[1])

        assert fact.ended_at is None
        assert fact.started_at <= fact.seen_until <= datetime.now(UTC) + timedelta(seconds=2)

    def test_usage_read_in_overlapping_pages_gives_the_same_total(
        self, engine: Engine, project: ProjectSpec, gres: str, launch: Launch, wait_until: WaitUntil
    ) -> None:
        paged = UsageReader(engine)
        paged.read()
        code = "import time, sys; time.sleep(float(sys.argv[1]))"
        jobs = [self.job(project, gres, code, str(self.unit + nth)) for nth in range(2)]
        for job in jobs:
            launch(job)
            paged.read()

        def both_ended() -> bool:
            paged.read()
            seen = engine.observe([job.key for job in jobs])
            return all(one.state is WorkloadState.ENDED for one in seen)

        wait_until(both_ended)
        pages = {job.key: wait_until(lambda key=job.key: paged.closed(key)) for job in jobs}

        whole = UsageReader(engine)
        whole.read()
        for key, facts in pages.items():
            assert sorted(facts, key=record) == sorted(whole.of(key), key=record)
            assert card_seconds(facts) >= int(self.unit)

    # Nodes.

    def test_a_drained_node_takes_no_new_work_until_resumed(
        self,
        engine: Engine,
        gres: str,
        service: WorkloadSpec,
        launch: Launch,
        wait_until: WaitUntil,
    ) -> None:
        names = [node.name for node in engine.inventory() if node.gres == gres]
        try:
            for name in names:
                engine.drain(name, "acp-isolate-7")
                engine.drain(name, "acp-isolate-7")
            drained = wait_until(
                lambda: all_in(engine, names, NodeState.DRAINED)  # work may still be leaving
            )
            assert {"acp-isolate-7" in node.reason for node in drained} == {True}

            assert not started(launch, service)
        finally:
            for name in names:
                engine.resume(name)

        wait_until(lambda: all_in(engine, names, NodeState.UP))
        wait_until(lambda: started(launch, service))

    def test_resuming_a_node_that_does_not_need_it_is_fine(self, engine: Engine, gres: str) -> None:
        engine.resume(self.node_with(engine, gres).name)

    def test_a_node_that_is_not_there_is_refused(self, engine: Engine) -> None:
        with pytest.raises(EngineRefused):
            engine.drain("acp-no-such-node", "acp-isolate-8")

    def test_the_start_is_estimated_without_starting(
        self, engine: Engine, service: WorkloadSpec
    ) -> None:
        estimate = engine.estimate_start(service)

        assert estimate is None or estimate.tzinfo is not None
        assert observed(engine, service.key).state is WorkloadState.LOST
