"""A reservation and work inside it on the real embedded engine: real processes, real accounting."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.request import urlopen

import pytest
from django.conf import settings as project_settings
from django.db import connection
from pytest_django import Settings

from common.clock import utc_now
from common.period import Period
from compute.commands.reservations import approve, end_now, hold, submit
from compute.commands.sites import create_centre, create_pool, register_cluster
from compute.commands.workloads import request_workload, stop
from compute.engines import WorkloadKind
from compute.engines.local import shutdown
from compute.models import EngineUsage, Node, Pool, Reservation, Workload
from compute.queries.invariants import breaches
from compute.tasks import (
    accrue_reserved,
    collect_usage,
    drive_reservation,
    drive_workload,
    observe_cluster,
    sync_cluster,
)
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.compute import Tenant, operator

pytestmark = [pytest.mark.django_db, pytest.mark.processes]

ENGINES = dict(project_settings.COMPUTE_ENGINES)
SERVE = (
    "import http.server, os;"
    "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])),"
    " http.server.SimpleHTTPRequestHandler).serve_forever()"
)
PATIENCE = timedelta(seconds=60)


@pytest.fixture
def pool(catalogue: None, settings: Settings, tmp_path: Path) -> Iterator[Pool]:
    settings.COMPUTE_ENGINES = ENGINES
    nodes = [{"name": "n1", "gres": "h20", "cards": 8}]
    reach = {"state_dir": str(tmp_path / "engine"), "nodes": json.dumps(nodes)}
    with operator_scope():
        create_centre(actor=SYSTEM, code="here", name_en="Here", name_zh="本地")
        register_cluster(
            actor=SYSTEM,
            centre_code="here",
            code="here-local",
            name="local",
            engine="local",
            connection=reach,
        )
        made = create_pool(
            actor=SYSTEM,
            cluster_code="here-local",
            code="h20",
            chip_code="nvidia-h20",
            gres="h20",
            name_en="H20",
            name_zh="H20",
            cards=8,
            now=utc_now() - timedelta(days=1),
        )
    yield made
    shutdown(reach, grace_seconds=1)


def wait_for(condition: Callable[[], bool], step: Callable[[], None]) -> None:
    """Take steps until something is so; fails after a minute."""
    until = utc_now() + PATIENCE
    pause = Event()
    while not condition():
        assert utc_now() < until, "it did not come to pass"
        step()
        pause.wait(0.2)


def minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def test_reserved_cards_run_a_real_service_and_are_charged_by_its_own_accounting(
    pool: Pool, alice: Tenant
) -> None:
    start = minute(utc_now())
    with tenant_scope(alice.organisation.pk):
        reservation = hold(
            actor=alice.actor,
            project_id=alice.project.pk,
            pool_code="h20",
            cards=4,
            period=Period(start, start + timedelta(hours=1)),
            now=utc_now(),
        )
        submit(actor=alice.actor, reservation_id=reservation.pk, now=utc_now())
    with operator_scope():
        approve(actor=operator(), reservation_id=reservation.pk, now=utc_now())
    cluster = str(pool.cluster_id)
    sync_cluster(cluster_id=cluster)
    drive_reservation(reservation_id=str(reservation.pk))
    with operator_scope():
        assert Reservation.objects.get().state == "active"
        assert Node.objects.get().state == "up"

    with tenant_scope(alice.organisation.pk):
        workload = request_workload(
            actor=alice.actor,
            project_id=alice.project.pk,
            kind=WorkloadKind.SERVICE,
            argv=[sys.executable, "-c", SERVE],
            env={},
            cards=2,
            subject="test:1",
            reservation_id=reservation.pk,
            health_path="/",
            now=utc_now(),
        )
    drive_workload(workload_id=str(workload.pk))

    def state() -> str:
        with operator_scope():
            return Workload.objects.get().state

    def serving() -> bool:
        with operator_scope():
            return Workload.objects.get().endpoint != ""

    wait_for(
        lambda: state() == "running" and serving(), lambda: observe_cluster(cluster_id=cluster)
    )
    with operator_scope():
        running = Workload.objects.get()
    assert (running.node, len(running.cards_detail)) == ("n1", 2)

    def answers() -> bool:
        try:
            with urlopen(running.endpoint, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    wait_for(answers, lambda: None)
    assert running.started_at is not None
    # Whole seconds are counted: let a few go by.
    wait_for(lambda: utc_now() >= running.started_at + timedelta(seconds=3), lambda: None)

    with tenant_scope(alice.organisation.pk):
        stop(actor=alice.actor, workload_id=workload.pk, now=utc_now())
    drive_workload(workload_id=str(workload.pk))
    wait_for(lambda: state() == "stopped", lambda: observe_cluster(cluster_id=cluster))

    def charged() -> bool:
        with operator_scope():
            row = EngineUsage.objects.first()
            return row is not None and row.billed_until == row.ended_at

    wait_for(charged, lambda: collect_usage(cluster_id=cluster))
    with tenant_scope(alice.organisation.pk):
        end_now(actor=alice.actor, reservation_id=reservation.pk, now=utc_now())
    drive_reservation(reservation_id=str(reservation.pk))
    accrue_reserved()
    with operator_scope():
        ended = Reservation.objects.get()
        assert ended.state == "ended"
        row = EngineUsage.objects.get()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT s.meter, s.dimensions->>'service_class', sum(b.quantity)"
                " FROM billing_usagebucket b JOIN billing_series s ON s.id = b.series_id"
                " GROUP BY 1, 2"
            )
            counted = {(meter, kind): int(total) for meter, kind, total in cursor.fetchall()}
    assert row.ended_at is not None
    assert ended.ended_at is not None
    assert ended.activated_at is not None
    assert counted == {
        ("compute.card_seconds", "covered"): 2
        * int((row.ended_at - row.started_at).total_seconds()),
        # Committed: the hour is paid for to its agreed end, though it was given up early.
        ("compute.reserved_card_seconds", "committed"): 4
        * int((ended.ends_at - ended.activated_at).total_seconds()),
    }
    assert breaches() == ()
