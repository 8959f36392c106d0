"""The resources of the API on the way a customer goes: from the pool to the invoice's events."""

from decimal import Decimal

import pytest

from billing.commands.invoices import issue_invoice
from common.clock import utc_now
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import desk
from tests.factories.desk import HOUR, Customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Customer:
    desk.open_desk()
    return desk.program("alice")


def test_a_pool_says_what_it_has_free(alice: Customer) -> None:
    (pool,) = alice.get("pools").json()["items"]
    assert pool["code"] == desk.POOL
    assert pool["name"] == "h20 pool"
    assert pool["chip"]["code"] == "nvidia-h20"
    assert (pool["capacity_cards"], pool["free_cards"]) == (16, 16)
    assert (pool["largest_gang"], pool["as_of"], pool["stale"]) == (None, None, True)


def test_a_pool_s_name_is_said_in_the_asked_language(alice: Customer) -> None:
    answer = alice.client.get(
        "/api/v1/pools",
        headers={"Authorization": f"Bearer {alice.secret}", "Accept-Language": "zh-Hans"},
    )
    assert answer.json()["items"][0]["name"] == "h20 资源池"


def test_a_reservation_takes_cards_from_the_pool_s_steps(alice: Customer) -> None:
    held = alice.post("reservations", desk.reservation_body())
    assert held.status_code == 201, held.content
    steps = alice.get(
        "pools/h20/availability",
        starts_at=desk.written(desk.minute()),
        ends_at=desk.written(desk.minute(4 * HOUR)),
    ).json()["steps"]
    assert [step["free"] for step in steps] == [16, 14, 16]


def test_a_reservation_is_held_submitted_and_cancelled(alice: Customer) -> None:
    held = alice.post("reservations", desk.reservation_body()).json()
    assert held["state"] == "held"
    assert Decimal(held["net"]) == Decimal(held["unit_price"]) * 2 * 2
    assert Decimal(held["gross"]) == Decimal(held["net"]) + Decimal(held["tax"])
    before = alice.get("wallet").json()
    submitted = alice.post(f"reservations/{held['id']}/submit", {}).json()
    assert submitted["state"] == "awaiting_approval"
    after = alice.get("wallet").json()
    assert Decimal(after["held"]) == Decimal(held["gross"])
    assert Decimal(before["available"]) - Decimal(after["available"]) == Decimal(held["gross"])
    cancelled = alice.post(f"reservations/{held['id']}/cancel", {}).json()
    assert cancelled["state"] == "cancelled"
    assert alice.get(f"reservations/{held['id']}").json() == cancelled
    assert alice.get("reservations").json()["items"] == [cancelled]


def test_offers_are_priced_and_say_why(alice: Customer) -> None:
    answer = alice.get(
        "offers",
        chip="nvidia-h20",
        cards=4,
        hours=2,
        window_starts_at=desk.written(desk.minute(HOUR)),
        window_ends_at=desk.written(desk.minute(24 * HOUR)),
    )
    (offer,) = answer.json()["offers"]
    assert (offer["kind"], offer["pool"], offer["cards"]) == ("exact", "h20", 4)
    assert Decimal(offer["gross"]) > 0
    assert offer["why"].startswith("At the time you asked for.")


def test_an_appliance_shows_the_arithmetic_of_its_fit(alice: Customer) -> None:
    listed = alice.get("appliances", limit=100).json()["items"]
    assert "small-chat" in {row["code"] for row in listed}
    sheet = alice.get("appliances/small-chat").json()
    (fit,) = sheet["fit"]
    assert (fit["pool"], fit["verdict"], fit["cards"]) == ("h20", "fits", 1)
    assert fit["steps"][0]["basis"] == "measured"


def test_a_deployment_starts_and_is_asked_to_stop(alice: Customer) -> None:
    made = alice.post("deployments", desk.deployment_body())
    assert made.status_code == 201, made.content
    deployment = made.json()
    assert (deployment["state"], deployment["model"]) == ("requested", "helper-bot")
    assert (deployment["pool"], deployment["cards"], deployment["billed"]) == ("h20", 1, False)
    assert deployment["base_url"].endswith("/v1")
    assert alice.get("deployments").json()["items"] == [deployment]
    stopping = alice.post(f"deployments/{deployment['id']}/stop", {})
    assert (stopping.status_code, stopping.json()["state"]) == (200, "stopping")


def test_usage_becomes_an_invoice_that_opens_down_to_its_events(alice: Customer) -> None:
    batch = [desk.event(number) for number in range(3)]
    taken = alice.post(
        "usage/events", batch, key=None, content_type="application/cloudevents-batch+json"
    )
    assert taken.status_code == 200, taken.content
    assert taken.json()["accepted"] == 3
    (summed,) = alice.get("usage/summary", group_by="meter").json()["items"]
    assert (summed["meter"], summed["unit"], summed["quantity"]) == (
        "appliances.tokens_in",
        "token",
        3000,
    )
    with operator_scope():
        issued = issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )
    (row,) = alice.get("invoices").json()["items"]
    assert (row["id"], row["number"]) == (str(issued.pk), issued.number)
    sheet = alice.get(f"invoices/{row['id']}").json()
    (line,) = sheet["lines"]
    assert (line["base_quantity"], line["unit"]) == (3000, "million tokens")
    assert Decimal(sheet["gross"]) == Decimal(line["gross"])
    first = alice.get(f"invoices/{row['id']}/lines/1/events", limit=2).json()
    rest = alice.get(f"invoices/{row['id']}/lines/1/events", cursor=first["next"]).json()
    assert rest["next"] is None
    ids = [one["id"] for one in first["items"] + rest["items"]]
    assert sorted(ids) == ["event-0", "event-1", "event-2"]


def test_an_invoice_is_downloaded_in_the_asked_language(alice: Customer) -> None:
    alice.post("usage/events", [desk.event()], key=None)
    with tenant_scope(alice.organisation.pk):
        issued = issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )
    pdf = alice.get(f"invoices/{issued.pk}/document.pdf", language="zh-hans")
    assert pdf.status_code == 200
    assert pdf["Content-Type"] == "application/pdf"
    assert pdf["Content-Disposition"] == f'attachment; filename="{issued.number}.pdf"'
    assert pdf.content.startswith(b"%PDF-")
    english = alice.get(f"invoices/{issued.pk}/lines.csv", language="en")
    chinese = alice.get(f"invoices/{issued.pk}/lines.csv", language="zh-hans")
    assert english["Content-Disposition"] == f'attachment; filename="{issued.number}.csv"'
    assert english["Content-Type"].startswith("text/csv")
    assert english.content.splitlines()[0] != chinese.content.splitlines()[0]
    assert len(english.content.splitlines()) == len(chinese.content.splitlines()) == 2
    unknown = alice.get(f"invoices/{issued.pk}/lines.csv", language="fr")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_input")


def test_prices_in_force_are_listed_in_pages(alice: Customer) -> None:
    first = alice.get("prices", limit=2).json()
    rest = alice.get("prices", limit=100, cursor=first["next"]).json()["items"]
    skus = [row["sku"] for row in first["items"] + rest]
    assert skus == sorted(set(skus))
    assert len(skus) > 5
    assert alice.get("prices", at="2001-01-01T00:00:00Z").json()["items"] == []
