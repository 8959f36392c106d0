"""What the client does when the other side is away, busy, or says no; over real HTTP."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime

import pytest

from portal.embedded.ports import free_port
from portal_client import (
    Client,
    Conflict,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Patience,
    PaymentRequired,
    PortalError,
    RateLimited,
    Refused,
    ServerFailed,
    StreamStopped,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from portal_client.api.usage import EventResult
from portal_client.calls import Call
from portal_client.transport import BASE, Transport
from tests.portal_client.scripted import Answer, Scripted, keys, problem, scripted

WALLET = {
    "currency": "CNY",
    "balance": "12.50",
    "credit_limit": "0.00",
    "held": "0.00",
    "unbilled": "0.00",
    "available": "12.50",
}
PROJECT = {
    "id": "01994d1e-6f0a-7c3b-b2d5-f0a1c2e3d4f5",
    "code": "main",
    "name": "Main",
    "created_at": "2026-11-22T08:00:00Z",
    "archived_at": None,
}
QUICK = Patience(tries=4, first_seconds=0.001, longest_seconds=0.002, most_asked_seconds=2)
DAY = datetime(2026, 11, 22, 8, tzinfo=UTC)


def client(portal: Scripted, patience: Patience = QUICK) -> Client:
    return Client(portal.address, "acp_secret", patience=patience, timeout_seconds=5)


@pytest.mark.parametrize("passing", [429, 502, 503, 504])
def test_what_passes_is_asked_again_until_it_has_passed(passing: int) -> None:
    with scripted(
        Answer(passing, b"busy"), Answer(passing, b"busy"), Answer(200, WALLET)
    ) as portal:
        assert client(portal).wallet.get().balance == Decimal("12.50")
    assert [one.path for one in portal.asked] == [f"{BASE}wallet"] * 3


def test_a_refusal_that_says_it_is_retryable_is_asked_again() -> None:
    busy = Answer(409, problem(409, "account_busy", retryable=True), {"Retry-After": "0"})
    with scripted(busy, Answer(200, WALLET)) as portal:
        client(portal).wallet.get()
    assert len(portal.asked) == 2


def test_every_try_of_a_command_carries_the_same_key_and_the_same_bytes() -> None:
    away = Answer(503, problem(503, "unavailable", retryable=True), {"Retry-After": "0"})
    with scripted(away, Answer(0), Answer(201, PROJECT)) as portal:
        made = client(portal).projects.create(code="main", name="Main")
    assert made.code == "main"
    (key,) = set(keys(portal.asked))
    assert key
    assert len(portal.asked) == 3
    assert {one.body for one in portal.asked} == {b'{"code":"main","name":"Main"}'}


def test_two_commands_have_two_keys_and_a_key_of_the_callers_is_used() -> None:
    with scripted(Answer(201, PROJECT)) as portal, client(portal) as one:
        one.projects.create(code="main", name="Main")
        one.projects.create(code="main", name="Main")
        one.projects.create(code="main", name="Main", idempotency_key="order-17")
    first, second, third = keys(portal.asked)
    assert first != second
    assert third == "order-17"


def test_reads_and_deletes_carry_no_key() -> None:
    with scripted(Answer(200, WALLET), Answer(204, b"")) as portal, client(portal) as one:
        one.wallet.get()
        one.webhooks.delete("01994d1e-6f0a-7c3b-b2d5-f0a1c2e3d4f5")
    assert keys(portal.asked) == [None, None]


def test_a_retry_after_in_seconds_is_obeyed() -> None:
    with scripted(Answer(429, b"", {"Retry-After": "1"}), Answer(200, WALLET)) as portal:
        began = time.monotonic()
        client(portal).wallet.get()
        assert time.monotonic() - began >= 1


def test_a_retry_after_as_a_date_in_the_past_is_no_wait() -> None:
    header = {"Retry-After": format_datetime(DAY.replace(year=2001), usegmt=True)}
    slow = Patience(tries=2, first_seconds=3600, longest_seconds=3600)
    with scripted(Answer(503, b"", header), Answer(200, WALLET)) as portal:
        client(portal, slow).wallet.get()
    assert len(portal.asked) == 2


def test_a_longer_wait_than_there_is_patience_for_ends_the_call_at_once() -> None:
    refusal = problem(429, "rate_limited", retryable=True)
    with scripted(Answer(429, refusal, {"Retry-After": "3"})) as portal:
        with pytest.raises(RateLimited) as refused:
            client(portal).wallet.get()
        assert refused.value.retry_after_seconds == 3
        assert len(portal.asked) == 1


def test_patience_ends_with_the_last_refusal() -> None:
    away = Answer(503, problem(503, "unavailable"))
    with scripted(away) as portal, pytest.raises(Unavailable) as refused:
        client(portal).wallet.get()
    assert len(portal.asked) == QUICK.tries
    assert refused.value.code == "unavailable"


def test_waits_grow_and_are_drawn_so_that_clients_do_not_return_together() -> None:
    patience = Patience(first_seconds=1, longest_seconds=4)
    for tried, most in ((1, 1), (2, 2), (3, 4), (9, 4)):
        drawn = {patience.pause(tried, None) for _ in range(50)}
        assert len(drawn) > 40
        assert 0 <= min(drawn) <= max(drawn) <= most
    assert patience.pause(1, 7.0) == 7.0


def test_nobody_there_is_said_with_the_address() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable) as away:
        Client(address, "acp_secret", patience=QUICK).wallet.get()
    assert str(away.value) == f"{address} does not answer (ConnectError)."


@dataclass(frozen=True)
class Watched(Patience):
    """Says when the answer was read and the wait begins."""

    waits: threading.Event = field(default_factory=threading.Event)

    def pause(self, tried: int, asked: float | None) -> float:
        self.waits.set()
        return Patience.pause(self, tried, asked)


def test_closing_the_client_ends_a_wait() -> None:
    slow = Watched(tries=2, most_asked_seconds=600)
    with scripted(Answer(503, b"", {"Retry-After": "300"})) as portal:
        one = client(portal, slow)
        ended: list[PortalError] = []

        def call() -> None:
            try:
                one.wallet.get()
            except PortalError as error:
                ended.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert slow.waits.wait(10)
        one.close()
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert [type(error) for error in ended] == [Unavailable]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, NotSignedIn), (404, NotFound), (409, Conflict), (422, InvalidInput), (405, Refused)],
)
def test_a_refusal_is_an_exception_of_its_kind_and_is_not_repeated(
    status: int, kind: type[Refused]
) -> None:
    errors = [{"pointer": "/code", "code": "blank", "detail": "This may not be blank."}]
    answer = Answer(status, problem(status, "some_code", errors=errors))
    with scripted(answer) as portal, pytest.raises(Refused) as refused:
        client(portal).projects.create(code="", name="Main")
    assert type(refused.value) is kind
    assert (refused.value.status, refused.value.code) == (status, "some_code")
    assert str(refused.value) == refused.value.detail == "Refused as some_code."
    assert refused.value.request_id == "r-1"
    (one,) = refused.value.errors
    assert (one.pointer, one.code, one.detail) == ("/code", "blank", "This may not be blank.")
    assert len(portal.asked) == 1


def test_a_refusal_for_arrears_says_what_is_owed_and_until_when() -> None:
    arrears = problem(
        402,
        "in_arrears",
        reason="arrears",
        state="grace",
        deadline="2026-11-25T00:00:00Z",
        amount_needed="88.10",
        currency="CNY",
        resolution="Top up.",
    )
    with scripted(Answer(402, arrears)) as portal, pytest.raises(PaymentRequired) as refused:
        client(portal).projects.create(code="main", name="Main")
    owed = refused.value
    assert (owed.is_arrears, owed.standing, owed.resolution) == (True, "grace", "Top up.")
    assert owed.deadline == datetime(2026, 11, 25, tzinfo=UTC)
    assert owed.amount_needed == Decimal("88.10")


def test_a_500_is_not_repeated_because_nobody_says_it_passes() -> None:
    with scripted(Answer(500, problem(500, "failed"))) as portal, pytest.raises(ServerFailed):
        client(portal).wallet.get()
    assert len(portal.asked) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(200, b"<html>"), "The portal's answer is not JSON."),
        (
            Answer(302, b"", {"Location": "/x"}),
            "The address leads elsewhere (HTTP 302); is it the portal's own?",
        ),
        (
            Answer(200, {**WALLET, "held": 1.5}),
            "The portal's answer is not what this client knows: /held is not a decimal number in a "
            "string.",
        ),
    ],
)
def test_what_is_not_the_portal_is_said_so(answer: Answer, sentence: str) -> None:
    with scripted(answer) as portal, pytest.raises(UnexpectedAnswer) as strange:
        client(portal).wallet.get()
    assert str(strange.value) == sentence


def test_a_list_is_followed_to_its_end_and_a_circle_is_refused() -> None:
    pages = [
        Answer(200, {"items": [{**PROJECT, "code": "a"}, {**PROJECT, "code": "b"}], "next": "c1"}),
        Answer(200, {"items": [{**PROJECT, "code": "c"}], "next": None}),
    ]
    with scripted(*pages) as portal:
        assert [row.code for row in client(portal).projects.list(limit=2)] == ["a", "b", "c"]
    assert [one.path for one in portal.asked] == [
        f"{BASE}projects?limit=2",
        f"{BASE}projects?limit=2&cursor=c1",
    ]
    with scripted(pages[0]) as portal, pytest.raises(UnexpectedAnswer):
        list(client(portal).projects.list())
    assert len(portal.asked) == 2


def test_lines_are_answered_by_lines_and_a_stop_is_said() -> None:
    one = b'{"id":"a","source":"s","status":"accepted","code":"","detail":""}\n'
    stop = b'{"status":"stopped","code":"time_limit","detail":"It took too long."}\n'
    call = Call("POST", "usage/stream", body=[{"id": "a"}, {"id": "b"}], has_body=True, lines=True)
    with scripted(Answer(200, one + one), Answer(200, one + stop)) as portal:
        transport = Transport(portal.address, "acp_secret", patience=QUICK)
        assert [row.id for row in transport.lines(EventResult, call)] == ["a", "a"]
        with pytest.raises(StreamStopped) as stopped:
            transport.lines(EventResult, call)
    assert (stopped.value.code, str(stopped.value)) == ("time_limit", "It took too long.")
    assert portal.asked[0].body == b'{"id":"a"}\n{"id":"b"}\n'
    assert portal.asked[0].headers["Content-Type"] == "application/x-ndjson"


def test_an_id_cannot_lead_to_another_address() -> None:
    with scripted(Answer(404, problem(404, "not_found"))) as portal, pytest.raises(NotFound):
        client(portal).projects.get("../keys?x=1#y")
    assert portal.asked[0].path == f"{BASE}projects/..%2Fkeys%3Fx%3D1%23y"


def test_a_download_s_name_is_a_name_and_never_a_path() -> None:
    answer = Answer(200, b"%PDF-", {"Content-Disposition": 'attachment; filename="../../evil"'})
    with scripted(answer) as portal:
        document = client(portal).invoices.get_document_pdf("1")
    assert (document.name, document.content) == ("evil", b"%PDF-")


def test_the_key_is_sent_in_its_header_and_shown_nowhere() -> None:
    with scripted(Answer(200, WALLET)) as portal, client(portal) as one:
        one.wallet.get()
        assert "acp_secret" not in repr(one) + repr(vars(one))
    assert portal.asked[0].headers["Authorization"] == "Bearer acp_secret"
    assert "acp_secret" not in portal.asked[0].path
