"""Usage counts once, and what cannot be counted is kept with its reason."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from billing.commands.usage import record_usage
from billing.models import PriceVersion, UsageBucket
from billing.queries.rejected import rejected_events
from billing.queries.usage import usage_by_day
from billing.usage import UsageEvent
from common.errors import NotFound
from common.period import Period
from tenants.models import Organisation, Project
from tenants.permissions import SYSTEM, Actor, ActorKind, Permission, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, rows, statuses
from tests.factories import billing as make

pytestmark = pytest.mark.django_db


def counted(tenant: Organisation) -> tuple[int, int]:
    with tenant_scope(tenant.pk):
        buckets = list(UsageBucket.objects.values_list("quantity", "events"))
    return sum(quantity for quantity, _ in buckets), sum(events for _, events in buckets)


def test_an_event_counts_once_however_often_it_is_sent(alice: Organisation) -> None:
    event = make.tokens("e1", 700)
    assert statuses(alice, [event]) == ["accepted"]
    assert statuses(alice, [event, event]) == ["duplicate", "duplicate"]
    assert counted(alice) == (700, 1)
    assert broken() == ()


def test_an_event_twice_in_one_batch_counts_once(alice: Organisation) -> None:
    event = make.tokens("e1", 700)
    assert statuses(alice, [event, event]) == ["accepted", "duplicate"]
    assert counted(alice) == (700, 1)


@pytest.mark.parametrize("copies", [10, 1_500])
def test_small_and_large_batches_count_the_same(alice: Organisation, copies: int) -> None:
    events = [make.tokens(f"e{number}", number) for number in range(copies)]
    assert set(statuses(alice, events)) == {"accepted"}
    assert set(statuses(alice, [*events, make.tokens("new", 5)])) == {"accepted", "duplicate"}
    assert counted(alice) == (sum(range(copies)) + 5, copies + 1)
    assert broken() == ()


def test_two_large_batches_in_one_transaction_do_not_mix(alice: Organisation) -> None:
    first = [make.tokens(f"a{number}", 1) for number in range(1_000)]
    second = [make.tokens(f"b{number}", 1) for number in range(1_000)]
    with tenant_scope(alice.pk):
        statuses(alice, first)
        statuses(alice, second)
    assert counted(alice) == (2_000, 2_000)


def test_one_connection_stages_for_a_tenant_and_for_an_operator(alice: Organisation) -> None:
    statuses(alice, [make.tokens(f"a{number}", 1) for number in range(1_000)])
    with operator_scope():
        record_usage(
            actor=SYSTEM,
            tenant_id=alice.pk,
            events=[make.tokens(f"b{number}", 1) for number in range(1_000)],
            now=make.NOW,
        )
    assert counted(alice) == (2_000, 2_000)


@pytest.mark.parametrize(
    "change",
    [
        lambda event: replace(event, quantity=701),
        lambda event: replace(event, at=event.at + timedelta(microseconds=1)),
        lambda event: replace(event, subject="another"),
        lambda event: replace(event, meter="test.tokens_out"),
        lambda event: replace(event, dimensions={"model": "tiny", "key": "k2"}),
    ],
)
def test_the_same_id_with_other_content_is_a_conflict(
    alice: Organisation, change: Callable[[UsageEvent], UsageEvent]
) -> None:
    event = make.tokens("e1", 700)
    ingest(alice, event)
    assert ingest(alice, change(event)) == [("e1", "conflict", "other_content")]
    assert counted(alice) == (700, 1)


@pytest.mark.parametrize("others", [0, 1_000])
def test_an_event_is_known_by_two_digests_that_never_change(
    alice: Organisation, others: int
) -> None:
    """Rows of years ago carry them: said in another way, what was counted would count again."""
    event = replace(make.tokens("编号-1", 700), subject="job\\7")
    ingest(alice, event, *[make.tokens(f"e{number}", 1) for number in range(others)])
    ((series,),) = rows("SELECT key FROM billing_series")
    said = json.dumps(["test.tokens_in", "", "", [["key", "k1"], ["model", "tiny"]]])
    assert series == UUID(bytes=md5(said))
    key = md5(alice.pk.bytes, f"{event.source}\0编号-1")
    payload = md5(f"{series.int}|1794740400000000|700|job\\7")
    found = rows("SELECT key, payload, at FROM billing_eventkey WHERE key = %s", UUID(bytes=key))
    assert found == [(UUID(bytes=key), UUID(bytes=payload), event.at)]


def md5(*parts: str | bytes) -> bytes:
    said = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return hashlib.md5(said, usedforsecurity=False).digest()


def test_another_source_or_another_tenant_may_use_the_same_id(
    alice: Organisation, bob: Organisation
) -> None:
    event = make.tokens("e1", 700)
    assert statuses(alice, [event]) == ["accepted"]
    assert statuses(alice, [replace(event, source="other")]) == ["accepted"]
    assert statuses(bob, [event]) == ["accepted"]
    assert counted(bob) == (700, 1)


BAD: list[tuple[str, dict[str, object]]] = [
    ("unknown_meter", {"meter": "no.such.meter"}),
    ("bad_quantity", {"quantity": -1}),
    ("bad_quantity", {"quantity": 10**16}),
    ("bad_quantity", {"quantity": True}),
    ("bad_quantity", {"quantity": 1.5}),
    ("bad_time", {"at": datetime(2026, 11, 15)}),  # noqa: DTZ001 - the fault under test
    ("too_old", {"at": make.NOW - timedelta(days=36)}),
    ("in_future", {"at": make.NOW + timedelta(minutes=6)}),
    ("bad_dimensions", {"dimensions": {"model": "tiny"}}),
    ("bad_dimensions", {"dimensions": {"model": "tiny", "key": "k", "more": "x"}}),
    ("bad_dimensions", {"dimensions": {"model": ["tiny"], "key": "k"}}),
    ("bad_dimensions", {"dimensions": {"model": "x" * 101, "key": "k"}}),
    ("bad_id", {"id": ""}),
    ("bad_id", {"id": "x" * 201}),
    ("bad_id", {"id": "a\tb"}),
    ("bad_id", {"id": "a\x00b"}),
    ("bad_source", {"source": "half \ud83d"}),
    ("bad_subject", {"subject": "line\nbreak"}),
    ("unknown_project", {"project_id": uuid4()}),
    ("unknown_price", {"price_id": uuid4()}),
]


@pytest.mark.parametrize(("code", "change"), BAD)
def test_a_bad_event_is_refused_alone_and_kept_with_its_reason(
    alice: Organisation, code: str, change: dict[str, object]
) -> None:
    bad = replace(make.tokens("bad", 1), **change)  # type: ignore[arg-type]
    results = ingest(alice, make.tokens("good", 5), bad)
    assert [result[1:] for result in results] == [("accepted", ""), ("rejected", code)]
    assert counted(alice) == (5, 1)
    with tenant_scope(alice.pk):
        assert [row.code for row in rejected_events(tenant_id=alice.pk)] == [code]


def test_names_in_any_script_are_kept_as_they_came(alice: Organisation) -> None:
    event = replace(make.tokens("编号-🚀\\n", 3, model="通义\\千问 😀"), source="来源 a\\b")
    ingest(alice, event, *[make.tokens(f"e{number}", 1) for number in range(1_000)])
    found = rows("SELECT source, event_id FROM billing_usageevent WHERE quantity = 3")
    assert found == [("来源 a\\b", "编号-🚀\\n")]


def test_another_tenants_project_is_unknown(alice: Organisation, bob: Organisation) -> None:
    with operator_scope():
        foreign = Project.objects.create(tenant=bob, code="main", name="Main")
    event = make.tokens("e1", 1, project_id=foreign.pk)
    assert ingest(alice, event) == [("e1", "rejected", "unknown_project")]


def test_a_key_of_one_project_counts_for_that_project_only(alice: Organisation) -> None:
    with operator_scope():
        own = Project.objects.create(tenant=alice, code="own", name="Own")
        other = Project.objects.create(tenant=alice, code="other", name="Other")
    key = Actor(
        kind=ActorKind.API_KEY,
        id=uuid4(),
        name="key",
        tenant_id=alice.pk,
        permissions=frozenset({Permission.USAGE_INGEST}),
        project_id=own.pk,
    )
    events = [make.tokens("implied", 1), make.tokens("foreign", 1, project_id=other.pk)]
    with tenant_scope(alice.pk):
        results = record_usage(actor=key, tenant_id=alice.pk, events=events, now=make.NOW)
        assert [result.status.value for result in results] == ["accepted", "rejected"]
        projects = UsageBucket.objects.values_list("series__project_id", flat=True)
        assert list(projects) == [own.pk]


def test_a_viewer_may_not_report_usage_and_a_stranger_sees_nothing(
    alice: Organisation, bob: Organisation
) -> None:
    def actor(tenant: Organisation, *permissions: Permission) -> Actor:
        return Actor(ActorKind.MEMBER, uuid4(), "m", tenant.pk, frozenset(permissions))

    with tenant_scope(alice.pk):
        with pytest.raises(PermissionRefused):
            record_usage(actor=actor(alice), tenant_id=alice.pk, events=[], now=make.NOW)
        with pytest.raises(NotFound):
            record_usage(
                actor=actor(bob, Permission.USAGE_INGEST),
                tenant_id=alice.pk,
                events=[make.tokens("e1", 1)],
                now=make.NOW,
            )
    assert counted(alice) == (0, 0)


def test_usage_is_listed_by_the_centres_day_and_a_dimension(alice: Organisation) -> None:
    # 15:59 and 16:00 in UTC are two days in China.
    midnight = make.NOW.replace(hour=16, minute=0) - timedelta(days=2)
    ingest(
        alice,
        make.tokens("late", 1, midnight - timedelta(minutes=1)),
        make.tokens("early", 2, midnight),
        make.tokens("other", 4, midnight, key="k2"),
    )
    period = Period(make.MONTH_START, make.MONTH_END)
    with tenant_scope(alice.pk):
        listed = usage_by_day(tenant_id=alice.pk, period=period, dimension="key")
    assert [(str(row.day), row.value, row.quantity) for row in listed] == [
        ("2026-11-13", "k1", 1),
        ("2026-11-14", "k1", 2),
        ("2026-11-14", "k2", 4),
    ]


@pytest.mark.parametrize("asked_days_before", [1, 30, 800])
def test_a_day_begins_when_its_zone_says_however_long_a_period_is_asked_for(
    alice: Organisation, settings: Settings, asked_days_before: int
) -> None:
    settings.CENTRE_TIME_ZONE = "Europe/Berlin"
    # The clocks go back on the 25th, which has 25 hours: from 22:00 to 23:00 in UTC.
    sunday = datetime(2026, 10, 24, 22, tzinfo=UTC)
    ingest(
        alice,
        make.tokens("saturday", 1, sunday - timedelta(minutes=1)),
        make.tokens("sunday", 2, sunday),
        make.tokens("still sunday", 4, sunday + timedelta(hours=24, minutes=59)),
        make.tokens("monday", 8, sunday + timedelta(hours=25)),
    )
    period = Period(sunday - timedelta(days=asked_days_before), make.MONTH_END)
    with tenant_scope(alice.pk):
        listed = usage_by_day(tenant_id=alice.pk, period=period)
    assert [(str(row.day), row.quantity) for row in listed] == [
        ("2026-10-24", 1),
        ("2026-10-25", 6),
        ("2026-10-26", 8),
    ]


@pytest.mark.parametrize("table", ["billing_usageevent", "billing_eventkey"])
def test_a_partition_cannot_be_reached_around_its_parents_wall(
    alice: Organisation, bob: Organisation, table: str, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("e1", 1))
    with tenant_scope(bob.pk), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)
    partitions = rows(
        f"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '{table}'::regclass"
    )
    assert partitions
    for (partition,) in partitions:
        with (
            tenant_scope(bob.pk),
            pytest.raises(DatabaseError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT * FROM {partition}")


@pytest.mark.parametrize("table", ["billing_usageevent", "billing_eventkey"])
@pytest.mark.parametrize("change", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}"])
def test_what_was_counted_cannot_be_changed(alice: Organisation, table: str, change: str) -> None:
    ingest(alice, make.tokens("e1", 1))
    with (
        tenant_scope(alice.pk),
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(table))
    assert counted(alice) == (1, 1)
