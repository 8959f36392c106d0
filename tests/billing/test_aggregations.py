"""Meters that do not simply add up come to the same figures in whatever order events arrive."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.commands.corrections import correct_usage
from billing.corrections import Correction
from billing.meters import Aggregation, Meter, register
from billing.models import UsageBucket
from billing.queries.invoices import unbilled
from billing.usage import UsageEvent
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
START = make.NOW - timedelta(hours=20)

METERS = {
    kind: register(
        Meter(
            f"test.{kind.value}",
            "unit",
            kind.value,
            ("pool",),
            "units",
            1,
            aggregation=kind,
            unique_by="person" if kind is Aggregation.UNIQUE else "",
            holds_for=timedelta(hours=2) if kind is Aggregation.TIME_WEIGHTED else timedelta(),
        )
    )
    for kind in Aggregation
}


def event(
    kind: Aggregation,
    event_id: str,
    quantity: int = 1,
    at: datetime = START,
    *,
    subject: str = "volume-1",
    person: str = "li",
) -> UsageEvent:
    dimensions = {"pool": "a"}
    if kind is Aggregation.UNIQUE:
        dimensions["person"] = person
    return UsageEvent("probe", event_id, METERS[kind].code, subject, at, quantity, dimensions)


def hours(tenant: Organisation) -> list[tuple[int, int]]:
    """(whole hours after the start, quantity) of each hour that comes to something."""
    totals: dict[int, int] = {}
    with tenant_scope(tenant.pk):
        for hour, quantity in UsageBucket.objects.values_list("hour", "quantity"):
            place = int((hour - START).total_seconds() // 3600)
            totals[place] = totals.get(place, 0) + quantity
    return sorted((hour, total) for hour, total in totals.items() if total)


def void(tenant: Organisation, *ids: str, quantity: int | None = None) -> None:
    corrections = [
        Correction(
            id=f"not-{one}-{quantity}",
            source="desk",
            ref_source="probe",
            ref_id=one,
            kind="void" if quantity is None else "correct",
            quantity=quantity,
            reason="a mistake",
        )
        for one in ids
    ]
    with tenant_scope(tenant.pk):
        results = correct_usage(
            actor=SYSTEM, tenant_id=tenant.pk, corrections=corrections, now=make.NOW
        )
    assert {result.status for result in results} == {"accepted"}


def test_count_counts_events_whatever_they_say(alice: Organisation) -> None:
    kind = Aggregation.COUNT
    ingest(alice, event(kind, "a", 700), event(kind, "b", 0), event(kind, "a", 700))
    assert hours(alice) == [(0, 2)]
    void(alice, "a", quantity=5)
    assert hours(alice) == [(0, 2)]
    void(alice, "a")
    assert hours(alice) == [(0, 1)]
    assert broken() == ()


def test_max_is_the_largest_of_each_hour_and_hours_add_up(alice: Organisation) -> None:
    kind = Aggregation.MAX
    ingest(
        alice,
        event(kind, "a", 5),
        event(kind, "b", 9, START + 59 * MINUTE),
        event(kind, "c", 4, START + 60 * MINUTE),
    )
    ingest(alice, event(kind, "d", 7, START + MINUTE))
    assert hours(alice) == [(0, 9), (1, 4)]
    void(alice, "b")
    assert hours(alice) == [(0, 7), (1, 4)]
    void(alice, "d", quantity=3)
    assert hours(alice) == [(0, 5), (1, 4)]
    void(alice, "a", "d", "c")
    assert hours(alice) == []
    assert broken() == ()


def test_latest_is_the_last_value_of_each_hour_by_its_own_time(alice: Organisation) -> None:
    kind = Aggregation.LATEST
    ingest(alice, event(kind, "late", 3, START + 50 * MINUTE))
    ingest(alice, event(kind, "early", 8, START + 10 * MINUTE))
    assert hours(alice) == [(0, 3)]
    void(alice, "late")
    assert hours(alice) == [(0, 8)]
    assert broken() == ()


def test_of_two_samples_at_one_instant_the_one_with_the_later_id_holds(
    alice: Organisation, bob: Organisation
) -> None:
    """Whoever the tenant is, and whichever came first."""
    held = Aggregation.TIME_WEIGHTED
    both = [
        (event(Aggregation.LATEST, "a", 3), event(held, "A", 5)),
        (event(Aggregation.LATEST, "B", 8), event(held, "b", 1)),
    ]
    ingest(alice, *both[0])
    ingest(alice, *both[1])
    ingest(bob, *both[1])
    ingest(bob, *both[0])
    assert hours(alice) == hours(bob) == [(0, 3 + 3600), (1, 3600)]
    assert broken() == ()


def test_unique_counts_a_value_once_a_month_in_the_hour_it_was_first_seen_in(
    alice: Organisation,
) -> None:
    kind = Aggregation.UNIQUE
    ingest(
        alice,
        event(kind, "a", at=START + 5 * make.HOUR, person="li"),
        event(kind, "b", at=START + 6 * make.HOUR, person="li"),
        event(kind, "c", at=START + 6 * make.HOUR, person="wang"),
        # The month before by the centre's calendar.
        event(kind, "d", at=make.MONTH_START - MINUTE, person="li"),
    )
    before = int((make.MONTH_START - START).total_seconds() // 3600) - 1
    assert hours(alice) == [(before, 1), (5, 1), (6, 1)]
    ingest(alice, event(kind, "e", at=START, person="li"))
    assert hours(alice) == [(before, 1), (0, 1), (6, 1)]
    void(alice, "e", "a")
    assert hours(alice) == [(before, 1), (6, 2)]
    assert broken() == ()


def test_a_level_holds_until_the_next_sample_of_its_subject_or_as_long_as_it_may(
    alice: Organisation,
) -> None:
    kind = Aggregation.TIME_WEIGHTED
    ingest(alice, event(kind, "a", 10, START + 30 * MINUTE))
    # Two hours at most: half of the first, all of the second, half of the third.
    assert hours(alice) == [(0, 18_000), (1, 36_000), (2, 18_000)]
    ingest(alice, event(kind, "b", 0, START + 90 * MINUTE))
    assert hours(alice) == [(0, 18_000), (1, 18_000)]
    ingest(alice, event(kind, "c", 1, START + 60 * MINUTE, subject="volume-2"))
    assert hours(alice) == [(0, 18_000), (1, 18_000 + 3_600), (2, 3_600)]
    void(alice, "b")
    assert hours(alice) == [(0, 18_000), (1, 36_000 + 3_600), (2, 18_000 + 3_600)]
    void(alice, "a", quantity=1)
    assert hours(alice) == [(0, 1_800), (1, 7_200), (2, 5_400)]
    assert broken() == ()


def test_what_changes_after_the_invoice_becomes_a_correction_by_itself(
    alice: Organisation,
) -> None:
    make.make_tax()
    make.publish([make.price_line("test.time_weighted", "3.60", 3600)])
    kind = Aggregation.TIME_WEIGHTED
    ingest(alice, event(kind, "a", 100))
    first = issue(alice)
    assert str(first.net) == "720.00"
    # The volume had been emptied after an hour; the sample of it came late.
    ingest(alice, event(kind, "b", 0, START + make.HOUR))
    second = issue(alice, until=make.MONTH_END, now=make.MONTH_END)
    assert str(second.net) == "-360.00"
    assert broken() == ()


def test_a_level_may_not_be_larger_than_an_hour_can_hold(alice: Organisation) -> None:
    kind = Aggregation.TIME_WEIGHTED
    assert ingest(alice, event(kind, "a", 10**12), event(kind, "b", 10**12 + 1)) == [
        ("a", "accepted", ""),
        ("b", "rejected", "bad_quantity"),
    ]
    assert broken() == ()


def test_the_same_id_with_another_person_is_a_conflict(alice: Organisation) -> None:
    kind = Aggregation.UNIQUE
    ingest(alice, event(kind, "a"))
    assert ingest(alice, event(kind, "a", person="wang")) == [("a", "conflict", "other_content")]
    nobody = replace(event(kind, "b"), dimensions={"pool": "a"})
    assert ingest(alice, nobody) == [("b", "rejected", "bad_dimensions")]


def test_a_meter_says_what_its_kind_needs_and_nothing_else() -> None:
    for wrong in (
        {"aggregation": Aggregation.UNIQUE},
        {"unique_by": "person"},
        {"aggregation": Aggregation.TIME_WEIGHTED},
        {"aggregation": Aggregation.TIME_WEIGHTED, "holds_for": timedelta(days=8)},
        {"holds_for": make.HOUR},
    ):
        with pytest.raises(ValueError, match="others"):
            Meter("test.wrong", "unit", "", (), "", 1, **wrong)  # type: ignore[arg-type]


def sent(rng: random.Random, many: int) -> list[UsageEvent]:
    """Events of every kind over four hours, some at the very same instant."""
    kinds = list(Aggregation)
    return [
        event(
            kinds[number % len(kinds)],
            f"e{number}",
            rng.randrange(0, 50),
            START + rng.randrange(0, 240) * MINUTE,
            subject=f"volume-{rng.randrange(2)}",
            person=rng.choice(["li", "wang", "zhang"]),
        )
        for number in range(many)
    ]


def figures(tenant: Organisation) -> list[tuple[str, datetime, int]]:
    totals: dict[tuple[str, datetime], int] = {}
    with tenant_scope(tenant.pk):
        rows = UsageBucket.objects.values_list("series__meter", "hour", "quantity")
        for meter, hour, quantity in rows:
            totals[meter, hour] = totals.get((meter, hour), 0) + quantity
    return sorted((*key, total) for key, total in totals.items() if total)


def chunks(events: Sequence[UsageEvent], rng: random.Random) -> list[list[UsageEvent]]:
    """The events in another order, some twice, in pieces of any size."""
    again = [*events, *rng.sample(list(events), len(events) // 3)]
    rng.shuffle(again)
    pieces = []
    while again:
        size = rng.randrange(1, 12)
        pieces.append(again[:size])
        again = again[size:]
    return pieces


@pytest.mark.parametrize("seed", range(6))
def test_any_order_chunking_and_repetition_gives_the_same_hours_and_money(
    alice: Organisation, bob: Organisation, seed: int
) -> None:
    make.make_tax()
    make.publish([make.price_line(meter.code, "0.07", 3) for meter in METERS.values()])
    rng = random.Random(seed)
    events = sent(rng, 60)
    ingest(alice, *events)
    for piece in chunks(events, rng):
        ingest(bob, *piece)
    gone = rng.sample([one.id for one in events], 8)
    void(alice, *gone)
    for one in reversed(gone):
        void(bob, one)
    assert figures(alice) == figures(bob)
    money = []
    for tenant in (alice, bob):
        with tenant_scope(tenant.pk):
            money.append(unbilled(tenant_id=tenant.pk, until=make.NOW).net)
    assert money[0] == money[1] > Decimal(0)
    assert broken() == ()
