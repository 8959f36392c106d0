"""The delivery log's end: what is old goes in portions, what is still of use stays."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from tenants import tasks
from tenants.commands.webhook_log import KEPT_FAILURES, retire_deliveries
from tenants.models import (
    Organisation,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.scoping import operator_scope, tenant_scope
from tests.tenants.conftest import Cast

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OLD = timedelta(days=90, seconds=1)


@pytest.fixture
def hook(cast: Cast) -> WebhookEndpoint:
    return made(cast.alice)


def made(tenant: Organisation) -> WebhookEndpoint:
    with operator_scope():
        return WebhookEndpoint.objects.create(
            tenant=tenant, url="https://1.1.1.1/", sealed_secret=b"x", created_at=NOW - 2 * OLD
        )


def delivery(
    hook: WebhookEndpoint, name: str, age: timedelta, state: str = "delivered"
) -> WebhookDelivery:
    """A message that was finished, or that waits, so long ago, with two calls."""
    at = NOW - age
    waits = state == "pending"
    with operator_scope():
        row = WebhookDelivery.objects.create(
            tenant_id=hook.tenant_id,
            endpoint=hook,
            message_id=name,
            event_type="tests.told",
            body="{}",
            state=state,
            attempts=2,
            due_at=at if waits else None,
            created_at=at,
            finished_at=None if waits else at,
        )
        for number in (1, 2):
            WebhookAttempt.objects.create(
                tenant_id=hook.tenant_id,
                delivery=row,
                number=number,
                at=at,
                duration_ms=1,
                outcome="timeout",
            )
    return row


def left() -> list[str]:
    """The messages that are still there; each of them with both of its calls."""
    with operator_scope():
        names = list(
            WebhookDelivery.objects.order_by("message_id").values_list("message_id", flat=True)
        )
        assert WebhookAttempt.objects.count() == 2 * len(names)
    return names


def retire(at_most: int = 1000) -> int:
    with operator_scope():
        return retire_deliveries(now=NOW, at_most=at_most)


def test_finished_messages_go_with_their_calls_once_they_are_old(hook: WebhookEndpoint) -> None:
    delivery(hook, "fresh", timedelta(days=90))
    delivery(hook, "old", OLD)
    delivery(hook, "waiting", 2 * OLD, "pending")
    assert retire() == 1
    assert left() == ["fresh", "waiting"]
    assert retire() == 0


def test_the_newest_failures_stay_until_their_address_is_removed(
    cast: Cast, hook: WebhookEndpoint
) -> None:
    others = made(cast.bob)
    for number in range(KEPT_FAILURES + 2):
        delivery(hook, f"failed-{number:02d}", 2 * OLD, "failed")
    delivery(hook, "taken", 2 * OLD)
    delivery(others, "other", 2 * OLD, "failed")
    assert retire() == 3
    assert left() == [*(f"failed-{number:02d}" for number in range(2, KEPT_FAILURES + 2)), "other"]
    with operator_scope():
        WebhookEndpoint.objects.filter(pk=hook.pk).update(state="disabled")
        assert retire() == 0
        WebhookEndpoint.objects.filter(pk=hook.pk).update(state="removed")
    assert retire() == KEPT_FAILURES
    assert left() == ["other"]


def test_the_log_is_cut_in_portions_and_a_second_run_changes_nothing(
    hook: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        delivery(hook, f"old-{number}", OLD + timedelta(days=number))
    assert retire(at_most=2) == 2
    # The oldest first.
    assert left() == ["old-0", "old-1", "old-2"]
    monkeypatch.setattr(tasks, "utc_now", lambda: NOW)
    for _ in range(2):
        tasks.retire_webhook_log()
        assert left() == []


def test_the_setting_says_how_long(hook: WebhookEndpoint, settings: Settings) -> None:
    settings.WEBHOOK_LOG_DAYS = 30
    delivery(hook, "a month", timedelta(days=31))
    delivery(hook, "less", timedelta(days=29))
    assert retire() == 1
    assert left() == ["less"]


def test_nobody_deletes_a_message_or_a_call_by_hand(cast: Cast, hook: WebhookEndpoint) -> None:
    row = delivery(hook, "waiting", OLD, "pending")
    with operator_scope():
        for statement, refusal in (
            ("DELETE FROM tenants_webhookdelivery", "permission denied"),
            ("DELETE FROM tenants_webhookattempt", "permission denied"),
            ("UPDATE tenants_webhookattempt SET outcome = 'delivered'", "permission denied"),
        ):
            with pytest.raises(DatabaseError, match=refusal), transaction.atomic():
                run(statement)
    with (
        tenant_scope(cast.alice.pk),
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
    ):
        run("SELECT tenants_retire_deliveries(now(), 0, 10)")
    assert left() == [row.message_id]


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
