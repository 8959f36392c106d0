"""A month's costs: shared out by day and series, they are the bills to the fen."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing.commands.invoices import NothingToInvoice
from billing.costs import Place, spread
from billing.models import Invoice, PriceVersion
from billing.pricing import Tier
from billing.queries.costs import CostPart, MonthCosts, month_costs
from billing.queries.drafts import Draft, draft
from billing.queries.focus import cost_and_usage
from billing.usage import UsageEvent
from common.errors import NotFound
from common.ids import uuid7
from common.period import Period
from tenants.models import Organisation
from tenants.permissions import SYSTEM, Actor, ActorKind, Permission, PermissionRefused
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_contracts import activate, discount, drafted, fixed, spend
from tests.factories import billing as make
from tests.factories import focus

FEN = Decimal("0.01")
DAY = timedelta(days=1)
FIRST = date(2026, 11, 1)
OCTOBER = Period(make.MONTH_START - 31 * DAY, make.MONTH_START)
NOVEMBER = focus.NOVEMBER


def places(*quantities: tuple[int, int, int]) -> dict[Place, int]:
    """(day, series, quantity) as the cells of one charge."""
    return {Place(FIRST + day * DAY, series): quantity for day, series, quantity in quantities}


def test_a_charge_is_shared_by_quantity_and_adds_up() -> None:
    shares = spread(Decimal("1.00"), places((0, 1, 1), (0, 2, 1), (1, 1, 1)))
    assert list(shares.values()) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]


def test_small_charges_do_not_always_fall_on_the_same_series() -> None:
    cells = places(*((day, series, 5) for day in range(30) for series in range(10)))
    by_series: dict[int, Decimal] = defaultdict(Decimal)
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    for place, share in spread(Decimal("1.00"), cells).items():
        by_series[place.series_id] += share
        by_day[place.day] += share
    assert set(by_series.values()) == {Decimal("0.10")}
    assert set(by_day.values()) == {Decimal("0.03"), Decimal("0.04")}


def test_money_without_use_is_shared_with_nobody() -> None:
    assert spread(Decimal("5.00"), {}) == {}
    assert spread(Decimal("5.00"), places((0, 1, 7), (1, 1, -7))) == {}
    assert set(spread(Decimal(0), places((0, 1, 7))).values()) == {Decimal(0)}


CELLS = st.dictionaries(
    st.tuples(st.integers(0, 30), st.integers(1, 9)), st.integers(0, 10**12), max_size=60
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CELLS, st.integers(-(10**9), 10**9))
def test_shares_add_up_keep_the_sign_and_stay_near_what_is_due(
    cells: Mapping[tuple[int, int], int], fen: int
) -> None:
    used = {Place(FIRST + day * DAY, series): many for (day, series), many in cells.items()}
    net = fen * FEN
    shares = spread(net, used)
    if not sum(used.values()):
        assert shares == {}
        return
    assert sum(shares.values()) == net
    assert all(share * fen >= 0 and share == share.quantize(FEN) for share in shares.values())
    days: dict[date, Decimal] = defaultdict(Decimal)
    quantities: dict[date, int] = defaultdict(int)
    for place, share in shares.items():
        days[place.day] += share
        quantities[place.day] += used[place]
    for day, amount in days.items():
        due = net * quantities[day] / sum(used.values())
        assert abs(amount - due) <= FEN


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(1, 5)), st.integers(-(10**6), 10**6), max_size=30
    ),
    st.integers(-(10**6), 10**6),
)
def test_use_that_was_taken_back_is_shared_out_too(
    cells: Mapping[tuple[int, int], int], fen: int
) -> None:
    used = {Place(FIRST + day * DAY, series): many for (day, series), many in cells.items()}
    shares = spread(fen * FEN, used)
    assert sum(shares.values()) == (fen * FEN if sum(used.values()) else 0)


def of(tenant: Organisation, month: Period, now: datetime, actor: Actor = SYSTEM) -> MonthCosts:
    with tenant_scope(tenant.pk):
        return month_costs(actor=actor, tenant_id=tenant.pk, month=month, now=now)


def draft_of(tenant: Organisation, now: datetime) -> Draft:
    with tenant_scope(tenant.pk):
        return draft(tenant_id=tenant.pk, until=now)


def invoiced_of(tenant: Organisation, month: Period) -> Decimal:
    """What the month's invoices say themselves."""
    with operator_scope():
        rows = Invoice.objects.filter(
            tenant=tenant, period_end__gt=month.start, period_end__lte=month.end
        ).values_list("net", flat=True)
        return sum(rows, Decimal(0))


