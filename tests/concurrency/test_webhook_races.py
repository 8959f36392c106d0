"""Workers side by side, and workers killed: one row an event and endpoint, one id a message."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from tenants import notices
from tenants.commands import deliveries, spreading
from tenants.commands.deliveries import LEASE, claim_delivery, claim_round
from tenants.commands.spreading import spread_notice
from tenants.models import Notice, Organisation, WebhookDelivery, WebhookEndpoint
from tenants.scoping import operator_scope
from tests.concurrency.crowd import at_once
from tests.tenants.hooks import KIND, deliver, endpoint, one_round, row, told
from tests.tenants.receiver import HOST, Receiver, listening

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CROWD = 8


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST]
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    with listening() as one:
        yield one


@pytest.fixture
def alice() -> Organisation:
    with operator_scope():
        return Organisation.objects.create(code="alice", name="Alice")


def _posted(tenant: Organisation) -> UUID:
    with operator_scope():
        notices.declare(KIND)
        notices.post(
            tenant_id=tenant.pk, kind=KIND.code, key="one", detail={"number": "1"}, now=NOW
        )
        return Notice.objects.get().pk


def _in_scope(work: Any) -> Any:
    def inside(_index: int) -> Any:
        with operator_scope():
            return work()

    return inside


def test_many_posts_of_one_thing_make_one_notice(alice: Organisation) -> None:
    notices.declare(KIND)

    def post() -> bool:
        return notices.post(
            tenant_id=alice.pk, kind=KIND.code, key="one", detail={"number": "1"}, now=NOW
        )

    answers = at_once(CROWD, _in_scope(post))
    assert sorted(answers) == [*[False] * (CROWD - 1), True]
    with operator_scope():
        assert Notice.objects.count() == 1


def test_many_workers_make_one_row_an_event_and_endpoint(
    alice: Organisation, receiver: Receiver
) -> None:
    for path in ("/a", "/b"):
        endpoint(alice, receiver.url(path), NOW)
    key = _posted(alice)
    spread = at_once(CROWD, _in_scope(lambda: spread_notice(notice_id=key, now=NOW)))
    assert sorted(spread) == [*[False] * (CROWD - 1), True]
    with operator_scope():
        assert WebhookDelivery.objects.count() == 2


def test_the_database_alone_refuses_a_second_row(alice: Organisation, receiver: Receiver) -> None:
    """The control: without the notice's lock and mark there is still one row an endpoint."""
    endpoint(alice, receiver.url(), NOW)
    key = _posted(alice)

    def again() -> None:
        notice = Notice.objects.get(pk=key)
        made, _healthy = spreading._deliveries(notice, NOW)
        WebhookDelivery.objects.bulk_create(made, ignore_conflicts=True)

    assert at_once(CROWD, _in_scope(again)) == [None] * CROWD
    with operator_scope():
        assert WebhookDelivery.objects.count() == 1


def test_many_workers_take_a_delivery_once(alice: Organisation, receiver: Receiver) -> None:
    endpoint(alice, receiver.url(), NOW)
    (key,) = told(alice, "one", NOW)
    claims = at_once(CROWD, _in_scope(lambda: claim_delivery(delivery_id=key, now=NOW)))
    assert sum(claim is not None for claim in claims) == 1


def test_many_rounds_take_each_endpoint_once(alice: Organisation, receiver: Receiver) -> None:
    for number in range(4):
        endpoint(alice, receiver.url(f"/{number}"), NOW)
    for key in ("one", "two", "three"):
        told(alice, key, NOW)
    with operator_scope():
        WebhookEndpoint.objects.update(failing_since=NOW)
    rounds = at_once(CROWD, _in_scope(lambda: claim_round(now=NOW)))
    taken = [claim.endpoint_id for claims in rounds for claim in claims]
    assert len(taken) == len(set(taken)) == 4


def test_two_nudged_calls_at_a_time_hold_beside_each_other(
    alice: Organisation, receiver: Receiver
) -> None:
    endpoint(alice, receiver.url(), NOW)
    keys = [told(alice, f"{number}", NOW)[0] for number in range(CROWD)]

    def claim(index: int) -> object:
        with operator_scope():
            return claim_delivery(delivery_id=keys[index], now=NOW)

    assert sum(one is not None for one in at_once(CROWD, claim)) == deliveries.IN_FLIGHT


class Killed(BaseException):
    """What nothing catches: the process is gone after this statement."""


def _killed_at(fatal: int) -> Any:
    seen = 0

    def deadly(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        result = execute(sql, params, many, context)
        seen += 1
        if seen == fatal:
            raise Killed
        return result

    return connection.execute_wrapper(deadly)


def test_a_worker_killed_after_any_statement_is_followed_by_another(
    alice: Organisation, receiver: Receiver
) -> None:
    """Spread, claim, call and record, dying after the first, second, ... statement of them all."""
    endpoint(alice, receiver.url(), NOW - timedelta(hours=1))
    ids, fatal, at = [], 0, NOW
    while True:
        fatal += 1
        at += timedelta(minutes=10)
        with operator_scope():
            notices.declare(KIND)
            key = f"k{fatal}"
            notices.post(
                tenant_id=alice.pk, kind=KIND.code, key=key, detail={"number": key}, now=at
            )
            notice = Notice.objects.get(key=key)
        died = False
        before = len(receiver.received)
        try:
            with _killed_at(fatal):
                with operator_scope():
                    spread_notice(notice_id=notice.pk, now=at)
                with operator_scope():
                    found = WebhookDelivery.objects.get(notice=notice).pk
                deliver(found, at)
        except Killed:
            died = True
            connection.close()
        # What the sweepers do a while later, and once more.
        later = at + LEASE
        for _again in range(2):
            with operator_scope():
                spread_notice(notice_id=notice.pk, now=later)
            one_round(later)
        with operator_scope():
            (made,) = WebhookDelivery.objects.filter(notice=notice)
        assert made.state == "delivered", fatal
        got = receiver.ids[before:]
        assert 1 <= len(got) <= 2, fatal
        assert set(got) == {made.message_id}, fatal
        ids.append(made.message_id)
        if not died:
            assert len(got) == 1
            break
    assert fatal > 15
    assert len(set(ids)) == fatal


def test_a_sender_that_comes_back_too_late_changes_nothing(
    alice: Organisation, receiver: Receiver
) -> None:
    endpoint(alice, receiver.url(), NOW)
    (key,) = told(alice, "one", NOW)
    with operator_scope():
        slow = claim_delivery(delivery_id=key, now=NOW)
    assert slow is not None
    assert deliver(key, NOW + LEASE) is True
    with operator_scope():
        late = deliveries.record_attempt(
            claim=slow,
            answer=deliveries.Answer("timeout", 15_000),
            now=NOW + LEASE + timedelta(seconds=1),
        )
    assert late is False
    assert (row(key).state, row(key).attempts) == ("delivered", 1)
