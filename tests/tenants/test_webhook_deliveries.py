"""Deliveries to a real receiver: signed, tried again, given up, sent again."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from pytest_django.fixtures import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from common.clock import utc_now
from tenants.commands.deliveries import LEASE, claim_delivery
from tenants.commands.resends import (
    EndpointNotEnabled,
    resend_delivery,
    resend_since,
    send_test,
)
from tenants.commands.webhooks import remove_endpoint, rotate_secret, switch_endpoint
from tenants.models import (
    AuditEntry,
    Notice,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tenants.webhooks.retries import WAITS
from tests.tenants.conftest import Cast
from tests.tenants.hooks import deliver, endpoint, one_round, row, told
from tests.tenants.receiver import ADDRESSES, HOST, Receiver, Reply

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def test_the_public_library_verifies_what_arrives(cast: Cast, receiver: Receiver) -> None:
    now = utc_now()
    _row, secret = endpoint(cast.alice, receiver.url(), now)
    (key,) = told(cast.alice, "seven", now)
    assert deliver(key, now) is True
    (got,) = receiver.received
    assert Webhook(secret).verify(got.body, got.headers) == json.loads(got.body)
    said = json.loads(got.body)
    assert said["type"] == "tests.told"
    assert said["data"] == {"number": "seven"}
    assert said["tenant_id"] == str(cast.alice.pk)
    assert datetime.fromisoformat(said["timestamp"]) == now
    with operator_scope():
        notice = Notice.objects.get()
        (attempt,) = WebhookAttempt.objects.all()
    assert got.headers["webhook-id"] == f"msg_{notice.pk.hex}"
    assert (attempt.outcome, attempt.status, attempt.response_text) == ("delivered", 200, "ok")
    assert (row(key).state, row(key).attempts, row(key).last_status) == ("delivered", 1, 200)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body + b" ", got.headers)


def test_both_secrets_sign_until_the_overlap_ends(cast: Cast, receiver: Receiver) -> None:
    now = utc_now()
    made, old = endpoint(cast.alice, receiver.url(), now - timedelta(days=3))
    with operator_scope():
        _row, new = rotate_secret(
            actor=SYSTEM,
            tenant_id=cast.alice.pk,
            endpoint_id=made.pk,
            now=now - timedelta(hours=23),
        )
    assert new != old
    (key,) = told(cast.alice, "one", now)
    deliver(key, now)
    got = receiver.received[0]
    for secret in (old, new):
        Webhook(secret).verify(got.body, got.headers)
    later = now + timedelta(hours=1)
    (key,) = told(cast.alice, "two", later)
    deliver(key, later)
    signatures = receiver.received[1].headers["webhook-signature"].split(" ")
    assert len(signatures) == 1


def test_a_failed_message_is_tried_again_by_the_schedule_under_one_id(
    cast: Cast, receiver: Receiver
) -> None:
    receiver.otherwise = Reply(500, body=b"boom")
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    assert deliver(key, NOW) is True
    at = NOW
    for number, wait in enumerate(WAITS, start=1):
        due = row(key).due_at
        assert due is not None
        assert at + wait <= due <= at + wait * 1.1, number
        assert one_round(due - timedelta(milliseconds=1)) == 0
        assert deliver(key, due) is False, "a failing endpoint is left to the rounds"
        at = due
        assert one_round(at) == 1
    done = row(key)
    assert (done.state, done.tries, done.attempts) == ("failed", 10, 10)
    assert (done.last_status, done.due_at, done.leased_until) == (500, None, None)
    assert len(set(receiver.ids)) == 1
    assert len({one.body for one in receiver.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.received}) == 10
    with operator_scope():
        assert list(
            WebhookAttempt.objects.order_by("number").values_list("number", "response_text")
        ) == [(number, "boom") for number in range(1, 11)]


def test_a_success_ends_the_failing_and_wakes_the_rest(cast: Cast, receiver: Receiver) -> None:
    receiver.script = [Reply(503)]
    made, _secret = endpoint(cast.alice, receiver.url(), NOW)
    (first,) = told(cast.alice, "one", NOW)
    deliver(first, NOW)
    assert row(first).endpoint.failing_since == NOW
    (second,) = told(cast.alice, "two", NOW)
    assert deliver(second, NOW) is False
    assert one_round(NOW + timedelta(seconds=1)) == 1
    assert row(second).state == "delivered"
    assert row(second).endpoint.failing_since is None
    assert row(first).state == "pending"
    assert deliver(first, NOW + timedelta(seconds=6)) is True
    assert row(first).state == "delivered"


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("999999999", timedelta(hours=24)),
        ("Sun, 22 Nov 2026 08:10:00 GMT", timedelta(minutes=10)),
    ],
)
def test_retry_after_is_honoured_where_it_is_longer(
    cast: Cast, receiver: Receiver, header: str, wait: timedelta
) -> None:
    receiver.otherwise = Reply(429, headers={"Retry-After": header})
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    deliver(key, NOW)
    assert row(key).due_at == NOW + wait


@pytest.mark.parametrize("header", ["0", "1", "soon", "-5", "Sun, 22 Nov 2020 08:10:00 GMT"])
def test_retry_after_never_shortens_the_wait(cast: Cast, receiver: Receiver, header: str) -> None:
    receiver.otherwise = Reply(503, headers={"Retry-After": header})
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    deliver(key, NOW)
    due = row(key).due_at
    assert due is not None
    assert NOW + WAITS[0] <= due <= NOW + WAITS[0] * 1.1


def test_gone_disables_the_endpoint_and_tells_its_people(cast: Cast, receiver: Receiver) -> None:
    receiver.otherwise = Reply(410)
    endpoint(cast.alice, receiver.url(), NOW)
    (one,) = told(cast.alice, "one", NOW)
    (two,) = told(cast.alice, "two", NOW)
    deliver(one, NOW)
    assert (row(one).state, row(one).last_status) == ("failed", 410)
    assert (row(two).state, row(two).last_outcome) == ("failed", "disabled")
    assert (row(one).endpoint.state, row(one).endpoint.state_reason) == ("disabled", "gone")
    assert told(cast.alice, "three", NOW) == []
    with operator_scope():
        notice = Notice.objects.get(kind="webhook.disabled")
        assert AuditEntry.objects.filter(action="tenants.webhook.disabled").count() == 1
    assert notice.detail == {
        "url": receiver.url(),
        "webhook_id": str(row(one).endpoint_id),
        "reason": "gone",
    }


def test_days_of_failing_disable_the_endpoint_and_a_success_in_between_does_not(
    cast: Cast, receiver: Receiver
) -> None:
    receiver.otherwise = Reply(500)
    endpoint(cast.alice, receiver.url(), NOW)
    told(cast.alice, "one", NOW)
    assert one_round(NOW) == 1
    almost = NOW + timedelta(days=5) - timedelta(seconds=1)
    (two,) = told(cast.alice, "two", almost)
    while one_round(almost):
        pass
    assert row(two).endpoint.state == "enabled"
    (three,) = told(cast.alice, "three", NOW + timedelta(days=5))
    assert one_round(NOW + timedelta(days=5)) == 1
    assert (row(three).endpoint.state, row(three).endpoint.state_reason) == (
        "auto_disabled",
        "failing",
    )
    with operator_scope():
        assert Notice.objects.filter(kind="webhook.disabled").count() == 1
        assert not WebhookDelivery.objects.filter(state="pending").exists()


def test_a_receiver_that_never_answers_costs_no_more_than_the_timeout(
    cast: Cast, receiver: Receiver
) -> None:
    receiver.otherwise = Reply(waits=True)
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    assert deliver(key, NOW, timeout_seconds=0.2) is True
    assert (row(key).state, row(key).last_outcome, row(key).last_status) == (
        "pending",
        "timeout",
        None,
    )
    with operator_scope():
        assert 200 <= WebhookAttempt.objects.get().duration_ms < 5000


def test_a_dead_receiver_does_not_hold_up_another_tenant(cast: Cast, receiver: Receiver) -> None:
    """Twenty messages wait for a receiver that never answers; it is called once, others go on."""
    endpoint(cast.bob, receiver.url("/bob"), NOW)
    endpoint(cast.alice, receiver.url("/dead"), NOW)
    receiver.script = [Reply(waits=True)]
    dead = [told(cast.alice, f"a{number}", NOW)[0] for number in range(20)]
    alive = [told(cast.bob, f"b{number}", NOW)[0] for number in range(5)]
    calls = [deliver(dead[0], NOW, timeout_seconds=0.5)]
    # It was given up; the receiver may come to read it only now, and takes its waiting for itself.
    receiver.has_received(1)
    calls += [deliver(key, NOW, timeout_seconds=0.5) for key in dead[1:]]
    calls += [deliver(key, NOW) for key in alive]
    assert calls == [True, *[False] * 19, *[True] * 5]
    assert [one.path for one in receiver.received] == ["/dead", *["/bob"] * 5]
    # Of nineteen that are due the round takes one: an endpoint has one call at a time there.
    assert one_round(NOW) == 1


def test_an_endpoint_has_two_calls_at_a_time_at_most(cast: Cast, receiver: Receiver) -> None:
    endpoint(cast.alice, receiver.url(), NOW)
    keys = [told(cast.alice, f"{number}", NOW)[0] for number in range(3)]
    with operator_scope():
        first, second, third = (claim_delivery(delivery_id=key, now=NOW) for key in keys)
        assert first is not None
        assert second is not None
        assert third is None
        assert claim_delivery(delivery_id=keys[0], now=NOW) is None
        again = claim_delivery(delivery_id=keys[0], now=NOW + LEASE)
        assert again is not None
        assert again.headers["webhook-id"] == first.headers["webhook-id"]


def test_redirects_are_not_followed(cast: Cast, receiver: Receiver) -> None:
    receiver.otherwise = Reply(302, headers={"Location": "http://169.254.169.254/latest/"})
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    deliver(key, NOW)
    assert len(receiver.received) == 1
    assert (row(key).state, row(key).last_outcome, row(key).last_status) == (
        "pending",
        "redirect",
        302,
    )


def test_the_first_kibibyte_of_the_answer_is_kept(cast: Cast, receiver: Receiver) -> None:
    receiver.otherwise = Reply(400, body=b"\x00\xff" + b"x" * 100_000)
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    deliver(key, NOW)
    with operator_scope():
        assert WebhookAttempt.objects.get().response_text == "\ufffd\ufffd" + "x" * 1022


def test_a_name_that_turns_to_a_private_address_is_not_called(
    cast: Cast, receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = []
    monkeypatch.setitem(ADDRESSES, "turning.test", ["93.184.216.34"])
    endpoint(cast.alice, "http://turning.test/", NOW)
    (key,) = told(cast.alice, "one", NOW)
    monkeypatch.setitem(ADDRESSES, "turning.test", ["127.0.0.1"])
    deliver(key, NOW)
    assert receiver.received == []
    assert (row(key).last_outcome, row(key).last_status) == ("private_address", None)


def test_the_call_goes_to_the_address_that_was_judged(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up once a call: whatever it would answer next is never asked for."""
    asked: list[str] = []

    class Once(dict[str, list[str]]):
        def __getitem__(self, name: str) -> list[str]:
            asked.append(name)
            return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    monkeypatch.setattr("tests.tenants.receiver.ADDRESSES", Once({HOST: []}))
    deliver(key, NOW)
    assert asked == [HOST]
    assert receiver.received[0].headers["host"] == f"{HOST}:{receiver.port}"


