"""A page of a list costs as few statements of ten thousand rows as of a hundred."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.commands.usage import UsageEvent, record_usage
from common.clock import utc_now
from common.ids import uuid7
from compute.commands.inventory import NodeRow, import_nodes
from compute.commands.sites import create_centre
from tenants.models import AuditEntry, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import Customer
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db

FEW, MANY, MOST = 100, 10_000, 12


@pytest.fixture
def alice() -> Customer:
    desk.open_desk(cards=8)
    cache.clear()
    return desk.program("alice", credit="100000000")


def projects(tenant_id: UUID, first: int, last: int) -> None:
    Project.objects.bulk_create(
        [
            Project(id=uuid7(), tenant_id=tenant_id, code=f"p-{number}", name=f"Project {number}")
            for number in range(first, last)
        ]
    )


def acts(tenant_id: UUID, first: int, last: int) -> None:
    AuditEntry.objects.bulk_create(
        [
            AuditEntry(
                id=uuid7(),
                tenant_id=tenant_id,
                actor_kind="system",
                actor_name="system",
                action="tenants.project.created",
                subject=f"tenants.project:{number}",
            )
            for number in range(first, last)
        ]
    )


def events(tenant_id: UUID, first: int, last: int) -> None:
    now = utc_now()
    record_usage(
        actor=SYSTEM,
        tenant_id=tenant_id,
        events=[
            UsageEvent(
                source="scale",
                id=str(number),
                meter="appliances.tokens_out",
                subject="scale",
                at=now - timedelta(hours=1),
                quantity=1,
                dimensions={"model": f"m{number % 50}", "deployment": "d", "key": "k"},
            )
            for number in range(first, last)
        ],
        now=now,
    )


@pytest.mark.parametrize(
    ("path", "make"), [("projects", projects), ("audit", acts), ("usage/events", events)]
)
def test_an_api_list_asks_as_little_of_ten_thousand_rows_as_of_a_hundred(
    alice: Customer, path: str, make: Callable[[UUID, int, int], None]
) -> None:
    alice.get("wallet")
    counts = []
    for first, last in ((0, FEW), (FEW, MANY)):
        with operator_scope():
            make(alice.organisation.pk, first, last)
        with CaptureQueriesContext(connection) as seen:
            answer = alice.get(path, limit=50)
        assert len(answer.json()["items"]) == 50
        counts.append(len(seen))
    assert counts[0] == counts[1] <= MOST


def test_the_nodes_page_asks_as_little_of_ten_thousand_nodes_as_of_a_hundred(
    alice: Customer,
) -> None:
    browser = signed_in("admin")
    browser.get("/ops/nodes/")
    counts = []
    with operator_scope():
        create_centre(actor=SYSTEM, code="scale", name_en="Scale", name_zh="规模")
    for last in (FEW, MANY):
        rows = [NodeRow(f"node-{number:05}", 64000, 1024, 8, "G1") for number in range(last)]
        with operator_scope():
            import_nodes(actor=SYSTEM, centre_code="scale", rows=rows, now=utc_now())
        with CaptureQueriesContext(connection) as seen:
            assert browser.get("/ops/nodes/").status_code == 200
        counts.append(len([q for q in seen.captured_queries if "set_config" not in q["sql"]]))
    assert counts[0] == counts[1]
