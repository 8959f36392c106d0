"""The client and the real portal: over HTTP, on real rows."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from billing.commands.invoices import issue_invoice
from billing.models import UsageEvent
from common.clock import utc_now
from compute.models import Reservation
from portal_client import (
    BadSignature,
    Client,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    PaymentRequired,
    verify,
)
from portal_client.api.models import EventDataInput, EventInput
from tenants.models import Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tenants.webhooks import signing
from tests.factories import desk
from tests.factories.desk import HOUR, Customer

DIMENSIONS = {"model": "tiny", "deployment": "d1", "key": "k1"}


def event(number: int, **changes: object) -> EventInput:
    data = EventDataInput(quantity=1000, dimensions=DIMENSIONS)
    facts = {
        "id": f"event-{number}",
        "source": "my-meter",
        "type": "appliances.tokens_in",
        "time": desk.minute(-HOUR),
        "data": data,
        **changes,
    }
    return EventInput(**facts)  # type: ignore[arg-type]  # changes are of the members' types


def test_cards_are_held_submitted_and_cancelled(client: Client) -> None:
    start = desk.minute(HOUR)
    held = client.reservations.create(
        project="main", pool=desk.POOL, cards=2, starts_at=start, ends_at=start + 2 * HOUR
    )
    assert isinstance(held.id, UUID)
    assert (held.state, held.cards, held.starts_at) == ("held", 2, start)
    assert held.net == held.unit_price * 4
    assert held.gross == held.net + held.tax
    before = client.wallet.get()
    assert client.reservations.submit(held.id).state == "awaiting_approval"
    assert before.available - client.wallet.get().available == held.gross
    cancelled = client.reservations.cancel(held.id)
    assert cancelled.state == "cancelled"
    assert client.reservations.get(str(held.id)) == cancelled
    assert list(client.reservations.list()) == [cancelled]


def test_a_command_sent_twice_under_one_key_is_done_once(client: Client) -> None:
    first = client.projects.create(code="lab", name="Lab", idempotency_key="once")
    assert client.projects.create(code="lab", name="Lab", idempotency_key="once") == first
    with pytest.raises(InvalidInput):
        client.projects.create(code="lab2", name="Lab", idempotency_key="once")
    with operator_scope():
        assert sorted(Project.objects.values_list("code", flat=True)) == ["lab", "main"]


def test_lists_of_every_length_are_followed(client: Client) -> None:
    for number in range(7):
        client.projects.create(code=f"p{number}", name=f"Project {number}")
    codes = [row.code for row in client.projects.list(limit=3)]
    assert sorted(codes) == ["main", *(f"p{number}" for number in range(7))]
    assert [len(page.items) for page in client.projects.list(limit=3).pages()] == [3, 3, 2]
    first = client.projects.list(limit=3).first()
    rest = list(client.projects.list(limit=100, cursor=first.next))
    assert [row.code for row in (*first.items, *rest)] == codes


def test_events_are_sent_in_batches_with_a_result_each_and_counted_once(client: Client) -> None:
    sent = [event(number) for number in range(25)]
    strange = {"specversion": "1.0", "id": "x", "source": "my-meter", "type": "no.such.meter"}
    many = [*sent, strange, event(3), event(4, time=desk.minute(-2 * HOUR))]
    results = list(client.send_events(many, batch=10))
    assert [result.id for result in results[:25]] == [one.id for one in sent]
    assert Counter(result.status for result in results) == {
        "accepted": 25,
        "rejected": 1,
        "duplicate": 1,
        "conflict": 1,
    }
    assert results[25].code
    again = Counter(result.status for result in client.send_events(sent, batch=7))
    assert again == {"duplicate": 25}
    with operator_scope():
        assert UsageEvent.objects.count() == 25
    (row,) = client.usage.list_summary(group_by="meter")
    assert (row.meter, row.quantity, row.events) == ("appliances.tokens_in", 25_000, 25)
    counted = list(client.usage.list_events(limit=10, since=desk.minute(-3 * HOUR)))
    assert sorted(one.id for one in counted) == sorted(one.id for one in sent)
    assert counted[0].time.tzinfo is not None


def test_an_invoice_is_read_down_to_its_events_and_downloaded(
    client: Client, alice: Customer
) -> None:
    list(client.send_events(event(number) for number in range(3)))
    with operator_scope():
        issued = issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )
    (row,) = client.invoices.list()
    assert (row.id, row.number) == (issued.pk, issued.number)
    sheet = client.invoices.get(row.id)
    assert sheet.gross == sum((line.gross for line in sheet.lines), Decimal(0)) == issued.gross
    (line,) = sheet.lines
    assert (line.base_quantity, line.dimensions) == (3000, {"model": "tiny"})
    traced = list(client.invoices.list_lines_events(row.id, line.number, limit=2))
    assert sorted(one.id for one in traced) == ["event-0", "event-1", "event-2"]
    pdf = client.invoices.get_document_pdf(row.id, language="zh-hans")
    assert (pdf.name, pdf.media_type) == (f"{issued.number}.pdf", "application/pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert client.invoices.get_lines_csv(row.id).name == f"{issued.number}.csv"
    export = client.exports.get_focus(dataset="CostAndUsage", version="1.4")
    assert export.content.count(b"\n") == 3


def test_offers_and_appliances_speak_exactly(client: Client) -> None:
    found = client.offers.get(
        hours=2,
        cards=4,
        chip="nvidia-h20",
        window_starts_at=desk.minute(HOUR),
        window_ends_at=desk.minute(24 * HOUR),
        budget=Decimal("100000.00"),
    )
    (offer,) = found.offers
    assert (offer.pool, offer.cards, offer.gross) == ("h20", 4, offer.net + offer.tax)
    sheet = client.appliances.get("small-chat")
    assert (sheet.fit[0].verdict, sheet.fit[0].steps[0].value > 0) == ("fits", True)


def test_refusals_are_typed_and_change_nothing(client: Client, address: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        client.reservations.create(
            project="main",
            pool=desk.POOL,
            cards=0,
            starts_at=desk.minute(HOUR),
            ends_at=desk.minute(2 * HOUR),
        )
    assert [(one.pointer, one.code) for one in wrong.value.errors] == [("/cards", "min_value")]
    assert wrong.value.request_id
    with pytest.raises(NotFound):
        client.reservations.get(UUID(int=1))
    with pytest.raises(NotSignedIn), Client(address, "acp_wrong") as stranger:
        stranger.wallet.get()
    with operator_scope():
        assert not Reservation.objects.exists()


def test_a_key_without_the_scope_is_told_so(address: str) -> None:
    carol = desk.program("carol", scopes={"billing:usage:read"})
    with Client(address, carol.secret) as client:
        assert list(client.usage.list_events()) == []
        with pytest.raises(Forbidden):
            client.wallet.get()


def test_no_funds_is_its_own_refusal_in_the_asked_language(address: str) -> None:
    poor = desk.program("poor", credit="0")
    start = desk.minute(HOUR)
    with Client(address, poor.secret, language="zh-hans") as client:
        held = client.reservations.create(
            project="main", pool=desk.POOL, cards=2, starts_at=start, ends_at=start + HOUR
        )
        with pytest.raises(PaymentRequired) as refused:
            client.reservations.submit(held.id)
    assert not refused.value.is_arrears
    assert any("一" <= mark <= "鿿" for mark in refused.value.detail)


def test_what_the_portal_signs_the_client_believes() -> None:
    now = datetime(2026, 11, 22, 8, tzinfo=UTC)
    secret = signing.new_secret()
    body = (
        b'{"type":"webhook.tested","timestamp":"2026-11-22T08:00:00Z",'
        b'"tenant_id":"01994d1e-6f0a-7c3b-b2d5-f0a1c2e3d4f5","data":{}}'
    )
    headers = signing.headers(message_id="msg_1", body=body, secrets=[secret], at=now)
    assert verify(secret=secret, headers=headers, body=body, now=now).type == "webhook.tested"
    with pytest.raises(BadSignature):
        verify(secret=signing.new_secret(), headers=headers, body=body, now=now)
    with pytest.raises(BadSignature):
        verify(secret=secret, headers=headers, body=body, now=now + timedelta(minutes=6))