def test_only_events_that_were_asked_for_are_delivered(cast: Cast, receiver: Receiver) -> None:
    endpoint(cast.alice, receiver.url(), NOW, event_types=["webhook.disabled"])
    endpoint(cast.bob, receiver.url(), NOW)
    assert told(cast.alice, "one", NOW) == []
    with operator_scope():
        assert WebhookDelivery.objects.count() == 0


def test_an_endpoint_hears_nothing_of_before_it_was_made(cast: Cast, receiver: Receiver) -> None:
    endpoint(cast.alice, receiver.url(), NOW)
    assert told(cast.alice, "one", NOW - timedelta(seconds=1)) == []


def test_one_is_sent_again_under_the_same_id(cast: Cast, receiver: Receiver) -> None:
    endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    deliver(key, NOW)
    with operator_scope():
        resend_delivery(actor=SYSTEM, tenant_id=cast.alice.pk, delivery_id=key, now=NOW)
    assert (row(key).state, row(key).tries) == ("pending", 0)
    deliver(key, NOW)
    assert (row(key).state, row(key).attempts) == ("delivered", 2)
    assert len(receiver.received) == 2
    assert len(set(receiver.ids)) == 1


def test_all_that_failed_or_was_missed_is_sent_again(cast: Cast, receiver: Receiver) -> None:
    made, _secret = endpoint(cast.alice, receiver.url(), NOW)
    asking = {"actor": SYSTEM, "tenant_id": cast.alice.pk, "endpoint_id": made.pk}
    receiver.otherwise = Reply(410)
    (early,) = told(cast.alice, "early", NOW)
    deliver(early, NOW)
    assert told(cast.alice, "missed", NOW + timedelta(hours=1)) == []
    since = NOW + timedelta(minutes=1)
    with operator_scope(), pytest.raises(EndpointNotEnabled):
        resend_since(**asking, since=since, now=NOW + timedelta(hours=2))
    with operator_scope():
        switch_endpoint(**asking, enabled=True, now=NOW + timedelta(hours=2))
        assert resend_since(**asking, since=since, now=NOW + timedelta(hours=2)) == 1
        assert resend_since(**asking, since=since, now=NOW + timedelta(hours=2)) == 0
        # From the beginning on: the early one and the notice that the endpoint was disabled.
        assert resend_since(**asking, since=NOW, now=NOW + timedelta(hours=2)) == 2
        waiting = list(
            WebhookDelivery.objects.filter(state="pending").values_list("event_type", flat=True)
        )
    assert sorted(waiting) == ["tests.told", "tests.told", "webhook.disabled"]


