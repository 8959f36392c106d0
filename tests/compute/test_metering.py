"""What may be charged by now."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.meters import declared
from common.period import HOUR, Period
from compute import meters
from compute.metering import chargeable, remaining_money, shared_card_milliseconds
from tests.factories.compute import NOW

START = NOW + timedelta(minutes=50)


def test_an_open_row_is_charged_for_hours_that_are_over() -> None:
    assert chargeable(
        started_at=START, ended_at=None, vouched_until=NOW + 2.5 * HOUR, charged_until=None
    ) == (Period(START, NOW + HOUR), Period(NOW + HOUR, NOW + 2 * HOUR))


def test_an_ended_row_is_charged_to_its_second() -> None:
    end = NOW + 2 * HOUR + timedelta(seconds=7)
    assert chargeable(
        started_at=START, ended_at=end, vouched_until=end, charged_until=NOW + HOUR
    ) == (Period(NOW + HOUR, NOW + 2 * HOUR), Period(NOW + 2 * HOUR, end))


def test_nothing_is_charged_past_what_the_engine_vouches_for() -> None:
    assert chargeable(
        started_at=START,
        ended_at=NOW + 3 * HOUR,
        vouched_until=NOW + timedelta(minutes=70),
        charged_until=None,
    ) == (Period(START, NOW + HOUR),)


def test_a_row_that_ended_before_what_was_charged_gives_nothing() -> None:
    assert (
        chargeable(
            started_at=START,
            ended_at=NOW + timedelta(minutes=55),
            vouched_until=NOW + 3 * HOUR,
            charged_until=NOW + HOUR,
        )
        == ()
    )


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=8), st.integers(1, 20_000))
def test_however_often_it_is_asked_every_second_is_given_once(
    looks: list[int], length: int
) -> None:
    end = START + timedelta(seconds=length)
    charged_until = None
    pieces: list[Period] = []
    for look in sorted(looks) + [10**6]:
        seen = START + timedelta(seconds=look)
        found = chargeable(
            started_at=START,
            ended_at=end if seen >= end else None,
            vouched_until=seen,
            charged_until=charged_until,
        )
        pieces += found
        charged_until = found[-1].end if found else charged_until
    assert sum(piece.seconds for piece in pieces) == length
    assert len({piece.start for piece in pieces}) == len(pieces)
    assert pieces[0].start == START
    assert pieces[-1].end == end


def test_what_is_left_of_a_price_is_rounded_up_to_the_cent() -> None:
    assert remaining_money(Decimal("1.00"), total=3, charged=1) == Decimal("0.67")
    assert remaining_money(Decimal("1.00"), total=3, charged=3) == 0
    assert remaining_money(Decimal("1.00"), total=3, charged=9) == 0


def test_four_quarters_of_a_card_for_an_hour_are_one_card_hour() -> None:
    quarters = 4 * shared_card_milliseconds(thousandths=250, seconds=3600)
    assert quarters == meters.MILLISECONDS_PER_HOUR
    assert declared()[meters.SHARED_CARD_MILLISECONDS].display_divisor == quarters


@pytest.mark.parametrize("thousandths", [0, -1, 1001])
def test_a_share_is_part_of_one_card(thousandths: int) -> None:
    with pytest.raises(ValueError, match="share"):
        shared_card_milliseconds(thousandths=thousandths, seconds=1)
