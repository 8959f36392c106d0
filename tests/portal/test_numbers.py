"""How amounts, quantities and instants are written."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.html import strip_tags
from django.utils.translation import override

from portal.templatetags import ui_numbers as shown

AT = datetime(2026, 11, 22, 5, 32, 7, tzinfo=UTC)


@dataclass(frozen=True)
class SomeMoney:
    amount: Decimal
    currency: str


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("128450.5"), "¥128,450.50"),
        (Decimal("0.000012"), "¥0.000012"),
        (Decimal("0.1234567"), "¥0.123456"),
        (Decimal("-3"), "−¥3.00"),
        (Decimal("1E+3"), "¥1,000.00"),
        (0, "¥0.00"),
        (None, "—"),
        ("nonsense", "—"),
    ],
)
def test_money_has_a_currency_and_two_to_six_decimals(amount: object, text: str) -> None:
    assert strip_tags(shown.money(amount, "CNY")) == text


def test_money_brings_its_own_currency() -> None:
    assert strip_tags(shown.money(SomeMoney(Decimal("12.5"), "USD"))) == "US$12.50"
    assert strip_tags(shown.money(Decimal(1), "CHF")) == "CHF 1.00"


def test_money_from_outside_is_escaped() -> None:
    assert "<b>" not in shown.money(Decimal(1), "<b>")


@pytest.mark.parametrize(
    ("value", "text"),
    [(18059974, "18,059,974"), (Decimal("2.50"), "2.5"), (0, "0"), (-4, "−4"), (None, "—")],
)
def test_a_quantity_groups_its_thousands(value: object, text: str) -> None:
    assert shown.quantity(value) == text


def test_a_round_quantity_is_written_out_and_never_as_a_power() -> None:
    assert shown.quantity(Decimal("20").normalize()) == "20"


def test_a_quantity_names_its_unit() -> None:
    assert shown.quantity(64, "GiB") == "64 GiB"


@pytest.mark.parametrize(
    ("value", "text"),
    [(9999, "9,999"), (12345, "12.3k"), (18059974, "18.1M"), (2_000_000_000, "2B"), (None, "—")],
)
def test_a_large_count_is_short_on_a_tile(value: object, text: str) -> None:
    assert shown.compact(value) == text


def test_card_hours_are_cut_and_never_rounded_up() -> None:
    assert shown.card_hours(3600 * 24 + 35) == "24.00"
    assert shown.card_hours(3600 * 1500 + 3599) == "1,500.99"


def test_an_instant_is_told_at_the_centre_with_its_zone_and_utc_beside_it() -> None:
    assert shown.instant(AT) == (
        '<time datetime="2026-11-22T05:32:07Z" title="2026-11-22 05:32:07 UTC">'
        '2026-11-22 13:32 <span class="zone">UTC+8</span></time>'
    )
    assert shown.day(datetime(2026, 11, 22, 17, tzinfo=UTC)) == "2026-11-23"
    assert shown.instant(None) == "—"


@pytest.mark.parametrize(
    ("length", "text"),
    [(0, "0 s"), (59, "59 s"), (3600, "1 h"), (93784, "1 day 2 h"), (timedelta(days=2), "2 days")],
)
def test_a_duration_is_told_in_its_two_largest_units(length: object, text: str) -> None:
    with override("en"):
        assert shown.duration(length) == text  # type: ignore[arg-type]


def test_how_long_ago_is_told_in_one_unit() -> None:
    with override("en"):
        assert shown.ago(AT - timedelta(seconds=5), AT) == "just now"
        assert shown.ago(AT - timedelta(minutes=42), AT) == "42 min ago"
        assert shown.ago(AT + timedelta(minutes=42), AT) == "just now"


def test_a_share_is_a_percentage() -> None:
    assert shown.percent(Decimal("0.4567"), 1) == "45.7%"
