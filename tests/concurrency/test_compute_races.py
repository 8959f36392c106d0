"""Other races of compute: one tenant's allowance, and many workers at one workload."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from pytest_django import Settings

from compute import tasks
from compute.commands import holding
from compute.commands.holding import TooManyUnused, hold
from compute.commands.workloads import request_workload
from compute.engines import WorkloadKind
from compute.models import Reservation, ReservationPolicy, Workload
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.compute import (
    ENGINES,
    NOW,
    Tenant,
    hours,
    make_catalogue,
    make_pool,
    make_tenant,
)
from tests.factories.fake_engine import world

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 12
ALLOWED = 3


@pytest.fixture
def alice(settings: Settings) -> Tenant:
    settings.COMPUTE_ENGINES = ENGINES
    make_catalogue()
    with operator_scope():
        ReservationPolicy.objects.create(unused_per_tenant=ALLOWED)
    for number in range(THREADS):
        make_pool(f"h20-{number}")
    return make_tenant("alice")


def at_once(act: Callable[[int], str]) -> Counter[str]:
    start = Barrier(THREADS)

    def one(number: int) -> str:
        start.wait(timeout=60)
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=THREADS) as threads:
        return Counter(threads.map(one, range(THREADS)))


def holder(tenant: Tenant) -> Callable[[int], str]:
    """Each at another pool, so that the pool's lock does not put them in a row."""

    def act(number: int) -> str:
        try:
            with tenant_scope(tenant.organisation.pk):
                hold(
                    actor=tenant.actor,
                    project_id=tenant.project.pk,
                    pool_code=f"h20-{number}",
                    cards=1,
                    period=hours(1, 2),
                    now=NOW,
                )
        except TooManyUnused:
            return "refused"
        return "held"

    return act


def test_a_tenants_allowance_holds_across_pools(alice: Tenant) -> None:
    assert at_once(holder(alice)) == {"held": ALLOWED, "refused": THREADS - ALLOWED}


def test_without_the_allowances_lock_more_may_slip_through(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_counted = Barrier(THREADS)
    count = holding._check_allowance

    def count_and_wait(tenant_id: object, policy: ReservationPolicy) -> None:
        count(tenant_id, policy)  # type: ignore[arg-type]
        both_counted.wait(timeout=60)

    monkeypatch.setattr(holding, "lock_allowance", lambda _tenant_id: None)
    monkeypatch.setattr(holding, "_check_allowance", count_and_wait)
    assert at_once(holder(alice)) == {"held": THREADS}
    with operator_scope():
        assert Reservation.objects.count() == THREADS


def test_many_workers_at_one_workload_start_it_once(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "utc_now", lambda: NOW)
    with tenant_scope(alice.organisation.pk):
        workload = request_workload(
            actor=alice.actor,
            project_id=alice.project.pk,
            kind=WorkloadKind.JOB,
            argv=["train"],
            env={},
            cards=1,
            subject="test:1",
            pool_code="h20-0",
            now=NOW,
        )

    def drive(_number: int) -> str:
        tasks.drive_workload(workload_id=str(workload.pk))
        return "done"

    assert at_once(drive) == {"done": THREADS}
    assert world("h20-0").calls.count("ensure_workload") == 1
    with operator_scope():
        assert Workload.objects.get().state == "running"
        assert Workload.objects.get().attempts == 1
