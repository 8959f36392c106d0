"""How many SQL statements a list costs: the same at 3 rows and at 60, and never more than 12."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.commands.contracts import TermLine, activate_contract, add_term, draft_contract
from billing.commands.invoices import issue_invoice
from common.clock import utc_now
from common.period import floor_hour
from compute.models import Reservation
from compute.models.reservations import ReservationState
from tenants.models import Notice, WebhookEndpoint
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.billing.shorthand import pay_in
from tests.factories import desk
from tests.factories.desk import Customer, deployment_body, event, reservation_body

pytestmark = pytest.mark.django_db

MOST = 12


@pytest.fixture
def alice() -> Customer:
    desk.open_desk(cards=1000)
    return desk.program("alice", credit="100000000")


def pools(alice: Customer, first: int, last: int) -> None:
    for number in range(first, last):
        desk.open_pool(f"pool-{number}")


def reservations(alice: Customer, first: int, last: int) -> None:
    for _number in range(first, last):
        alice.post("reservations", reservation_body())
        # Only so many may wait for use at once; how many are listed is another thing.
        with operator_scope():
            Reservation.objects.update(state=ReservationState.EXPIRED)


def deployments(alice: Customer, first: int, last: int) -> None:
    for number in range(first, last):
        made = alice.post("deployments", deployment_body(name=f"model-{number}"))
        assert made.status_code == 201, made.content


def events(alice: Customer, first: int, last: int) -> None:
    named = [
        event(
            number,
            data={"dimensions": {"model": f"m{number}", "deployment": "d", "key": "k"}},
        )
        for number in range(first, last)
    ]
    assert alice.post("usage/events", named, key=None).json()["accepted"] == last - first


def invoices(alice: Customer, first: int, last: int) -> None:
    for number in range(first, last):
        events(alice, number, number + 1)
        with operator_scope():
            issue_invoice(
                actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
            )


def contracts(alice: Customer, first: int, last: int) -> None:
    start = floor_hour(utc_now())
    for number in range(first, last):
        # Both commands take these, so they are said once.
        about: dict[str, Any] = {"actor": SYSTEM, "tenant_id": alice.organisation.pk}
        with operator_scope():
            made = draft_contract(
                **about,
                number=f"HT-{number}",
                title="Agreement",
                starts_at=start,
                ends_at=start + timedelta(days=1),
                now=utc_now(),
            )
            term = TermLine(
                "discount",
                start,
                start + timedelta(days=1),
                sku=f"sku-{number}",
                discount_percent=Decimal(5),
            )
            add_term(**about, contract_id=made.pk, term=term)
            activate_contract(**about, contract_id=made.pk, now=utc_now())


def one_invoice(alice: Customer, first: int, last: int) -> None:
    events(alice, first, last)
    with operator_scope():
        issue_invoice(actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now())


def noticed(alice: Customer, first: int, last: int) -> None:
    for number in range(first, last):
        with operator_scope():
            Notice.objects.create(
                tenant=alice.organisation,
                kind="webhook.disabled",
                key=f"{number}",
                detail={"url": "https://1.1.1.1/", "webhook_id": "x", "reason": "gone"},
                roles=["owner"],
                at=utc_now(),
            )


def webhooks(alice: Customer, first: int, last: int) -> None:
    for number in range(first, last):
        with operator_scope():
            WebhookEndpoint.objects.create(
                tenant=alice.organisation,
                url=f"https://1.1.1.1/{number}",
                sealed_secret=b"",
                created_at=utc_now(),
            )


def topped_up(alice: Customer, first: int, last: int) -> None:
    for number in range(first, last):
        pay_in(alice.organisation, "1.00", key=f"slip-{number}", now=utc_now())


def nothing(alice: Customer, first: int, last: int) -> None:
    """The seed brings these rows; the number asked for is what differs."""


LISTS: list[tuple[str, Callable[[Customer, int, int], None], dict[str, str]]] = [
    ("pools", pools, {}),
    ("reservations", reservations, {}),
    ("deployments", deployments, {}),
    ("usage/events", events, {}),
    ("usage/summary", events, {"group_by": "model"}),
    ("invoices", invoices, {}),
    ("wallet/movements", topped_up, {}),
    ("notices", noticed, {}),
    ("webhooks", webhooks, {}),
    ("appliances", nothing, {}),
    ("prices", nothing, {}),
    ("contracts", contracts, {}),
]


def statements(alice: Customer, path: str, query: dict[str, Any]) -> tuple[int, int]:
    """How many statements the list costs and how many rows it gives, the key already noted."""
    with CaptureQueriesContext(connection) as seen:
        answer = alice.get(path, **query)
    assert answer.status_code == 200, answer.content[:300]
    return len(seen), len(answer.json()["items"])


@pytest.mark.parametrize(("path", "make", "query"), LISTS, ids=[row[0] for row in LISTS])
def test_a_list_costs_the_same_at_three_rows_and_at_sixty(
    alice: Customer,
    path: str,
    make: Callable[[Customer, int, int], None],
    query: dict[str, str],
) -> None:
    cache.clear()
    alice.get("wallet")
    make(alice, 0, 3)
    few, few_rows = statements(alice, path, {**query, "limit": 3})
    make(alice, 3, 60)
    many, many_rows = statements(alice, path, {**query, "limit": 100})
    assert few_rows == 3
    assert many_rows >= 60 or make is nothing
    assert many_rows > few_rows
    assert (few, many) == (few, few)
    assert few <= MOST


def test_an_invoice_costs_the_same_with_three_lines_and_with_sixty(alice: Customer) -> None:
    cache.clear()
    alice.get("wallet")
    counts = []
    for first, last in ((0, 3), (3, 63)):
        one_invoice(alice, first, last)
        newest = alice.get("invoices").json()["items"][0]["id"]
        with CaptureQueriesContext(connection) as seen:
            lines = alice.get(f"invoices/{newest}").json()["lines"]
        assert len(lines) == last - first
        counts.append(len(seen))
    assert counts == [counts[0]] * 2
    assert counts[0] <= MOST