def test_a_test_event_arrives_whatever_was_asked_for(cast: Cast, receiver: Receiver) -> None:
    made, secret = endpoint(cast.alice, receiver.url(), NOW, event_types=["webhook.disabled"])
    with operator_scope():
        sent = send_test(actor=SYSTEM, tenant_id=cast.alice.pk, endpoint_id=made.pk, now=utc_now())
    assert deliver(sent.pk, utc_now()) is True
    got = receiver.received[0]
    said = Webhook(secret).verify(got.body, got.headers)
    assert (said["type"], said["data"]) == ("webhook.tested", {"webhook_id": str(made.pk)})


def test_a_removed_endpoint_keeps_its_log_and_no_secret(cast: Cast, receiver: Receiver) -> None:
    made, _secret = endpoint(cast.alice, receiver.url(), NOW)
    (key,) = told(cast.alice, "one", NOW)
    with operator_scope():
        remove_endpoint(actor=SYSTEM, tenant_id=cast.alice.pk, endpoint_id=made.pk, now=NOW)
        gone = WebhookEndpoint.objects.get(pk=made.pk)
    assert (gone.state, bytes(gone.sealed_secret)) == ("removed", b"")
    assert (row(key).state, row(key).last_outcome) == ("failed", "disabled")
    assert deliver(key, NOW) is False
    assert receiver.received == []


@pytest.mark.parametrize("change", [{"body": "{}"}, {"message_id": "x"}, {"event_type": "x"}])
def test_the_database_lets_nobody_change_a_message(
    cast: Cast, receiver: Receiver, change: dict[str, str]
) -> None:
    endpoint(cast.alice, receiver.url(), NOW)
    told(cast.alice, "one", NOW)
    with operator_scope():
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            WebhookDelivery.objects.update(**change)
        assert WebhookDelivery.objects.get().event_type == "tests.told"


def test_a_secret_that_cannot_be_opened_stops_nobody_else(cast: Cast, receiver: Receiver) -> None:
    lost, _secret = endpoint(cast.alice, receiver.url("/lost"), NOW)
    endpoint(cast.bob, receiver.url("/well"), NOW)
    (first,), (second,) = told(cast.alice, "one", NOW), told(cast.bob, "one", NOW)
    with operator_scope():
        WebhookEndpoint.objects.filter(pk=lost.pk).update(sealed_secret=b"of another key")
    assert one_round(NOW) == 1
    assert [one.path for one in receiver.received] == ["/well"]
    assert (row(first).state, row(first).last_outcome) == ("failed", "no_secret")
    assert row(second).state == "delivered"
