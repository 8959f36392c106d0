"""Deployments on the embedded engine: real processes, real probes, and what is left when killed."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from appliances import tasks
from appliances.commands.deployments import deploy, stop
from appliances.models import Deployment, DeploymentState
from appliances.queries.routes import route_snapshot
from common.clock import utc_now
from compute import tasks as compute_tasks
from compute.commands.sites import create_centre, create_pool, register_cluster
from compute.engines.local import shutdown
from compute.models import Cluster, Workload
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.appliances import Customer, catalogue_on_sale, customer

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

S = DeploymentState


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Customer]:
    """A customer beside a pool of four declared cards on the embedded engine."""
    nodes = [{"name": "n1", "gres": "desk", "cards": 4}]
    connection = {"state_dir": str(tmp_path / "engine"), "nodes": json.dumps(nodes)}
    catalogue_on_sale()
    with operator_scope():
        create_centre(actor=SYSTEM, code="home", name_en="Home", name_zh="本地")
        register_cluster(
            actor=SYSTEM,
            centre_code="home",
            code="desk-cluster",
            name="desk",
            engine="local",
            connection=connection,
        )
        create_pool(
            actor=SYSTEM,
            cluster_code="desk-cluster",
            code="desk",
            chip_code="nvidia-l20",
            gres="desk",
            name_en="desk",
            name_zh="desk",
            cards=4,
            now=utc_now() - timedelta(days=1),
        )
    yield customer("alice")
    shutdown(connection)


def asked_for(who: Customer, appliance: str) -> Deployment:
    with tenant_scope(who.organisation.pk):
        return deploy(
            actor=who.actor,
            project_id=who.project.pk,
            appliance_code=appliance,
            name="chat",
            pool_code="desk",
            now=utc_now(),
        )


def work(made: Deployment) -> None:
    """One round of what the workers do; nudges are lost here, as in the worst case."""
    cluster = Cluster.objects.get(code="desk-cluster")
    compute_tasks.drive_workload(workload_id=str(made.workload_id))
    compute_tasks.observe_cluster(cluster_id=str(cluster.pk))
    tasks.look(deployment_id=str(made.pk))


def until(made: Deployment, *states: DeploymentState) -> Deployment:
    limit = time.monotonic() + 60
    while True:
        work(made)
        with operator_scope():
            now = Deployment.objects.get(pk=made.pk)
        if now.state in states:
            return now
        assert time.monotonic() < limit, (now.state, now.reason)
        time.sleep(0.2)


def test_the_small_model_becomes_ready_answers_and_stops(alice: Customer) -> None:
    made = until(asked_for(alice, "small-chat"), S.READY, S.FAILED)
    assert (made.state, made.reason) == (S.READY, "")
    (route,) = route_snapshot()
    answer = httpx.post(
        f"{route.endpoint}/v1/chat/completions",
        json={"model": "chat", "messages": [{"role": "user", "content": "hello"}]},
        timeout=30,
    )
    assert answer.json()["choices"][0]["message"]["content"]
    with tenant_scope(alice.organisation.pk):
        stop(actor=alice.actor, deployment_id=made.pk, now=utc_now())
    assert until(made, S.STOPPED, S.FAILED).state == S.STOPPED
    assert route_snapshot() == ()


def test_an_engine_that_cannot_start_leaves_its_own_last_words(alice: Customer) -> None:
    # No vLLM is installed on the embedded engine's machine.
    failed = until(asked_for(alice, "edge-mini"), S.READY, S.FAILED)
    assert failed.state == S.FAILED
    assert failed.last_lines.endswith("No such file or directory")
    assert "1" in failed.reason


@pytest.mark.parametrize("after", ["request", "place", "probe"])
def test_a_worker_killed_at_any_step_leaves_one_workload_and_a_ready_model(
    alice: Customer, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for kill -9: nothing in the product catches it."""

    made = asked_for(alice, "small-chat")
    # The port towards model servers is where this worker dies, before it can write anything down.
    ask: Callable[..., object] = tasks.ask

    def dies(_: object) -> object:
        raise Killed

    if after != "request":
        compute_tasks.drive_workload(workload_id=str(made.workload_id))
    if after == "probe":
        monkeypatch.setattr(tasks, "ask", dies)
        killed = False
        limit = time.monotonic() + 30
        while not killed and time.monotonic() < limit:
            try:
                work(made)
            except Killed:
                killed = True
        assert killed
        monkeypatch.setattr(tasks, "ask", ask)
        with operator_scope():
            # The dead worker's lease runs out; here by hand instead of by waiting for it.
            Deployment.objects.filter(pk=made.pk).update(probe_lease_until=utc_now())
    assert until(made, S.READY, S.FAILED).state == S.READY
    with operator_scope():
        assert Workload.objects.count() == 1
        assert Deployment.objects.count() == 1
