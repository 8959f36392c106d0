"""The nudges: the sweep finds what is due, and each look may be lost, doubled or late."""

from datetime import timedelta

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from appliances import tasks
from appliances.models import Deployment, DeploymentState
from appliances.queries.deployments import due_for_a_look
from common.ids import uuid7
from compute.engines import WorkloadState
from tenants.scoping import operator_scope
from tests.factories.appliances import (
    NOW,
    Customer,
    catalogue_on_sale,
    customer,
    deployed,
    engine_says,
    pool,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db: None) -> Customer:
    catalogue_on_sale("small-chat")
    pool()
    return customer("alice")


def due(after: timedelta = timedelta(0)) -> set[object]:
    with operator_scope():
        return set(due_for_a_look(now=NOW + after, interval=timedelta(seconds=30)))


def test_deploying_and_sweeping_each_wake_a_worker(
    alice: Customer,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    def names(callbacks: list[object]) -> list[str]:
        return [callback.args[0] for callback in callbacks]  # type: ignore[attr-defined]

    with django_capture_on_commit_callbacks() as sent:
        made = deployed(alice)
    assert names(list(sent)) == ["compute.drive_workload", "appliances.probe"]
    with django_capture_on_commit_callbacks() as sent:
        tasks.sweep()
    assert names(list(sent)) == ["appliances.look"]
    assert sent[0].args[1] == {"deployment_id": made.pk}  # type: ignore[attr-defined]


def test_what_is_settled_is_looked_at_less_often_and_what_has_ended_never(
    alice: Customer,
) -> None:
    made = deployed(alice)
    assert due() == {made.pk}
    fields = {"state": DeploymentState.READY, "endpoint": "http://x", "probed_at": NOW}
    with operator_scope():
        Deployment.objects.filter(pk=made.pk).update(**fields)
    assert due(timedelta(seconds=29)) == set()
    assert due(timedelta(seconds=30)) == {made.pk}
    with operator_scope():
        lease = NOW + timedelta(minutes=5)
        Deployment.objects.filter(pk=made.pk).update(probe_lease_until=lease)
    assert due(timedelta(minutes=1)) == set()
    with operator_scope():
        Deployment.objects.filter(pk=made.pk).update(state=DeploymentState.STOPPED)
    assert due(timedelta(days=1)) == set()


def test_a_nudge_for_a_row_that_is_not_there_is_harmless(alice: Customer) -> None:
    assert tasks.look_and_probe(uuid7()) is True
    assert tasks.probe.apply(kwargs={"deployment_id": str(uuid7()), "new": "1"}).successful()


def test_an_endpoint_that_does_not_answer_is_told_as_the_reason(alice: Customer) -> None:
    made = deployed(alice)
    # Port 9 of this machine: nothing listens there.
    engine_says(made, WorkloadState.RUNNING, endpoint="http://127.0.0.1:9", started_at=NOW)
    assert tasks.look_and_probe(made.pk) is False
    with operator_scope():
        found = Deployment.objects.get(pk=made.pk)
    assert (found.state, found.reason) == (DeploymentState.STARTING, "ConnectError at /health")
    assert found.probe_lease_until is None
