"""A page of the console costs as many statements with sixty rows as with three, and few."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from appliances.models import Deployment
from compute.models import Reservation
from tenants.models import (
    Invitation,
    Membership,
    Notice,
    Project,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import console
from tests.factories.console import Console
from tests.factories.tenants import user
from tests.portal.consoles import alice, furnished

__all__ = ["alice", "furnished"]

MOST = 12
LISTS = (
    "",
    "reserve/",
    "reservations/",
    "catalogue/",
    "catalogue/qa-standard/",
    "deploy/small-chat/",
    "deployments/",
    "usage/",
    "usage/?by=project",
    "costs/",
    "costs/?by=project&project=assistant",
    "costs/?by=deployment&meter=compute.card_seconds&show=use",
    "costs/?by=member",
    "budgets/",
    "invoices/",
    "fapiao/",
    "statement/",
    "wallet/",
    "prices/",
    "keys/",
    "members/",
    "projects/",
    "audit/",
    "notices/",
    "webhooks/",
)
# What opens a scope or a transaction reads no rows.
SCOPES = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "SELECT set_config")


def costs(who: Console) -> dict[str, int]:
    client = who.client()
    with operator_scope():
        one = Reservation.objects.filter(tenant_id=who.id, state="active").get().pk
        made = Deployment.objects.get(tenant_id=who.id, name="chat").pk
        hook = WebhookEndpoint.objects.filter(tenant_id=who.id).earliest("pk").pk
        sent = WebhookDelivery.objects.filter(tenant_id=who.id).earliest("pk").pk
    found = {}
    for page in (
        *LISTS,
        f"reservations/{one}/",
        f"deployments/{made}/",
        f"webhooks/{hook}/",
        f"webhooks/deliveries/{sent}/",
    ):
        with CaptureQueriesContext(connection) as told:
            assert client.get(who.path(page)).status_code == 200
        found[page] = sum(not query["sql"].startswith(SCOPES) for query in told)
    return found


def hooked(who: Console, number: int) -> None:
    """So many notices, webhooks, and deliveries of the first webhook, each tried once more."""
    for index in range(number):
        with operator_scope():
            told = Notice.objects.create(
                tenant_id=who.id,
                kind="webhook.disabled",
                key=f"told {number}/{index}",
                detail={"url": "https://1.1.1.1/", "webhook_id": "x", "reason": "gone"},
                roles=["owner"],
                at=console.soon(),
            )
            WebhookEndpoint.objects.create(
                tenant_id=who.id,
                url=f"https://1.1.1.1/{index}",
                sealed_secret=b"",
                created_at=console.soon(),
            )
            first = WebhookEndpoint.objects.filter(tenant_id=who.id).earliest("pk")
            WebhookDelivery.objects.create(
                tenant_id=who.id,
                endpoint=first,
                notice=told,
                message_id=f"msg_{number}_{index}",
                event_type="webhook.disabled",
                body="{}",
                due_at=console.soon(),
                created_at=console.soon(),
            )
            WebhookAttempt.objects.create(
                tenant_id=who.id,
                delivery=WebhookDelivery.objects.filter(tenant_id=who.id).earliest("pk"),
                number=1000 * number + index,
                at=console.soon(),
                duration_ms=1,
                outcome="timeout",
            )


def more(who: Console, number: int) -> None:
    """So many more of everything that lists show."""
    hooked(who, number)
    console.used(who, days=6, per_day=number // 6, source="more")
    for index in range(number):
        console.key(who, f"key {index}")
        with operator_scope():
            Project.objects.create(tenant_id=who.id, code=f"p-{index}", name=f"Project {index}")
            person = user(f"m{index}@{who.code}.example")
            Membership.objects.create(tenant_id=who.id, user=person, role="viewer")
            Invitation.objects.create(
                tenant_id=who.id,
                email=f"i{index}@example.com",
                role="viewer",
                token_hash=f"{index:032}".encode(),
                expires_at=console.soon() + timedelta(days=3),
            )
    with operator_scope():
        first = Deployment.objects.filter(tenant_id=who.id, state="failed").first()
        assert first is not None
        for index in range(number):
            first.pk = None
            first.id = console.uuid7()
            first.workload_id = None
            first.name = f"copy {index}"
            first.save(force_insert=True)
    with tenant_scope(who.id):
        for _index in range(12):
            one = console.held(who, cards=1, start=60 * 24 * 20, hours=1)
            console.reservations.cancel(
                actor=who.actor(), reservation_id=one.pk, now=console.soon(1)
            )


def test_a_page_costs_the_same_with_three_rows_and_with_sixty(alice: Console) -> None:
    hooked(alice, 3)
    # Some of the few is late, as some of the many is: what is cut is counted by a statement more.
    console.used(alice, days=6, per_day=1, source="few")
    few = costs(alice)
    more(alice, 60)
    many = costs(alice)
    assert many == few
    assert {page: cost for page, cost in few.items() if cost > MOST} == {}
