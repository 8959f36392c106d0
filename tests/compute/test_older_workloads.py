"""Work of an older release is given its service class when the database is brought forward."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from psycopg.types.json import Jsonb

from tests.database import older_database

pytestmark = pytest.mark.older

AT = datetime(2026, 11, 1, tzinfo=UTC)
RESERVATION = uuid4()
WORKLOAD = """
INSERT INTO compute_workload (id, tenant_id, project_id, pool_id, reservation_id, claim_id, kind,
    argv, env, health_path, cards, until, subject, state, generation, endpoint, node, cards_detail,
    engine_job_id, last_lines, reason, absences, attempts, attention, created_at)
VALUES (%s, %s, %s, 1, %s, %s, 'job', '{}', %s, '/', 1, %s, '', 'stopped', 1, '', '', '{}', '',
    '{}', '', 0, 0, '', %s)
"""
DEPLOYMENT = """
INSERT INTO appliances_deployment (id, tenant_id, project_id, version_id, name, served_model_name,
    state, reservation_id, pool_code, chip, cards, until, endpoint, reason, last_lines, created_at,
    state_at, probe_failures, gave_up)
VALUES (%s, %s, %s, 1, '', %s, 'stopped', %s, 'h20', 'h20', 1, %s, '', '', '', %s, %s, 0, false)
"""


def written(server: psycopg.Connection[tuple[Any, ...]], reservation: UUID | None) -> None:
    """A workload and its deployment, as the older release wrote them."""
    server.execute(WORKLOAD, [uuid4(), uuid4(), uuid4(), reservation, uuid4(), Jsonb({}), AT, AT])
    name = str(reservation)
    server.execute(DEPLOYMENT, [uuid4(), uuid4(), uuid4(), name, reservation, AT, AT, AT])


@pytest.fixture
def brought_forward(
    django_db_setup: None, django_db_blocker: Any
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Written by the release before service classes could be chosen, and migrated by the owner."""
    name = f"{connections['owner'].settings_dict['NAME']}_older"
    with django_db_blocker.unblock(), older_database(name) as server:
        for app, migration in (
            ("compute", "0007_arrears_walls"),
            ("appliances", "0005_budget_subjects"),
        ):
            call_command("migrate", app, migration, database="owner", verbosity=0)
        for reservation in (None, RESERVATION):
            written(server, reservation)
        call_command("migrate", database="owner", verbosity=0)
        yield server


def test_work_in_a_reservation_was_covered_and_the_rest_on_demand(
    brought_forward: psycopg.Connection[tuple[Any, ...]],
) -> None:
    expected = [(None, "on_demand"), (RESERVATION, "covered")]
    for table in ("compute_workload", "appliances_deployment"):
        found = brought_forward.execute(
            f"SELECT reservation_id, service_class FROM {table} "  # noqa: S608
            "ORDER BY reservation_id NULLS FIRST"
        )
        assert found.fetchall() == expected
