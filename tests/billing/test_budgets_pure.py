"""Budget arithmetic with figures that can be checked by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.budgeting import BudgetFigures, Forecast, forecast, unusual

D = Decimal
NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
MONTH_END = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
WEEK = [D(70), D(10), D(40), D(20), D(50), D(30), D(60)]


@pytest.mark.parametrize(
    ("spent", "percent", "reached", "remaining"),
    [
        ("0", 0, (), "100"),
        ("49.999999", 49, (), "50.000001"),
        ("50", 50, (50,), "50"),
        ("80", 80, (50, 80), "20"),
        ("99.999999", 99, (50, 80), "0.000001"),
        ("100", 100, (50, 80, 100), "0"),
        ("250.5", 250, (50, 80, 100), "0"),
        ("-3", 0, (), "103"),
    ],
)
def test_thresholds_are_reached_from_exactly_their_share_on(
    spent: str, percent: int, reached: tuple[int, ...], remaining: str
) -> None:
    figures = BudgetFigures(amount=D(100), spent=D(spent))
    assert (figures.percent, figures.reached(), figures.remaining) == (
        percent,
        reached,
        D(remaining),
    )
    assert figures.is_reached == (100 in reached)


def test_a_forecast_is_what_is_spent_and_the_rest_at_the_pace_of_a_week() -> None:
    # Ten days are left. The three least days are 10, 20, 30, the three dearest 50, 60, 70.
    found = forecast(spent=D(600), full_days=WEEK, now=NOW, month_end=MONTH_END)
    assert found == Forecast(low=D(800), expected=D(1000), high=D(1200), days=7)


def test_a_forecast_looks_at_no_more_than_a_week_and_says_when_a_budget_is_reached() -> None:
    found = forecast(
        spent=D(600),
        full_days=[D(9999), *WEEK],
        now=NOW,
        month_end=MONTH_END,
        amount=D(700),
    )
    assert found is not None
    assert (found.expected, found.days) == (D(1000), 7)
    # A hundred at forty a day takes two and a half days.
    assert found.reaches_at == NOW + timedelta(hours=60)


@pytest.mark.parametrize("amount", ["600", "1000.01"])
def test_a_budget_that_is_reached_or_will_not_be_has_no_such_day(amount: str) -> None:
    found = forecast(spent=D(600), full_days=WEEK, now=NOW, month_end=MONTH_END, amount=D(amount))
    assert found is not None
    assert found.reaches_at is None


def test_without_a_full_day_there_is_no_forecast_and_with_one_no_range() -> None:
    assert forecast(spent=D(5), full_days=[], now=NOW, month_end=MONTH_END) is None
    found = forecast(spent=D(5), full_days=[D(10)], now=NOW, month_end=MONTH_END)
    assert found == Forecast(low=D(105), expected=D(105), high=D(105), days=1)


def test_after_the_month_a_forecast_is_what_was_spent() -> None:
    found = forecast(spent=D(5), full_days=[D(10)], now=MONTH_END, month_end=MONTH_END)
    assert found == Forecast(low=D(5), expected=D(5), high=D(5), days=1)


def test_a_day_is_unusual_above_three_times_the_median_and_the_floor() -> None:
    before = [D(100)] * 13 + [D(900)]
    assert unusual(net=D(300), before=before) is None
    found = unusual(net=D("300.01"), before=before)
    assert found is not None
    assert (found.usual, found.limit, found.days) == (D(100), D(300), 14)


def test_a_small_spender_is_left_alone_below_the_floor() -> None:
    before = [D(1)] * 14
    assert unusual(net=D(100), before=before) is None
    found = unusual(net=D("100.01"), before=before)
    assert found is not None
    assert (found.usual, found.limit) == (D(1), D(100))


def test_a_new_tenant_has_no_usual_yet_and_an_even_number_of_days_is_halved() -> None:
    assert unusual(net=D(9999), before=[D(1)] * 6) is None
    found = unusual(net=D(9999), before=[D(10), D(20), D(30), D(40), D(50), D(60), D(70), D(80)])
    assert found is not None
    assert (found.usual, found.days) == (D(45), 8)


def test_days_of_corrections_make_no_negative_pace_or_usual() -> None:
    found = forecast(spent=D(5), full_days=[D(-10)], now=NOW, month_end=MONTH_END)
    assert found is not None
    assert found.expected == D(5)
    seen = unusual(net=D(101), before=[D(-5)] * 7)
    assert seen is not None
    assert seen.usual == 0
