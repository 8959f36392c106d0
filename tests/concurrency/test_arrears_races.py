"""A payment against a freeze, and many sweepers at one tenant, each with its control."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from threading import Event
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from billing.commands.arrears import reassess
from billing.commands.wallet import set_credit_limit, top_up
from billing.models import Account, ArrearsMove
from billing.queries.invariants import breaches
from compute import tasks
from compute.commands import freezing
from compute.commands.workloads import request_workload
from compute.engines import WorkloadKind
from compute.models import Freeze, Workload
from compute.tasks import drive_workload
from tenants.models import Notice
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.concurrency.crowd import at_once
from tests.factories.compute import ENGINES, NOW, Tenant, make_catalogue, make_pool, make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
STOPS_AT = NOW + DAY + timedelta(minutes=10)
# How long the reader waits for a payment that the lock does not let through, and for another.
LONG_ENOUGH_SECONDS, SOON_SECONDS = 1.0, 30.0


@pytest.fixture
def alice(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """A running job, a debt, and a notice that has just run out."""
    settings.COMPUTE_ENGINES = ENGINES
    monkeypatch.setattr(tasks, "utc_now", lambda: NOW)
    make_catalogue()
    make_pool()
    tenant = make_tenant("alice")
    tenant_id = tenant.organisation.pk
    with tenant_scope(tenant_id):
        job = request_workload(
            actor=tenant.actor,
            project_id=tenant.project.pk,
            kind=WorkloadKind.JOB,
            argv=["train"],
            env={},
            cards=1,
            subject="test",
            pool_code="h20",
            until=NOW + 6 * DAY,
            now=NOW,
        )
    drive_workload(workload_id=str(job.pk))
    assert job_state() == "running"
    with operator_scope():
        Account.objects.filter(tenant_id=tenant_id).update(unbilled=Decimal(50))
        set_credit_limit(actor=SYSTEM, tenant_id=tenant_id, amount=Decimal(0), now=NOW)
    return tenant


def frozen(tenant_id: UUID) -> None:
    with tenant_scope(tenant_id):
        reassess(tenant_id=tenant_id, now=NOW + DAY)
    obey(tenant_id, NOW + DAY)


def obey(tenant_id: UUID, now: object = STOPS_AT) -> None:
    with tenant_scope(tenant_id):
        freezing.obey(tenant_id=tenant_id, now=now)  # type: ignore[arg-type]


def pay(tenant_id: UUID) -> None:
    with operator_scope():
        top_up(
            actor=SYSTEM,
            tenant_id=tenant_id,
            amount=Decimal(1_000_000),
            key="the payment",
            reference="slip",
            now=STOPS_AT,
        )


@contextmanager
def payment_while_reading(
    tenant_id: UUID, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> Iterator[dict[str, bool]]:
    """Let a payment try to commit between the freeze's reading and its writing."""
    read, paid = Event(), Event()
    seen: dict[str, bool] = {}
    standing_of = freezing.standing_of

    def slow(*args: object) -> object:
        found = standing_of(*args)  # type: ignore[arg-type]
        read.set()
        seen["paid_before_writing"] = paid.wait(timeout=seconds)
        return found

    def payment() -> None:
        read.wait(timeout=30)
        try:
            pay(tenant_id)
            paid.set()
        finally:
            connection.close()

    monkeypatch.setattr(freezing, "standing_of", slow)
    with ThreadPoolExecutor(max_workers=1) as other:
        paying = other.submit(payment)
        yield seen
        paying.result(timeout=60)
    monkeypatch.setattr(freezing, "standing_of", standing_of)


def job_state() -> str:
    with operator_scope():
        return str(Workload.objects.get().state)


def test_a_payment_comes_before_the_stop_or_after_it_never_between(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = alice.organisation.pk
    frozen(tenant_id)
    with payment_while_reading(tenant_id, monkeypatch, LONG_ENOUGH_SECONDS) as seen:
        obey(tenant_id)
    # The payment had to wait until the stop was written.
    assert seen == {"paid_before_writing": False}
    assert job_state() == "stopping"
    obey(tenant_id)
    with operator_scope():
        assert Freeze.objects.get().state == "lifted"
        assert breaches() == ()


def test_without_the_lock_work_that_was_paid_for_is_stopped(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = alice.organisation.pk
    frozen(tenant_id)
    monkeypatch.setattr(freezing, "lock_account", lambda _tenant_id: None)
    with payment_while_reading(tenant_id, monkeypatch, SOON_SECONDS) as seen:
        obey(tenant_id)
    # The race that the lock is there for.
    assert seen == {"paid_before_writing": True}
    assert job_state() == "stopping"


def test_a_payment_that_was_first_leaves_the_work_running(alice: Tenant) -> None:
    tenant_id = alice.organisation.pk
    frozen(tenant_id)
    results = at_once(2, lambda index: pay(tenant_id) if index == 0 else obey(tenant_id))
    assert [error for error in results if error is not None] == []
    obey(tenant_id)
    with operator_scope():
        freeze = Freeze.objects.get()
        stopped = Workload.objects.get().stop_requested_at is not None
        assert freeze.state == "lifted"
        # Whoever was first decided: the job runs, or was told to stop before the money came.
        assert (job_state() == "stopping") is stopped
        assert breaches() == ()


def test_many_sweepers_move_a_tenant_once_and_tell_it_once(alice: Tenant) -> None:
    tenant_id = alice.organisation.pk

    def assess(_index: int) -> None:
        with tenant_scope(tenant_id):
            reassess(tenant_id=tenant_id, now=NOW + DAY)

    assert at_once(8, assess) == [None] * 8
    assert at_once(8, lambda _index: obey(tenant_id, NOW + DAY)) == [None] * 8
    assert at_once(8, lambda _index: obey(tenant_id)) == [None] * 8
    with operator_scope():
        moves = list(ArrearsMove.objects.order_by("sequence").values_list("to_state", flat=True))
        kinds = sorted(Notice.objects.values_list("kind", flat=True))
        assert moves == ["grace", "retention"]
        assert kinds == [
            "arrears.grace_started",
            "arrears.retention_started",
            "workload.stop_announced",
        ]
        assert Freeze.objects.get().state == "stopping"
        assert breaches() == ()
    assert job_state() == "stopping"
