"""The sweep finishes what nudges forgot, and one bad scheduler holds up no other."""

from datetime import timedelta

import pytest
from celery import current_app
from django.db import connection, transaction

from compute.commands.reservations import approve, hold, submit
from compute.locks import cluster_turn
from compute.models import Reservation
from compute.queries.invariants import breaches
from compute.tasks import accrue_reserved, drive_reservation, sweep, sync_cluster
from tenants.scoping import operator_scope, tenant_scope
from tests.compute.conftest import Clock
from tests.factories.compute import HOUR, NOW, Tenant, hours, make_pool, operator
from tests.factories.fake_engine import node, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What would go to the broker."""
    found: list[tuple[str, dict[str, object]]] = []

    def keep(name: str, kwargs: dict[str, object], **_: object) -> None:
        found.append((name, kwargs))

    monkeypatch.setattr(current_app, "send_task", keep)
    return found


def confirmed(tenant: Tenant, pool: str = "h20") -> Reservation:
    with tenant_scope(tenant.organisation.pk):
        reservation = hold(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            pool_code=pool,
            cards=2,
            period=hours(1, 3),
            now=NOW,
        )
        submit(actor=tenant.actor, reservation_id=reservation.pk, now=NOW)
    with operator_scope():
        return approve(actor=operator(), reservation_id=reservation.pk, now=NOW)


def run_sweep(
    sent: list[tuple[str, dict[str, object]]], capture: object
) -> list[tuple[str, dict[str, object]]]:
    sent.clear()
    with capture(execute=True):  # type: ignore[operator]
        sweep()
    return list(sent)


def test_what_is_due_is_woken_again_and_again_until_it_is_done(
    alice: Tenant,
    clock: Clock,
    sent: list[tuple[str, dict[str, object]]],
    django_capture_on_commit_callbacks: object,
) -> None:
    make_pool()
    reservation = confirmed(alice)
    wanted = ("compute.drive_reservation", {"reservation_id": str(reservation.pk)})
    assert wanted not in run_sweep(sent, django_capture_on_commit_callbacks)
    clock.now = NOW + HOUR
    for _forgotten in range(2):
        assert wanted in run_sweep(sent, django_capture_on_commit_callbacks)
    drive_reservation(reservation_id=str(reservation.pk))
    assert wanted not in run_sweep(sent, django_capture_on_commit_callbacks)
    clock.now = NOW + 3 * HOUR
    assert wanted in run_sweep(sent, django_capture_on_commit_callbacks)


def test_each_cluster_is_asked_by_a_task_of_its_own(
    alice: Tenant,
    clock: Clock,
    sent: list[tuple[str, dict[str, object]]],
    django_capture_on_commit_callbacks: object,
) -> None:
    pools = [make_pool("h20"), make_pool("a800", "nvidia-a800-80g-sxm")]
    sweep_sends = run_sweep(sent, django_capture_on_commit_callbacks)
    for pool in pools:
        for task in ("sync_cluster", "observe_cluster", "collect_usage"):
            assert (f"compute.{task}", {"cluster_id": str(pool.cluster_id)}) in sweep_sends


def test_a_dead_scheduler_does_not_keep_another_from_being_seen(
    alice: Tenant, clock: Clock
) -> None:
    dead, well = make_pool("h20"), make_pool("a800", "nvidia-a800-80g-sxm")
    world("h20").unavailable = True
    world("a800").nodes = [node("n1", gres="a800")]
    for pool in (dead, well):
        sync_cluster(cluster_id=str(pool.cluster_id))
    with operator_scope():
        dead.cluster.refresh_from_db()
        well.cluster.refresh_from_db()
    assert (dead.cluster.last_synced_at, dead.cluster.last_error) == (None, "connection refused")
    assert well.cluster.last_synced_at == NOW


def test_a_cluster_somebody_is_asking_is_left_alone(alice: Tenant, clock: Clock) -> None:
    pool = make_pool()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            name = f"compute.cluster:{pool.cluster_id}:sync"
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        with cluster_turn("sync", pool.cluster_id) as mine:
            assert not mine
        sync_cluster(cluster_id=str(pool.cluster_id))
        assert world("h20").calls == []
    finally:
        other.close()
    with connection.cursor() as cursor:
        # A dead process gives its turn back by itself, a moment after it is gone: wait for that.
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
    sync_cluster(cluster_id=str(pool.cluster_id))
    assert world("h20").calls == ["describe", "inventory"]


def test_the_rules_hold_after_a_reservations_whole_life(alice: Tenant, clock: Clock) -> None:
    make_pool()
    reservation = confirmed(alice)
    assert breaches() == ()
    clock.now = NOW + HOUR
    drive_reservation(reservation_id=str(reservation.pk))
    clock.now = NOW + 3 * HOUR + timedelta(seconds=1)
    drive_reservation(reservation_id=str(reservation.pk))
    accrue_reserved()
    assert breaches() == ()


def test_a_broken_rule_is_named_with_what_breaks_it(alice: Tenant) -> None:
    make_pool()
    reservation = confirmed(alice)
    with operator_scope(), transaction.atomic():
        Reservation.objects.filter(pk=reservation.pk).update(cards=3)
    (breach,) = breaches()
    assert breach.rule == "a live reservation holds its cards for its whole period"
    assert breach.subjects == (f"compute.reservation:{reservation.pk}",)
