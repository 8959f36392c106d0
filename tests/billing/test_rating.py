"""Rating is exact, and does not depend on how the usage came in or was cut."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import round_to_fen, tax_on
from billing.pricing import MODELS, Terms, delta
from billing.pricing.match import best_match
from billing.rating import PriceBookFacts, PriceFact, SeriesUse, TaxFact, VersionFact, plan

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
terms = st.builds(
    Terms,
    unit_price=st.decimals(min_value=0, max_value=10_000, places=15),
    unit_quantity=st.sampled_from([1, 7, 3600, 1_000_000]),
)


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("0.005", "0.01"),
        ("0.004999999999999999999999999999999999999999", "0.00"),
        ("1.115", "1.12"),
        ("2.675", "2.68"),
        ("-0.005", "-0.01"),
        ("0", "0.00"),
        ("10", "10.00"),
    ],
)
def test_half_a_fen_rounds_up_and_less_does_not(exact: str, rounded: str) -> None:
    assert str(round_to_fen(Fraction(exact))) == rounded


def test_a_third_of_a_fen_three_times_is_a_fen() -> None:
    third = delta("flat", Terms(Decimal("0.01"), 3), before=0, after=1)
    assert third * 3 == Fraction(1, 100)


def test_tax_is_rounded_on_the_lines_own_net() -> None:
    assert tax_on(Decimal("0.25"), Decimal("0.06")) == Decimal("0.02")
    assert tax_on(Decimal("0.24"), Decimal("0.06")) == Decimal("0.01")


@pytest.mark.parametrize("model", sorted(MODELS))
@given(terms=terms, cuts=st.lists(st.integers(0, 10**12), min_size=1, max_size=6))
def test_rating_in_parts_gives_the_money_of_the_whole(
    model: str, terms: Terms, cuts: list[int]
) -> None:
    marks = [0, *sorted(cuts)]
    parts = sum(
        (
            delta(model, terms, before=before, after=after)
            for before, after in zip(marks, marks[1:], strict=False)
        ),
        Fraction(0),
    )
    assert parts == delta(model, terms, before=0, after=marks[-1])


def fact(number: int, match: dict[str, str], price: str = "1") -> PriceFact:
    return PriceFact(
        id=UUID(int=number),
        meter="m",
        match=match,
        sku=f"sku-{number}",
        title_en="",
        title_zh="",
        model="flat",
        terms=Terms(Decimal(price), 1),
        tax_code="t",
        list_terms=Terms(Decimal(price), 1),
    )


def test_the_price_with_the_most_matching_dimensions_wins() -> None:
    catch_all, chip, both = fact(1, {}), fact(2, {"chip": "a"}), fact(3, {"chip": "a", "pool": "p"})
    prices = [catch_all, chip, both]
    assert best_match(prices, "m", {"chip": "a", "pool": "p"}) is both
    assert best_match(prices, "m", {"chip": "a", "pool": "q"}) is chip
    assert best_match(prices, "m", {"chip": "b", "pool": "p"}) is catch_all
    assert best_match([chip], "m", {"chip": "b"}) is None
    assert best_match(prices, "other", {"chip": "a"}) is None


def use(first: datetime, last: datetime, quoted: UUID | None = None) -> SeriesUse:
    return SeriesUse(1, "m", None, quoted, {}, (), first, last)


def book(*versions: VersionFact, taxes: tuple[TaxFact, ...] = ()) -> PriceBookFacts:
    rates = taxes or (TaxFact("t", Decimal("0.06"), None, None),)
    quoted = {price.id: price for version in versions for price in version.prices}
    return PriceBookFacts(versions, quoted, rates, "Asia/Shanghai")


def test_a_series_is_cut_where_price_tax_month_or_invoice_period_changes() -> None:
    change, tax_change, month_end = START + 100 * HOUR, START + 200 * HOUR, START + 720 * HOUR
    facts = book(
        VersionFact(START - 9000 * HOUR, (fact(1, {}),)),
        VersionFact(change, (fact(2, {}),)),
        taxes=(
            TaxFact("t", Decimal("0.06"), None, tax_change),
            TaxFact("t", Decimal("0.09"), tax_change, None),
        ),
    )
    made = plan(
        [use(START, START + 729 * HOUR)],
        facts,
        period_start=START + 50 * HOUR,
        until=START + 730 * HOUR,
    )
    cut = [
        (
            part.start,
            part.charge.running.price_id.int,
            str(part.charge.running.tax_rate),
            part.charge.is_late,
        )
        for part in made.segments
    ]
    assert cut == [
        (START, 1, "0.06", True),
        (START + 50 * HOUR, 1, "0.06", False),
        (change, 2, "0.06", False),
        (tax_change, 2, "0.09", False),
        (month_end, 2, "0.09", False),
    ]
    assert made.segments[-1].end == START + 730 * HOUR
    assert made.unpriced == ()


def test_a_quoted_price_is_honoured_after_the_list_has_changed() -> None:
    facts = book(
        VersionFact(START - HOUR, (fact(1, {}),)), VersionFact(START + HOUR, (fact(2, {}),))
    )
    made = plan(
        [use(START, START + 5 * HOUR, quoted=UUID(int=1))],
        facts,
        period_start=START,
        until=START + 6 * HOUR,
    )
    assert {part.charge.running.price_id for part in made.segments} == {UUID(int=1)}


def test_hours_before_the_first_list_are_named_as_unpriced() -> None:
    facts = book(VersionFact(START + 2 * HOUR, (fact(1, {}),)))
    made = plan([use(START, START + 3 * HOUR)], facts, period_start=START, until=START + 4 * HOUR)
    assert [(part.start, part.end) for part in made.unpriced] == [(START, START + 2 * HOUR)]
    assert [part.start for part in made.segments] == [START + 2 * HOUR]


def test_hours_without_a_tax_rate_are_not_billed() -> None:
    facts = book(
        VersionFact(START - HOUR, (fact(1, {}),)),
        taxes=(TaxFact("other", Decimal("0.06"), None, None),),
    )
    made = plan([use(START, START)], facts, period_start=START, until=START + HOUR)
    assert made.segments == ()
    assert [part.meter for part in made.unpriced] == ["m"]