def summed(
    parts: Sequence[CostPart], *, key: Callable[[CostPart], object]
) -> dict[object, Decimal]:
    sums: dict[object, Decimal] = defaultdict(Decimal)
    for part in parts:
        sums[key(part)] += part.net
    return sums


@pytest.mark.django_db
def test_two_invoices_and_a_draft_of_one_month_are_told_apart_and_add_up(
    alice: Organisation,
) -> None:
    focus.default_prices()
    first, second = focus.mixed_month(alice)
    now = make.NOW + 3 * make.HOUR
    found = of(alice, NOVEMBER, now)
    assert found.invoiced == first.net + second.net
    assert found.open == draft_of(alice, now).net > 0
    assert found.draft_elsewhere == 0
    # Five hours of a reservation's eight cards at 5.25, and its work inside at nothing.
    by = summed(
        found.parts,
        key=lambda part: (part.bought.meter, part.used.dimensions.get("service_class", "")),
    )
    assert by["compute.card_seconds", "covered"] == 0
    assert by["compute.reserved_card_seconds", "committed"] == Decimal("5.25") * (60 + 24 + 8)
    days = summed(found.parts, key=lambda part: part.day)
    assert None not in days
    # An hour of eight reserved cards and five million tokens.
    assert days[date(2026, 11, 15)] == found.open == Decimal("47.00")


@pytest.mark.django_db
def test_late_use_keeps_its_day_and_stands_in_the_month_that_bills_it(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("o1", 3_000_000, at=OCTOBER.end - 2 * make.HOUR), now=OCTOBER.end)
    issue(alice, until=OCTOBER.end, now=OCTOBER.end)
    ingest(
        alice,
        make.tokens("late", 5_000_000, at=OCTOBER.end - 3 * make.HOUR),
        make.tokens("n1", 2_000_000, at=make.NOW - DAY),
    )
    october, november = of(alice, OCTOBER, make.NOW), of(alice, NOVEMBER, make.NOW)
    assert (october.invoiced, october.open) == (Decimal("3.00"), 0)
    assert october.draft_elsewhere == Decimal("7.00")
    assert (november.invoiced, november.open) == (0, Decimal("7.00"))
    assert summed(november.parts, key=lambda part: part.day) == {
        date(2026, 10, 31): Decimal("5.00"),
        date(2026, 11, 14): Decimal("2.00"),
    }


@pytest.mark.django_db
def test_months_that_are_both_open_share_the_draft_between_them(
    alice: Organisation, prices: PriceVersion
) -> None:
    ingest(alice, make.tokens("o1", 3_000_000, at=OCTOBER.end - 2 * make.HOUR), now=OCTOBER.end)
    ingest(alice, make.tokens("n1", 2_000_000))
    whole = draft_of(alice, make.NOW).net
    october, november = of(alice, OCTOBER, make.NOW), of(alice, NOVEMBER, make.NOW)
    assert (october.open, november.open) == (Decimal("3.00"), Decimal("2.00"))
    assert october.open + november.open == whole
    assert (october.draft_elsewhere, november.draft_elsewhere) == (
        Decimal("2.00"),
        Decimal("3.00"),
    )
    assert october.since == OCTOBER.start


