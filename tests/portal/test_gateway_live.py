"""The gateway's process on the real database: keys come and go, and calls reach billing once."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from appliances.commands import progress
from appliances.probing import ProbeOutcome
from billing.models import UsageEvent
from common.clock import utc_now
from compute.engines import WorkloadState
from tenants.commands.keys import revoke_key
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.database import database_url
from tests.factories.appliances import (
    NOW,
    catalogue_on_sale,
    customer,
    deployed,
    engine_says,
    pool,
)
from tests.factories.tenants import key
from tests.portal.test_gateway_processes import free_port, gateway_command, process, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

BODY = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}


def until(true: Callable[[], bool], seconds: float) -> float:
    """How long it took to become true; fails after so many seconds."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, "It did not happen in time."
        time.sleep(0.05)
    return time.monotonic() - started


def test_a_key_works_once_made_and_stops_once_revoked_and_calls_are_billed_once(
    tmp_path: Path,
) -> None:
    stub_port, gateway_port = free_port(), free_port()
    catalogue_on_sale("small-chat")
    pool()
    alice = customer("alice")
    made = deployed(alice)
    endpoint = f"http://127.0.0.1:{stub_port}"
    engine_says(made, WorkloadState.RUNNING, endpoint=endpoint, started_at=NOW)
    with operator_scope():
        progress.look(actor=SYSTEM, deployment_id=made.pk, now=NOW)
        progress.record_probe(
            actor=SYSTEM, deployment_id=made.pk, outcome=ProbeOutcome(well=True), now=NOW
        )
    url = f"http://127.0.0.1:{gateway_port}"
    stub = [sys.executable, "-m", "tests.benchmarks.gateway", "stub", str(stub_port)]
    environment = {
        "GATEWAY_STATE_DIR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "portal.settings.test",
    }

    def status(secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = httpx.post(f"{url}/v1/chat/completions", json=BODY, headers=headers, timeout=30)
        return answer.status_code

    def events() -> int:
        with operator_scope():
            return UsageEvent.objects.filter(tenant_id=alice.organisation.pk).count()

    with process(stub), process(gateway_command(gateway_port), **environment):
        wait_for(f"{url}/readyz")
        row, secret = key(alice.organisation)
        until(lambda: status(secret) == 200, 30)
        for _ in range(4):
            assert status(secret) == 200
        until(lambda: events() == 10, 15)
        with operator_scope():
            revoke_key(actor=SYSTEM, tenant_id=alice.organisation.pk, key_id=row.pk, now=utc_now())
        assert until(lambda: status(secret) == 401, 5) <= 5
        # Calls made until the refusal are billed as well, and none of them twice.
        pending = until(lambda: httpx.get(f"{url}/readyz").json()["spool_pending"] == 0, 15)
        assert pending <= 15
        with operator_scope():
            ids = list(UsageEvent.objects.values_list("event_id", flat=True))
        assert len(ids) == len(set(ids)) >= 10
        assert len(ids) % 2 == 0
