"""Processes killed in the middle of their work, on the real product: it ends as if they had not."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from portal.demonstration import centre
from tests.instance import WORKER, own_instance, wait_for
from tests.journeys.product import FIRST_TENANT, Product, a_name

pytestmark = pytest.mark.processes

# The batches of the replay during which the database is killed.
KILLED_AT = (12, 45)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with own_instance(tmp_path_factory.mktemp("faults")) as instance:
        product = Product(instance)
        instance.start()
        product.build()
        yield product


def _until(product: Product, path: str, states: set[str], seconds: float = 150) -> Any:
    api = product.api()
    found: list[Any] = []

    def reached() -> bool:
        found[:] = [api.get(path)]
        return found[0]["state"] in states

    try:
        wait_for(reached, seconds=seconds)
    finally:
        api.close()
    return found[0]


def _active_reservation(product: Product) -> str:
    operator = product.operator()
    moment = datetime.now(UTC)
    page = f"/ops/tenants/{FIRST_TENANT}/"
    operator.submit(
        page, f"{page}top-up/", amount="9000.00", reference="transfer", idem=moment.isoformat()
    )
    start = moment.replace(second=0, microsecond=0)
    body = {
        "project": centre.PROJECT,
        "pool": centre.POOLS[0].code,
        "cards": 2,
        "starts_at": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "ends_at": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    api = product.api()
    reservation = api.post("reservations", body)["id"]
    api.post(f"reservations/{reservation}/submit", {})
    operator.submit("/ops/approvals/", f"/ops/approvals/{reservation}/approve/")
    operator.close()
    api.close()
    _until(product, f"reservations/{reservation}", {"active"})
    return str(reservation)


@pytest.mark.parametrize("delay_seconds", [0.0, 0.4, 1.2])
def test_a_worker_killed_during_a_deploy_leaves_one_workload_that_becomes_ready(
    product: Product, delay_seconds: float
) -> None:
    reservation = _active_reservation(product)
    name = a_name("killed")
    api = product.api()
    body = {
        "project": centre.PROJECT,
        "appliance": "small-chat",
        "name": name,
        "reservation": reservation,
    }
    deployment = api.post("deployments", body)
    threading.Event().wait(delay_seconds)  # the moment of the blow is what varies
    worker = product.instance.child(WORKER)
    os.kill(worker, signal.SIGKILL)

    ready = _until(product, f"deployments/{deployment['id']}", {"ready", "failed"})

    assert (ready["state"], ready["reason"]) == ("ready", "")
    assert len(product.model_servers(name)) == 1
    api.post(f"deployments/{deployment['id']}/stop", {})
    _until(product, f"deployments/{deployment['id']}", {"stopped"})
    wait_for(lambda: product.model_servers(name) == [], seconds=30)
    api.post(f"reservations/{reservation}/end", {})
    _until(product, f"reservations/{reservation}", {"ended"})
    api.close()
    _nothing_broken(product)


def test_a_database_killed_during_a_replay_loses_and_doubles_nothing(product: Product) -> None:
    marker = a_name("replay")
    batches = [_batch(marker, number) for number in range(60)]
    order = [*batches, *random.Random(7).sample(batches, 6)]

    for number, batch in enumerate(order):
        if number in KILLED_AT:
            # While this batch is on its way, so that others come after the last blow, too.
            blow = threading.Timer(0.02, _kill_database, [product])
            blow.start()
        _send_until_taken(product, batch)
    blow.join()

    expected = sum(event["data"]["quantity"] for batch in batches for event in batch)
    counted = product.instance.sql(
        "SELECT coalesce(sum(b.quantity), 0)::bigint FROM billing_usagebucket b "
        f"JOIN billing_series s ON s.id = b.series_id WHERE s.dimensions->>'model' = '{marker}'"
    )
    assert counted == [(expected,)]
    _nothing_broken(product)


def _batch(marker: str, number: int) -> list[dict[str, Any]]:
    moment = datetime.now(UTC) - timedelta(hours=2)
    return [
        {
            "specversion": "1.0",
            "id": f"{marker}-{number}-{index}",
            "source": "faults",
            "type": "appliances.tokens_out",
            "subject": marker,
            "time": f"{moment + timedelta(seconds=index):%Y-%m-%dT%H:%M:%SZ}",
            "data": {
                "quantity": 100 * number + index + 1,
                "dimensions": {"model": marker, "deployment": "", "key": ""},
            },
        }
        for index in range(50)
    ]


def _send_until_taken(product: Product, batch: list[dict[str, Any]]) -> None:
    """What a careful sender does: the same batch again until every event has an answer."""

    def taken() -> bool:
        try:
            answer = httpx.post(
                f"{product.web}/api/v1/usage/events",
                json=batch,
                headers={
                    "Authorization": f"Bearer {product.key}",
                    "Content-Type": "application/cloudevents-batch+json",
                },
                timeout=30,
            )
        except httpx.TransportError:
            return False
        if answer.status_code >= 500:
            return False
        assert answer.status_code == 200, answer.text
        states = {result["status"] for result in answer.json()["results"]}
        assert states <= {"accepted", "duplicate"}, answer.text
        return True

    wait_for(taken, seconds=120)


def _kill_database(product: Product) -> None:
    os.kill(product.instance.child("postgres -D"), signal.SIGKILL)


def _nothing_broken(product: Product) -> None:
    checked = product.manage("check_invariants")
    assert checked.returncode == 0, checked.stdout + checked.stderr
