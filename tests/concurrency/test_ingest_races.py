"""Many senders of the same events at once, and a control without the key that makes them one."""

import pytest

from billing.commands import staging
from billing.models import UsageBucket
from tenants.models import Organisation
from tenants.scoping import tenant_scope
from tests.billing.shorthand import broken, statuses
from tests.concurrency.crowd import at_once
from tests.database import as_owner
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)


def counted(tenant: Organisation) -> tuple[int, int]:
    with tenant_scope(tenant.pk):
        buckets = list(UsageBucket.objects.values_list("quantity", "events"))
    return sum(quantity for quantity, _ in buckets), sum(events for _, events in buckets)


def test_fifty_threads_posting_one_batch_count_it_once() -> None:
    alice = make.make_tenant("alice")
    events = [make.tokens(f"e{number}", 10, key=f"k{number % 5}") for number in range(40)]
    # Each thread sends them in another order, which must not make any two wait in a circle.
    results = at_once(
        50, lambda index: statuses(alice, [*events[index % 40 :], *events[: index % 40]])
    )
    assert [error for error in results if isinstance(error, Exception)] == []
    flat = [status for result in results for status in result]  # type: ignore[union-attr]
    assert (flat.count("accepted"), flat.count("duplicate")) == (40, 49 * 40)
    assert counted(alice) == (400, 40)
    assert broken() == ()


def test_one_id_sent_at_once_with_many_contents_counts_one_of_them() -> None:
    alice = make.make_tenant("alice")
    results = at_once(24, lambda index: statuses(alice, [make.tokens("e1", 100 + index)]))
    assert [error for error in results if isinstance(error, Exception)] == []
    flat = [status for result in results for status in result]  # type: ignore[union-attr]
    assert (flat.count("accepted"), flat.count("conflict")) == (1, 23)
    quantity, events = counted(alice)
    assert events == 1
    # The one that was taken, as it was said, and nothing of the others.
    assert flat[quantity - 100] == "accepted"
    assert broken() == ()


def test_large_overlapping_batches_neither_lose_nor_double() -> None:
    alice = make.make_tenant("alice")
    events = [make.tokens(f"e{number}", 1, key=f"k{number % 7}") for number in range(4_000)]
    results = at_once(6, lambda index: statuses(alice, events[index * 400 : index * 400 + 2_000]))
    assert [error for error in results if isinstance(error, Exception)] == []
    assert counted(alice) == (4_000, 4_000)
    assert broken() == ()


def test_without_the_unique_key_the_same_race_counts_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: looking before inserting, as one would without the key, is not enough."""
    alice = make.make_tenant("alice")
    looked = staging.COUNT.replace(
        "SELECT key, %(tenant)s, payload, at FROM staged ORDER BY key\n"
        "    ON CONFLICT (key) DO NOTHING",
        "SELECT key, %(tenant)s, payload, at FROM staged\n"
        "    WHERE key NOT IN (SELECT key FROM billing_eventkey) ORDER BY key",
    )
    assert looked != staging.COUNT
    monkeypatch.setattr(staging, "COUNT", looked)
    as_owner("ALTER TABLE billing_eventkey DROP CONSTRAINT billing_eventkey_pkey")
    try:
        for attempt in range(10):
            events = [make.tokens(f"{attempt}-{number}", 10) for number in range(200)]
            at_once(12, lambda _index, sent=events: statuses(alice, sent))
            if counted(alice)[1] > 200 * (attempt + 1):
                break
        assert counted(alice)[1] > 200 * (attempt + 1)
        assert "each event has one key and each key one event" in {
            breach.invariant for breach in broken()
        }
    finally:
        as_owner("TRUNCATE billing_eventkey, billing_usageevent")
        as_owner("ALTER TABLE billing_eventkey ADD PRIMARY KEY (key)")
