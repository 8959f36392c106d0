"""Work on cards: asked for, placed once, observed, stopped, measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from billing.commands.holds import InsufficientFunds
from billing.queries.wallet import standing
from common.errors import InvalidInput, NotFound
from compute.commands.claims import NotEnoughCapacity
from compute.commands.reservations import approve, end_now, hold, submit
from compute.commands.workloads import ReservationNotActive, request_workload, stop
from compute.engines import UsageFact, WorkloadKind
from compute.engines import WorkloadState as Seen
from compute.models import EngineUsage, Pool, Reservation, Workload, WorkloadState
from compute.queries.profiles import steps_of
from compute.tasks import collect_usage, drive_reservation, drive_workload, observe_cluster
from tenants.scoping import operator_scope, tenant_scope
from tests.compute.conftest import Clock
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool, make_tenant, operator
from tests.factories.fake_engine import WorkerKilled, world

pytestmark = pytest.mark.django_db

S = WorkloadState


def asked(tenant: Tenant, *, cards: int = 2, **more: object) -> Workload:
    values: dict[str, object] = {"pool_code": "h20", "until": NOW + 4 * HOUR, "now": NOW, **more}
    with tenant_scope(tenant.organisation.pk):
        return request_workload(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            kind=WorkloadKind.SERVICE,
            argv=["serve", "--model", "模型"],
            env={"PORT": "0"},
            cards=cards,
            subject="appliances.deployment:1",
            **values,  # type: ignore[arg-type]
        )


def reserved(tenant: Tenant, clock: Clock, cards: int = 4) -> Reservation:
    with tenant_scope(tenant.organisation.pk):
        reservation = hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code="h20",
            cards=cards,
            period=hours(0, 3),
            now=NOW,
        )
        submit(actor=tenant.actor, reservation_id=reservation.pk, now=NOW)
    with operator_scope():
        approve(actor=operator(), reservation_id=reservation.pk, now=NOW)
    drive_reservation(reservation_id=str(reservation.pk))
    return reservation


def now_is(workload: Workload) -> Workload:
    with operator_scope():
        return Workload.objects.get(pk=workload.pk)


def drive(workload: Workload) -> None:
    drive_workload(workload_id=str(workload.pk))


def taken(profile_id: int) -> list[int]:
    return [step.taken for step in steps_of([profile_id], hours(0, 6))[profile_id]]


def cluster_of(pool: Pool) -> str:
    return str(pool.cluster_id)


@pytest.fixture
def pool(catalogue: None) -> Pool:
    return make_pool(cards=8)


def fact(workload: Workload, **more: object) -> UsageFact:
    base = UsageFact(
        record_key="job1:0",
        workload_key=workload.engine_key,
        engine_job_id="1",
        node="n1",
        gres="h20",
        cards=workload.cards,
        started_at=NOW,
        ended_at=None,
        seen_until=NOW,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def charged() -> dict[tuple[str, str], int]:
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.meter, s.dimensions->>'service_class', sum(b.quantity)"
            " FROM billing_usagebucket b JOIN billing_series s ON s.id = b.series_id"
            " GROUP BY 1, 2"
        )
        return {(meter, kind): int(total) for meter, kind, total in cursor.fetchall()}


def test_on_demand_takes_cards_and_sets_its_price_aside(alice: Tenant, pool: Pool) -> None:
    workload = asked(alice)
    assert workload.state == S.REQUESTED
    assert taken(pool.profile_id) == [2, 0]
    with operator_scope():
        # Four hours of two cards at 7.50, plus 6 % tax.
        assert standing(alice.organisation.pk).held == Decimal("63.60")


def test_without_funds_nothing_is_taken(catalogue: None, pool: Pool) -> None:
    poor = make_tenant("poor", money="50")
    with pytest.raises(InsufficientFunds):
        asked(poor)
    assert taken(pool.profile_id) == [0]
    with operator_scope():
        assert Workload.objects.count() == 0


def test_too_many_cards_on_demand_are_refused_and_no_money_stays_aside(
    alice: Tenant, pool: Pool
) -> None:
    asked(alice, cards=7)
    with pytest.raises(NotEnoughCapacity) as refused:
        asked(alice, cards=2)
    assert refused.value.params["free"] == 1
    assert refused.value.params["next_free"] == (NOW + 4 * HOUR,)
    with operator_scope():
        assert standing(alice.organisation.pk).held == Decimal("222.60")


@pytest.mark.parametrize(
    "more",
    [
        {"until": NOW + timedelta(days=7, minutes=1)},
        {"until": NOW + timedelta(seconds=10)},
        {"until": NOW - HOUR},
        {"pool_code": None},
        {"health_path": "health"},
        {"cards": 0},
    ],
)
def test_absurd_requests_are_refused(alice: Tenant, pool: Pool, more: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        asked(alice, **more)  # type: ignore[arg-type]
    assert taken(pool.profile_id) == [0]


def test_it_runs_with_its_endpoint_and_its_name_on_the_engine(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    running = now_is(workload)
    assert running.state == S.RUNNING
    assert (running.endpoint, running.node) == ("http://127.0.0.1:9", "n1")
    spec = world("h20").specs[f"acp-w-{workload.pk.hex}"]
    assert (spec.argv, spec.cards, spec.gres) == (("serve", "--model", "模型"), 2, "h20")
    assert spec.time_limit_seconds == 4 * 3600


def test_a_pending_one_is_starting_until_it_is_seen_running(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    world("h20").starts_at_once = False
    workload = asked(alice)
    drive(workload)
    assert now_is(workload).state == S.STARTING
    here = world("h20")
    key = workload.engine_key
    here.workloads[key] = replace(here.workloads[key], state=Seen.RUNNING, endpoint="http://n1:1")
    observe_cluster(cluster_id=cluster_of(pool))
    assert (now_is(workload).state, now_is(workload).endpoint) == (S.RUNNING, "http://n1:1")


def test_a_worker_killed_after_the_engines_yes_starts_nothing_twice(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    world("h20").dies_after_accepting = True
    workload = asked(alice)
    with pytest.raises(WorkerKilled):
        drive(workload)
    assert now_is(workload).state == S.PLACING
    # The lease keeps a second worker away until the first is surely dead.
    drive(workload)
    assert now_is(workload).state == S.PLACING
    clock.now += timedelta(seconds=61)
    drive(workload)
    assert now_is(workload).state == S.RUNNING
    assert world("h20").started == [workload.engine_key]


@contextmanager
def _dies_in(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """Stand for kill -9 in the middle of a recording transaction."""
    from compute.commands import workload_driving  # noqa: PLC0415

    def die(**_: object) -> None:
        raise WorkerKilled

    with monkeypatch.context() as patch:
        patch.setattr(workload_driving, name, die)
        yield


@pytest.mark.parametrize("line", ["claim_workload", "record_observation"])
def test_a_worker_killed_while_claiming_or_recording_changes_nothing_for_good(
    alice: Tenant, pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    workload = asked(alice)
    with _dies_in(monkeypatch, line), pytest.raises(WorkerKilled):
        drive(workload)
    clock.now += timedelta(seconds=61)
    drive(workload)
    assert now_is(workload).state == S.RUNNING
    assert world("h20").started == [workload.engine_key]


def test_driving_it_ten_times_starts_one(alice: Tenant, pool: Pool, clock: Clock) -> None:
    workload = asked(alice)
    for _again in range(10):
        drive(workload)
    assert world("h20").started == [workload.engine_key]


def test_an_engine_that_refuses_fails_it_with_its_own_words(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    world("h20").refused = "invalid account"
    workload = asked(alice)
    drive(workload)
    failed = now_is(workload)
    assert (failed.state, failed.reason) == (S.FAILED, "invalid account")
    assert failed.last_lines == ["invalid account"]
    assert taken(pool.profile_id) == [0]
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0


def test_an_engine_that_is_away_is_asked_again_later(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    world("h20").unavailable = True
    workload = asked(alice)
    drive(workload)
    drive(workload)
    assert world("h20").calls == ["ensure_project"]
    assert now_is(workload).state == S.PLACING
    world("h20").unavailable = False
    clock.now += timedelta(seconds=2)
    drive(workload)
    assert now_is(workload).state == S.RUNNING


def test_one_absence_is_not_believed_and_two_are(alice: Tenant, pool: Pool, clock: Clock) -> None:
    workload = asked(alice)
    drive(workload)
    seen_at = clock.now
    here = world("h20")
    for _blink in range(3):
        here.lost = {workload.engine_key}
        observe_cluster(cluster_id=cluster_of(pool))
        assert now_is(workload).state == S.RUNNING
        here.lost = set()
        observe_cluster(cluster_id=cluster_of(pool))
    here.lost = {workload.engine_key}
    clock.now += timedelta(seconds=15)
    observe_cluster(cluster_id=cluster_of(pool))
    clock.now += timedelta(seconds=15)
    observe_cluster(cluster_id=cluster_of(pool))
    lost = now_is(workload)
    assert (lost.state, lost.ended_at) == (S.LOST, seen_at)


def test_an_old_generation_changes_nothing(alice: Tenant, pool: Pool, clock: Clock) -> None:
    workload = asked(alice)
    drive(workload)
    here = world("h20")
    key = workload.engine_key
    here.workloads[key] = replace(here.workloads[key], state=Seen.FAILED, generation=0)
    observe_cluster(cluster_id=cluster_of(pool))
    assert now_is(workload).state == S.RUNNING


def test_a_crash_is_failed_with_the_engines_last_lines(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    here = world("h20")
    key = workload.engine_key
    here.workloads[key] = replace(
        here.workloads[key],
        state=Seen.FAILED,
        exit_code=1,
        reason="exit 1",
        last_lines=("loading", "out of memory"),
    )
    observe_cluster(cluster_id=cluster_of(pool))
    failed = now_is(workload)
    assert (failed.state, failed.last_lines) == (S.FAILED, ["loading", "out of memory"])
    assert failed.reason == "exit 1"


def test_stopping_frees_the_cards_once_the_engine_says_so(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    clock.now = NOW + HOUR
    with tenant_scope(alice.organisation.pk):
        for _again in range(2):
            stop(actor=alice.actor, workload_id=workload.pk, now=clock.now)
    assert (now_is(workload).state, taken(pool.profile_id)) == (S.STOPPING, [2, 0])
    drive(workload)
    assert now_is(workload).state == S.STOPPED
    assert taken(pool.profile_id) == [2, 0]
    assert steps_of([pool.profile_id], hours(0, 6))[pool.profile_id][0].period.end == NOW + HOUR


def test_one_that_never_reached_the_engine_is_stopped_at_once(alice: Tenant, pool: Pool) -> None:
    workload = asked(alice)
    with tenant_scope(alice.organisation.pk):
        assert stop(actor=alice.actor, workload_id=workload.pk, now=NOW).state == S.STOPPED
    assert taken(pool.profile_id) == [0]
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0


def test_it_is_stopped_a_minute_before_its_time_is_up(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    clock.now = NOW + 4 * HOUR - timedelta(seconds=60)
    drive(workload)
    assert now_is(workload).state == S.STOPPED


def test_another_tenants_workload_is_not_found(alice: Tenant, bob: Tenant, pool: Pool) -> None:
    workload = asked(alice)
    with tenant_scope(bob.organisation.pk), pytest.raises(NotFound):
        stop(actor=bob.actor, workload_id=workload.pk, now=NOW)


def test_inside_a_reservation_it_takes_the_reservations_cards_and_no_money(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    reservation = reserved(alice, clock)
    with operator_scope():
        before = standing(alice.organisation.pk).held
    workload = asked(alice, pool_code=None, reservation_id=reservation.pk, until=None, cards=3)
    assert workload.until == reservation.ends_at
    assert taken(pool.profile_id) == [4, 0]
    assert taken(reservation.profile_id) == [3, 0]
    with pytest.raises(NotEnoughCapacity):
        asked(alice, pool_code=None, reservation_id=reservation.pk, until=None, cards=2)
    with operator_scope():
        assert standing(alice.organisation.pk).held == before
    drive(workload)
    spec = world("h20").specs[workload.engine_key]
    assert spec.reservation_key == reservation.engine_key


def test_work_needs_an_active_reservation_of_its_own_project(
    alice: Tenant, bob: Tenant, pool: Pool, clock: Clock
) -> None:
    reservation = reserved(alice, clock)
    with pytest.raises(NotFound):
        asked(bob, pool_code=None, reservation_id=reservation.pk, until=None)
    late = {"now": NOW + 3 * HOUR, "until": None}
    with pytest.raises(ReservationNotActive):
        asked(alice, pool_code=None, reservation_id=reservation.pk, **late)


def test_ending_a_reservation_stops_the_work_inside_first(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    reservation = reserved(alice, clock)
    workload = asked(alice, pool_code=None, reservation_id=reservation.pk, until=None)
    drive(workload)
    clock.now = NOW + HOUR
    with tenant_scope(alice.organisation.pk):
        end_now(actor=alice.actor, reservation_id=reservation.pk, now=clock.now)
    drive_reservation(reservation_id=str(reservation.pk))
    assert now_is(workload).state == S.STOPPING
    assert world("h20").dropped == []
    drive(workload)
    assert now_is(workload).state == S.STOPPED
    drive_reservation(reservation_id=str(reservation.pk))
    assert world("h20").dropped == [reservation.engine_key]
    with operator_scope():
        assert Reservation.objects.get(pk=reservation.pk).state == "ended"
    assert taken(pool.profile_id) == [4, 0]
    assert taken(reservation.profile_id) == [2, 0]


def test_usage_is_charged_by_the_engines_own_accounting_exactly_once(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    here = world("h20")
    here.facts["a"] = fact(workload, started_at=NOW + timedelta(minutes=30), seen_until=NOW + HOUR)
    clock.now = NOW + HOUR
    for _again in range(3):
        collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {("compute.card_seconds", "on_demand"): 2 * 1800}
    with operator_scope():
        # Four hours were promised; half of one is charged.
        assert standing(alice.organisation.pk).held == Decimal("55.65")
    end = NOW + 2 * HOUR + timedelta(seconds=7)
    here.facts["a"] = replace(here.facts["a"], ended_at=end, seen_until=end)
    clock.now = end
    with tenant_scope(alice.organisation.pk):
        stop(actor=alice.actor, workload_id=workload.pk, now=end)
    drive(workload)
    for _again in range(3):
        collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {("compute.card_seconds", "on_demand"): 2 * (1800 + 3600 + 7)}
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0


def test_usage_inside_a_reservation_is_shown_as_covered(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    reservation = reserved(alice, clock)
    workload = asked(alice, pool_code=None, reservation_id=reservation.pk, until=None)
    drive(workload)
    world("h20").facts["a"] = fact(workload, seen_until=NOW + HOUR)
    clock.now = NOW + HOUR
    collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {("compute.card_seconds", "covered"): 2 * 3600}


def test_a_second_row_of_the_same_job_is_charged_too(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    here = world("h20")
    here.facts["a"] = fact(workload, ended_at=NOW + HOUR, seen_until=NOW + HOUR)
    here.facts["b"] = fact(
        workload,
        record_key="job1:1",
        started_at=NOW + HOUR,
        ended_at=NOW + 2 * HOUR,
        seen_until=NOW + 2 * HOUR,
    )
    clock.now = NOW + 2 * HOUR
    collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {("compute.card_seconds", "on_demand"): 2 * 7200}


def test_work_that_is_not_ours_is_kept_unbilled_with_a_reason(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    here = world("h20")
    here.facts["a"] = fact(workload, workload_key="somebody-elses", seen_until=NOW + HOUR)
    here.facts["b"] = fact(
        workload, record_key="x", workload_key=f"acp-w-{UUID(int=1).hex}", seen_until=NOW + HOUR
    )
    clock.now = NOW + HOUR
    collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {}
    with operator_scope():
        assert {row.reason for row in EngineUsage.objects.all()} == {"unknown_workload"}


def test_an_engine_that_takes_back_what_it_vouched_for_is_shown_to_operators(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    here = world("h20")
    here.facts["a"] = fact(workload, seen_until=NOW + HOUR)
    clock.now = NOW + HOUR
    collect_usage(cluster_id=cluster_of(pool))
    here.facts["a"] = fact(
        workload, ended_at=NOW + timedelta(minutes=55), seen_until=NOW + 2 * HOUR
    )
    collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {("compute.card_seconds", "on_demand"): 2 * 3600}
    with operator_scope():
        assert EngineUsage.objects.get().reason == "charged_past_end"


def test_work_that_was_over_within_a_second_costs_nothing_and_lets_the_money_go(
    alice: Tenant, pool: Pool, clock: Clock
) -> None:
    workload = asked(alice)
    drive(workload)
    with tenant_scope(alice.organisation.pk):
        stop(actor=alice.actor, workload_id=workload.pk, now=NOW)
    drive(workload)
    world("h20").facts["a"] = fact(workload, ended_at=NOW, seen_until=NOW)
    collect_usage(cluster_id=cluster_of(pool))
    assert charged() == {}
    with operator_scope():
        assert standing(alice.organisation.pk).held == 0
