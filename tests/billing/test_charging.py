"""Charging is the same money however a month is cut, whatever the price model."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from billing.charging import Booked, Counted, PortionKey, RatedLine, lines_of, rate
from billing.money import round_to_fen
from billing.pricing import Terms, Tier, portions
from billing.rating import ChargeKey, Plan, PriceFact, RunningKey

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
RUNNING = RunningKey(UUID(int=1), None, Decimal("0.06"), None, (), START)
TIERS = (
    Tier(1_000, Decimal("0.50")),
    Tier(50_000, Decimal("0.31"), Decimal("2.00")),
    Tier(None, Decimal("0.125")),
)
TERMS = {
    "flat": Terms(Decimal("0.37"), 1_000),
    "graduated": Terms(Decimal(0), 1_000, TIERS),
    "volume": Terms(Decimal(0), 1_000, TIERS),
    "package": Terms(Decimal("9.90"), 2_500),
}


def fact(model: str) -> PriceFact:
    return PriceFact(
        id=RUNNING.price_id,
        meter="m",
        match={},
        sku="sku",
        title_en="",
        title_zh="",
        model=model,
        terms=TERMS[model],
        tax_code="t",
        list_terms=TERMS[model],
    )


def invoiced(
    model: str, added: int, booked: Mapping[PortionKey, Booked], *, late: int = 0
) -> tuple[RatedLine, ...]:
    """The lines of one invoice that finds this much on time, and this much late."""
    counted = {ChargeKey(RUNNING, is_late=False): Counted(added, START, START)}
    if late:
        counted[ChargeKey(RUNNING, is_late=True)] = Counted(late, START, START)
    charges = rate(Plan((), (), {RUNNING: fact(model)}), counted, {RUNNING: booked})
    assert [charge.quantity for charge in charges] == [
        sum(line.quantity for line in charge.lines) for charge in charges
    ]
    return lines_of(charges)


def after(
    booked: Mapping[PortionKey, Booked], lines: Sequence[RatedLine]
) -> dict[PortionKey, Booked]:
    """What stands booked once these lines are, as the database sums it up."""
    sums = dict(booked)
    for line in lines:
        key = PortionKey(line.portion, line.unit_price, line.unit_quantity)
        old = sums.get(key, Booked())
        sums[key] = Booked(
            old.quantity + line.quantity,
            old.priced_quantity + line.priced_quantity,
            old.net + line.net,
            old.tax + line.tax,
        )
    return {key: part for key, part in sums.items() if part != Booked()}


@given(
    model=st.sampled_from(sorted(TERMS)),
    parts=st.lists(
        st.tuples(st.integers(-3_000, 60_000), st.integers(0, 5_000)), min_size=1, max_size=8
    ),
)
def test_any_cut_into_invoices_gives_the_fen_of_the_whole(
    model: str, parts: list[tuple[int, int]]
) -> None:
    booked: dict[PortionKey, Booked] = {}
    net = tax = Decimal(0)
    for added, late in parts:
        lines = invoiced(model, added, booked, late=late)
        net += sum((line.net for line in lines), Decimal(0))
        tax += sum((line.tax for line in lines), Decimal(0))
        booked = after(booked, lines)
    total = sum(added + late for added, late in parts)
    whole = portions(model, TERMS[model], total)
    nets = [round_to_fen(part.net) for part in whole]
    assert net == sum(nets, Decimal(0))
    assert tax == sum((line.tax for line in invoiced(model, total, {})), Decimal(0))


def test_a_price_that_falls_with_the_total_reverses_what_was_booked_and_charges_anew() -> None:
    first = invoiced("volume", 1_000, {})
    second = invoiced("volume", 1_000, after({}, first))
    assert [
        (line.portion, line.quantity, str(line.unit_price), str(line.net)) for line in second
    ] == [
        ("fee:2", 0, "2.00", "2.00"),
        ("volume", -1_000, "0.50", "-0.50"),
        ("volume", 2_000, "0.31", "0.62"),
    ]


def test_use_that_was_taken_back_is_a_line_below_zero() -> None:
    booked = after({}, invoiced("flat", 10_000, {}))
    lines = invoiced("flat", -4_000, booked)
    assert [(line.quantity, str(line.net), str(line.tax)) for line in lines] == [
        (-4_000, "-1.48", "-0.09")
    ]


def test_use_that_nets_to_nothing_is_counted_and_has_no_line() -> None:
    assert invoiced("flat", 0, {}) == ()