@pytest.mark.django_db
def test_a_price_with_tiers_is_shared_by_quantity_with_each_project(
    alice: Organisation, db: None
) -> None:
    make.make_tax()
    tiers = (Tier(1_000_000, Decimal("4.00")), Tier(None, Decimal("1.00"), Decimal("3.00")))
    line = make.price_line("test.tokens_in", "0", 1_000_000)
    make.publish([replace(line, model="graduated", tiers=tiers)])
    lab = focus.make_project(alice)
    ingest(
        alice,
        make.tokens("a", 3_000_000, at=make.NOW - 2 * DAY, project_id=lab),
        make.tokens("b", 1_000_000, at=make.NOW - DAY),
    )
    found = of(alice, NOVEMBER, make.NOW)
    # 1M at 4.00, a fee of 3.00, 3M at 1.00: ten, of which three quarters were used for the lab.
    assert found.total == draft_of(alice, make.NOW).net == Decimal("10.00")
    assert summed(found.parts, key=lambda part: part.used.project_code) == {
        "lab": Decimal("7.50"),
        "": Decimal("2.50"),
    }
    narrowed = Actor(
        ActorKind.API_KEY, None, "lab's", alice.pk, frozenset({Permission.USAGE_READ}), lab
    )
    seen = of(alice, NOVEMBER, make.NOW, narrowed)
    assert (seen.total, seen.draft_elsewhere) == (Decimal("7.50"), None)


def test_nobody_reads_costs_without_the_permission_or_of_another_tenant(
    alice: Organisation, bob: Organisation
) -> None:
    nobody = Actor(ActorKind.MEMBER, None, "nobody", alice.pk, frozenset())
    with pytest.raises(PermissionRefused):
        of(alice, NOVEMBER, make.NOW, nobody)
    other = Actor(ActorKind.MEMBER, None, "bob", bob.pk, frozenset({Permission.USAGE_READ}))
    with pytest.raises(NotFound):
        of(alice, NOVEMBER, make.NOW, other)


BEGIN = make.MONTH_START - 4 * DAY
DECEMBER = Period(make.MONTH_END, make.MONTH_END + 31 * DAY)
TIERS = (Tier(1_000_000, Decimal("0.90")), Tier(None, Decimal("0.50"), Decimal("0.30")))
MODELS: Mapping[str, dict[str, object]] = {
    "flat": {},
    "graduated": {"model": "graduated", "tiers": TIERS},
    "volume": {"model": "volume", "tiers": TIERS},
    "package": {"model": "package", "unit_quantity": 700_000},
}


def event(
    number: int, at: datetime, quantity: int, kind: int, lab: UUID, quoted: UUID
) -> UsageEvent:
    """One of six kinds: with and without a project, of a quoted price, inside a reservation."""
    name = f"e{number}"
    match kind:
        case 0:
            return make.tokens(name, quantity, at)
        case 1:
            return make.tokens(name, quantity, at, project_id=lab, key="k2")
        case 2:
            return make.tokens(name, quantity, at, meter="test.tokens_out", model="large")
        case 3:
            return make.tokens(name, quantity, at, price_id=quoted, key="k3")
        case 4:
            return make.cards(name, quantity, at)
        case _:
            return make.cards(name, quantity, at, service_class="covered")


