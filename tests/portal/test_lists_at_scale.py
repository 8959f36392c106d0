"""A page of a list costs as few statements of ten thousand rows as of a hundred: twelve at most."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Invoice
from compute.models import Node, Pool, Reservation
from tenants.models import (
    ApiKey,
    Notice,
    OperatorAccess,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.scoping import operator_scope
from tenants.sealing import seal
from tenants.webhooks import signing
from tests.factories import console
from tests.factories.console import Console
from tests.factories.crowds import Copies, crowd, of_tenant
from tests.factories.program import Program, program
from tests.portal.operator_stage import signed_in

FEW, MANY, MOST = 100, 10_000, 12
SHOWN = 50
# What opens a scope or a transaction reads no rows.
SCOPES = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "SELECT set_config")

API_OF_TENANT = (
    "projects",
    "members",
    "keys",
    "audit",
    "reservations",
    "deployments",
    "usage/events",
    "usage/summary?group_by=model",
    "invoices",
    "invoices/{invoice}",
    "invoices/{invoice}/lines/1/events",
    "notices",
    "webhooks",
    "webhooks/{endpoint}/deliveries",
    "webhooks/{endpoint}/deliveries?state=failed",
)
PAGES_OF_TENANT = (
    "",
    "reserve/",
    "reservations/",
    "reservations/?show=coming",
    "reservations/{reservation}/",
    "deploy/small-chat/",
    "deployments/",
    "usage/?meter=appliances.tokens_out&by=model",
    "invoices/",
    "invoices/{invoice}/lines/1/",
    "wallet/",
    "keys/",
    "members/",
    "projects/",
    "audit/",
    "audit/?show=visits",
    "notices/",
    "webhooks/",
    "webhooks/{endpoint}/",
    "webhooks/deliveries/{delivery}/",
)
OPERATORS_PAGES_OF_TENANTS = (
    "",
    "approvals/",
    "reservations/",
    "reservations/{reservation}/",
    "deployments/",
    "nodes/",
    "nodes/wall/",
    "tenants/",
    "tenants/alice/",
    "invoices/",
    "jobs/",
    "audit/",
)


@pytest.fixture(scope="module")
def costs(django_db_setup: None, django_db_blocker: Any) -> Iterator["Costs"]:
    """A furnished tenant whose rows are committed, for the owner to copy; cleaned up after."""
    with django_db_blocker.unblock():
        cache.clear()
        console.centre()
        who = console.furnished()
        now = datetime.now(UTC)
        desk = Pool.objects.get(code="desk")
        with operator_scope():
            Node.objects.create(
                pool=desk,
                cluster_id=desk.cluster_id,
                name="desk-001",
                cards=8,
                cpus=8,
                memory_mib=1,
            )
            OperatorAccess.objects.create(
                tenant=who.organisation,
                operator=console.member(who.organisation, "viewer", "visitor"),
                reason="Asked to look.",
                starts_at=now,
                ends_at=now + timedelta(minutes=30),
            )
            _told(who, now)
        yield Costs(who)
        connections.close_all()
        call_command("flush", interactive=False, verbosity=0, database="owner")


def _told(who: Console, now: datetime) -> None:
    """A notice and a message of it that an endpoint did not take, for the owner to copy."""
    tenant = who.organisation
    notice = Notice.objects.create(
        tenant=tenant, kind="webhook.tested", key="crowd", roles=["owner"], at=now
    )
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant,
        url="https://1.1.1.1/hook",
        description="crowd",
        sealed_secret=seal(signing.new_secret().encode()),
        created_at=now,
    )
    delivery = WebhookDelivery.objects.create(
        tenant=tenant,
        endpoint=endpoint,
        notice=notice,
        message_id="crowd",
        event_type=notice.kind,
        body="{}",
        state="failed",
        created_at=now,
        finished_at=now,
    )
    WebhookAttempt.objects.create(
        tenant=tenant, delivery=delivery, number=1, at=now, duration_ms=1, outcome="timeout"
    )


@pytest.fixture(autouse=True)
def database(costs: "Costs", django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


class Costs:
    """How many statements each address asks, as a program, a tenant's owner and an operator."""

    def __init__(self, who: Console) -> None:
        self.who = who
        self.api: Program = program(who.organisation)
        with operator_scope():
            self.key_id = ApiKey.objects.get(last_four=self.api.secret[-4:]).pk
        self.owner, self.operator = who.client(), signed_in("admin")
        with operator_scope():
            self.words = {
                "invoice": Invoice.objects.get(tenant_id=who.id).pk,
                "endpoint": WebhookEndpoint.objects.get(description="crowd").pk,
                "delivery": WebhookDelivery.objects.get(message_id="crowd").pk,
                "reservation": Reservation.objects.get(tenant_id=who.id, state="active").pk,
            }

    def of(
        self, api: Sequence[str], pages: Sequence[str], operators: Sequence[str]
    ) -> dict[str, int]:
        found = {}
        for path in api:
            # A key's use is noted once a minute, whenever that begins; that is no cost of a list.
            cache.set(f"api-key-used:{self.key_id}", 1, timeout=3600)
            told = f"{path}{'&' if '?' in path else '?'}limit={SHOWN}".format(**self.words)
            with CaptureQueriesContext(connection) as seen:
                answer = self.api.get(told)
            shown = answer.json()
            # An invoice is one document and brings all of its lines.
            assert len(shown["items"]) == SHOWN if "items" in shown else len(shown["lines"]) > FEW
            found[path] = len(seen)
        for page in pages:
            found[f"/t/{page}"] = self._page(self.owner, self.who.path(page))
        for page in operators:
            found[f"/ops/{page}"] = self._page(self.operator, f"/ops/{page}")
        return found

    def _page(self, browser: Client, address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert browser.get(address.format(**self.words)).status_code == 200, address
        return sum(not query["sql"].startswith(SCOPES) for query in seen)


def test_a_tenant_s_lists_cost_the_same_of_ten_thousand_rows_as_of_a_hundred(costs: Costs) -> None:
    few, many = _measured(
        of_tenant(costs.who.id, costs.words["invoice"]),
        costs,
        (API_OF_TENANT, PAGES_OF_TENANT, OPERATORS_PAGES_OF_TENANTS),
    )
    assert many == few
    assert {address: count for address, count in few.items() if count > MOST} == {}


def _measured(
    copies: Sequence[Copies], costs: Costs, addresses: tuple[Sequence[str], ...]
) -> tuple[dict[str, int], dict[str, int]]:
    crowd(copies, 0, FEW)
    few = costs.of(*addresses)
    crowd(copies, FEW, MANY)
    return few, costs.of(*addresses)
