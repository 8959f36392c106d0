"""A tenant in arrears: notice, jobs stopped, reservations kept and at last given up."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.arrears import ArrearsState
from billing.commands.arrears import reassess
from billing.commands.wallet import set_credit_limit, top_up
from billing.models import Account
from billing.queries.arrears import InGrace, InRetention
from compute.commands import freezing
from compute.commands.reservations import approve, hold, submit
from compute.commands.workloads import request_workload
from compute.engines import WorkloadKind
from compute.models import Claim, Freeze, FreezeState, Reservation, Workload
from compute.models.freezes import FREEZE_TRANSITIONS
from compute.queries.freezes import frozen_classes, tenants_to_obey
from compute.queries.invariants import breaches
from compute.tasks import drive_reservation, drive_workload, obey_arrears, sweep
from tenants.models import AuditEntry, Notice
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.compute.conftest import Clock
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool, operator
from tests.factories.fake_engine import WorkerKilled, world

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def asked(
    tenant: Tenant, *, kind: WorkloadKind = WorkloadKind.JOB, now: datetime = NOW, **more: object
) -> Workload:
    where: dict[str, object] = more or {"pool_code": "h20", "until": NOW + 6 * DAY}
    with tenant_scope(tenant.organisation.pk):
        return request_workload(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            kind=kind,
            argv=["train"],
            env={},
            cards=1,
            subject="test",
            now=now,
            **where,  # type: ignore[arg-type]
        )


def running(tenant: Tenant, clock: Clock, **more: object) -> Workload:
    made = asked(tenant, **more)  # type: ignore[arg-type]
    drive_workload(workload_id=str(made.pk))
    assert state_of(made) == "running"
    return made


def reserved(tenant: Tenant, start: int = 0, end: int = 24 * 20) -> Reservation:
    with tenant_scope(tenant.organisation.pk):
        made = hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code="h20",
            cards=2,
            period=hours(start, end),
            now=NOW,
        )
        submit(actor=tenant.actor, reservation_id=made.pk, now=NOW)
    with operator_scope():
        approve(actor=operator(), reservation_id=made.pk, now=NOW)
    drive_reservation(reservation_id=str(made.pk))
    return made


def owes(tenant: Tenant, at: datetime) -> None:
    """The credit line is taken back, and something was used: arrears begin."""
    with operator_scope():
        tenant_id = tenant.organisation.pk
        Account.objects.filter(tenant_id=tenant_id).update(unbilled=Decimal("50"))
        set_credit_limit(actor=SYSTEM, tenant_id=tenant_id, amount=Decimal(0), now=at)


def assessed(tenant: Tenant, at: datetime) -> ArrearsState:
    with tenant_scope(tenant.organisation.pk):
        return reassess(tenant_id=tenant.organisation.pk, now=at).state


def pays(tenant: Tenant, at: datetime, amount: str = "10000000") -> None:
    with operator_scope():
        top_up(
            actor=SYSTEM,
            tenant_id=tenant.organisation.pk,
            amount=Decimal(amount),
            key=f"{at}",
            reference="slip",
            now=at,
        )


def obeyed(tenant: Tenant, clock: Clock, at: datetime) -> None:
    clock.now = at
    obey_arrears(tenant_id=str(tenant.organisation.pk))


def freezes(tenant: Tenant) -> dict[str, str]:
    with operator_scope():
        rows = Freeze.objects.filter(tenant_id=tenant.organisation.pk).order_by("pk")
        return {row.resource_class: row.state for row in rows}


def state_of(row: Workload | Reservation) -> str:
    with operator_scope():
        return str(type(row).objects.get(pk=row.pk).state)


def told(tenant: Tenant) -> list[str]:
    with operator_scope():
        rows = Notice.objects.filter(tenant_id=tenant.organisation.pk, kind__startswith="workload")
        return [row.kind for row in rows]


def counted() -> tuple[int, ...]:
    with operator_scope():
        models = (Workload, Reservation, Claim, AuditEntry)
        return tuple(model.objects.count() for model in models)


def due() -> int:
    with operator_scope():
        return len(tenants_to_obey(NOW))


def test_in_grace_nothing_begins_and_what_runs_keeps_running(alice: Tenant, clock: Clock) -> None:
    make_pool()
    job = running(alice, clock)
    with tenant_scope(alice.organisation.pk):
        held = hold(
            actor=alice.actor,
            project_id=alice.project.pk,
            pool_code="h20",
            cards=1,
            period=hours(1, 2),
            now=NOW,
        )
        waiting = hold(
            actor=alice.actor,
            project_id=alice.project.pk,
            pool_code="h20",
            cards=1,
            period=hours(1, 2),
            now=NOW,
        )
        submit(actor=alice.actor, reservation_id=waiting.pk, now=NOW)
    owes(alice, NOW)
    before = counted()
    with pytest.raises(InGrace), tenant_scope(alice.organisation.pk):
        hold(
            actor=alice.actor,
            project_id=alice.project.pk,
            pool_code="h20",
            cards=1,
            period=hours(1, 2),
            now=NOW,
        )
    with pytest.raises(InGrace), tenant_scope(alice.organisation.pk):
        submit(actor=alice.actor, reservation_id=held.pk, now=NOW)
    with pytest.raises(InGrace), operator_scope():
        approve(actor=operator(), reservation_id=waiting.pk, now=NOW)
    with pytest.raises(InGrace):
        asked(alice)
    assert counted() == before
    obeyed(alice, clock, NOW + HOUR)
    assert (state_of(job), state_of(held), state_of(waiting)) == (
        "running",
        "held",
        "awaiting_approval",
    )
    assert freezes(alice) == {}


def test_jobs_get_their_notice_and_are_stopped_once_it_is_over(alice: Tenant, clock: Clock) -> None:
    make_pool()
    job, service = running(alice, clock), running(alice, clock, kind=WorkloadKind.SERVICE)
    reservation = reserved(alice)
    inside = running(alice, clock, reservation_id=reservation.pk)
    owes(alice, NOW)
    frozen_at = NOW + DAY
    assert assessed(alice, frozen_at) == ArrearsState.RETENTION
    obeyed(alice, clock, frozen_at)
    obeyed(alice, clock, frozen_at + 9 * MINUTE)
    assert freezes(alice) == {"on_demand": "notified"}
    assert state_of(job) == "running"
    assert told(alice) == ["workload.stop_announced"]
    with operator_scope():
        notice = Notice.objects.get(kind="workload.stop_announced")
    assert (notice.detail["workloads"], notice.detail["minutes"]) == (2, 10)
    obeyed(alice, clock, frozen_at + 10 * MINUTE)
    assert (freezes(alice), state_of(job)) == ({"on_demand": "stopping"}, "stopping")
    drive_workload(workload_id=str(job.pk))
    assert (state_of(job), state_of(service)) == ("stopped", "running")
    obeyed(alice, clock, frozen_at + 11 * MINUTE)
    assert freezes(alice) == {"on_demand": "frozen"}
    with operator_scope():
        assert frozen_classes(alice.organisation.pk) == {"on_demand"}
    # Nobody keeps this one as an endpoint: its time ends with the deadline.
    assert state_of(service) == "running"
    obeyed(alice, clock, frozen_at + 21 * MINUTE)
    assert state_of(service) == "stopping"
    assert (state_of(inside), state_of(reservation)) == ("running", "active")
    with pytest.raises(InRetention):
        asked(alice)
    assert breaches() == ()


def test_a_job_that_does_not_end_does_not_keep_endpoints_running(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    running(alice, clock)
    owes(alice, NOW)
    assessed(alice, NOW + DAY)
    for minutes in (0, 10, 14):
        obeyed(alice, clock, NOW + DAY + minutes * MINUTE)
    assert freezes(alice) == {"on_demand": "stopping"}
    obeyed(alice, clock, NOW + DAY + 15 * MINUTE)
    assert freezes(alice) == {"on_demand": "frozen"}


def test_a_payment_during_the_notice_stops_nothing(alice: Tenant, clock: Clock) -> None:
    make_pool()
    job = running(alice, clock)
    owes(alice, NOW)
    assessed(alice, NOW + DAY)
    obeyed(alice, clock, NOW + DAY)
    pays(alice, NOW + DAY + 5 * MINUTE)
    obeyed(alice, clock, NOW + DAY + 20 * MINUTE)
    assert (freezes(alice), state_of(job)) == ({"on_demand": "lifted"}, "running")
    with operator_scope():
        assert frozen_classes(alice.organisation.pk) == frozenset()
    assert due() == 0


def test_reservations_are_kept_while_frozen_and_given_up_when_released(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    used, coming = reserved(alice), reserved(alice, start=24 * 7 + 2)
    owes(alice, NOW)
    assessed(alice, NOW + DAY)
    for minutes in (0, 10, 20):
        obeyed(alice, clock, NOW + 7 * DAY + minutes * MINUTE)
    obeyed(alice, clock, NOW + 7 * DAY + HOUR)
    assert freezes(alice) == {"on_demand": "frozen", "reserved": "frozen"}
    # Its start comes while the tenant is frozen: it does not begin, and is not charged.
    clock.now = NOW + 7 * DAY + 3 * HOUR
    drive_reservation(reservation_id=str(coming.pk))
    assert (state_of(used), state_of(coming)) == ("active", "confirmed")
    assert assessed(alice, NOW + 14 * DAY) == ArrearsState.RELEASED
    obeyed(alice, clock, NOW + 14 * DAY)
    assert (state_of(used), state_of(coming)) == ("ending", "cancelled")
    assert freezes(alice) == {"on_demand": "released", "reserved": "released"}
    assert due() == 0
    drive_reservation(reservation_id=str(used.pk))
    assert state_of(used) == "ended"
    before = counted()
    obeyed(alice, clock, NOW + 15 * DAY)
    assert counted() == before


def test_a_reservation_begins_after_the_payment_if_its_period_still_runs(
    alice: Tenant, clock: Clock
) -> None:
    make_pool()
    coming = reserved(alice, start=24 * 7 + 2)
    owes(alice, NOW)
    assessed(alice, NOW + DAY)
    clock.now = NOW + 8 * DAY
    drive_reservation(reservation_id=str(coming.pk))
    assert state_of(coming) == "confirmed"
    pays(alice, clock.now)
    drive_reservation(reservation_id=str(coming.pk))
    assert state_of(coming) == "active"


def test_a_worker_killed_in_the_middle_of_freezing_leaves_it_to_the_next_sweep(
    alice: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pool()
    jobs = [running(alice, clock) for _number in range(3)]
    owes(alice, NOW)
    assessed(alice, NOW + DAY)
    obeyed(alice, clock, NOW + DAY)
    asked_to_stop = freezing.ask_to_stop
    stopped: list[object] = []

    def dying(workload: Workload, **said: object) -> None:
        if len(stopped) == 1:
            raise WorkerKilled
        stopped.append(workload.pk)
        asked_to_stop(workload, **said)  # type: ignore[arg-type]

    monkeypatch.setattr(freezing, "ask_to_stop", dying)
    with pytest.raises(WorkerKilled):
        obeyed(alice, clock, NOW + DAY + 10 * MINUTE)
    # Nothing of the broken step is left.
    assert freezes(alice) == {"on_demand": "notified"}
    assert [state_of(job) for job in jobs] == ["running"] * 3
    monkeypatch.setattr(freezing, "ask_to_stop", asked_to_stop)
    clock.now = NOW + DAY + 10 * MINUTE
    sweep()
    for _twice in range(2):
        obeyed(alice, clock, NOW + DAY + 10 * MINUTE)
    assert [state_of(job) for job in jobs] == ["stopping"] * 3
    with operator_scope():
        entries = AuditEntry.objects.filter(action="compute.workload.stopping").count()
    assert (entries, len(told(alice))) == (3, 1)
    for job in jobs:
        drive_workload(workload_id=str(job.pk))
    assert world("h20").calls.count("stop_workload") == 3


def test_the_sweep_wakes_a_worker_for_whoever_has_something_to_obey(
    alice: Tenant, bob: Tenant, clock: Clock
) -> None:
    owes(alice, NOW)
    assert due() == 0
    assessed(alice, NOW + DAY)
    with operator_scope():
        assert list(tenants_to_obey(NOW + DAY)) == [alice.organisation.pk]
    obeyed(alice, clock, NOW + DAY)
    pays(alice, NOW + DAY + MINUTE)
    with operator_scope():
        assert list(tenants_to_obey(NOW + DAY)) == [alice.organisation.pk]
    obeyed(alice, clock, NOW + DAY + MINUTE)
    with operator_scope():
        assert list(tenants_to_obey(NOW + DAY)) == []


def test_the_database_lets_only_the_moves_of_the_table_happen(alice: Tenant) -> None:
    allowed: set[tuple[FreezeState, FreezeState]] = set()
    for before in FreezeState:
        for after in FreezeState:
            with operator_scope():
                row = Freeze.objects.create(
                    tenant_id=alice.organisation.pk,
                    episode=f"{len(allowed):08}-{ord(before[0]):04}-{ord(after[0]):04}-0000-"
                    f"{ord(before[2]):06}{ord(after[2]):06}",
                    resource_class="on_demand",
                    state=before,
                    notified_at=NOW,
                    stop_at=NOW + MINUTE,
                    deadline_at=NOW + HOUR,
                )
                try:
                    with transaction.atomic(), connection.cursor() as cursor:
                        cursor.execute(
                            "UPDATE compute_freeze SET state = %s WHERE id = %s", [after, row.pk]
                        )
                    allowed.add((before, after))
                except DatabaseError as error:
                    assert "does not move" in str(error)  # noqa: PT017 - the law under test
    expected = {(before, after) for before, nexts in FREEZE_TRANSITIONS.items() for after in nexts}
    assert allowed == expected | {(state, state) for state in FreezeState}