@pytest.fixture
def two_lists(db: None) -> PriceVersion:
    """A list that another, dearer one replaces in the middle of November."""
    make.make_tax()
    first = make.publish(now=make.LONG_AGO)
    dearer = [replace(line, unit_price=line.unit_price * 3 / 2) for line in make.STANDARD_LINES]
    make.publish(dearer, make.MONTH_START + 12 * DAY, make.MONTH_START)
    return first


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    used=st.lists(
        st.tuples(
            st.integers(0, 24 * 33), st.integers(0, 3_000_001), st.integers(0, 5), st.booleans()
        ),
        min_size=1,
        max_size=10,
    ),
    cuts=st.sets(st.integers(1, 33), max_size=3),
)
# A month of the contract in which nothing is open but its true-up.
@example(used=[(0, 1, 0, False)], cuts={4})
def test_every_month_is_its_bills_however_it_was_used_priced_and_cut(
    two_lists: PriceVersion,
    model: str,
    used: list[tuple[int, int, int, bool]],
    cuts: set[int],
) -> None:
    """Price change, tiers, contract, minimum, late use, reservations, no project: to the fen."""
    tenant = make.make_tenant(f"t{uuid7().hex}")
    terms = [fixed("0.90", **MODELS[model]), discount("7"), spend("3.00", "minimum")]
    activate(tenant, drafted(tenant, *terms, number=str(tenant.pk)))
    lab, quoted = focus.make_project(tenant), two_lists.prices.get(sku="test.tokens_in").pk
    waiting = [
        (event(number, BEGIN + hour * make.HOUR, quantity, kind, lab, quoted), is_late)
        for number, (hour, quantity, kind, is_late) in enumerate(used)
    ]
    for cut in sorted(cuts):
        until = BEGIN + cut * DAY
        ready = [one for one in waiting if one[0].at < until and not one[1]]
        if ready:
            ingest(tenant, *[told for told, _late in ready], now=until)
        waiting = [one for one in waiting if one not in ready]
        try:
            issue(tenant, until=until, now=until)
        except NothingToInvoice:
            continue
    ingest(tenant, *[told for told, _late in waiting], now=make.MONTH_END)
    for now in (make.MONTH_END - make.HOUR, make.MONTH_END + make.HOUR):
        agree_with_the_bills(tenant, now)
    with suppress(NothingToInvoice):
        issue(tenant, until=make.MONTH_END, now=make.MONTH_END + make.HOUR)
    agree_with_the_bills(tenant, make.MONTH_END + 2 * make.HOUR)


def agree_with_the_bills(tenant: Organisation, now: datetime) -> None:
    """All open parts are the draft, and each month's invoiced parts are its invoices."""
    months = {month: of(tenant, month, now) for month in (OCTOBER, NOVEMBER, DECEMBER)}
    whole = draft_of(tenant, now)
    assert sum(found.open for found in months.values()) == whole.net
    for month, found in months.items():
        assert found.invoiced == invoiced_of(tenant, month)
        assert found.open + (found.draft_elsewhere or 0) == whole.net
        by_day = summed(found.parts, key=lambda part: part.day)
        by_project = summed(found.parts, key=lambda part: part.used.project_code)
        assert sum(by_day.values()) == sum(by_project.values()) == found.total
        assert all(part.net == part.net.quantize(FEN) for part in found.parts)
        # What has no day is a true-up, or a charge whose use was nothing.
        unplaced = [part for part in found.parts if part.day is None]
        assert {part.bought.kind for part in unplaced} <= {"true_up"}
        assert exported(tenant, month, now) == found.total


def exported(tenant: Organisation, month: Period, now: datetime) -> Decimal:
    """What a cost export of the month comes to without tax."""
    with tenant_scope(tenant.pk):
        rows = list(cost_and_usage(tenant_id=tenant.pk, month=month, now=now))
    taxed = [row for row in rows if row["ChargeCategory"] != "Tax"]
    return sum((Decimal(str(row["BilledCost"])) for row in taxed), Decimal(0))


@pytest.mark.django_db
def test_costs_are_read_in_the_same_few_statements_however_much_was_used(
    alice: Organisation, prices: PriceVersion
) -> None:
    counts = []
    for size in (3, 300):
        ingest(
            alice,
            *[
                make.tokens(f"{size}-{one}", 1000, make.NOW - one * make.HOUR, key=f"k{one}")
                for one in range(size)
            ],
        )
        with tenant_scope(alice.pk), CaptureQueriesContext(connection) as told:
            found = month_costs(actor=SYSTEM, tenant_id=alice.pk, month=NOVEMBER, now=make.NOW)
        counts.append(len(told))
        assert found.total == draft_of(alice, make.NOW).net
    assert counts == [6, 6]
    assert broken() == ()
