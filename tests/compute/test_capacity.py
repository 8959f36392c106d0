"""The arithmetic of capacity, compared with the slowest thing that could be right."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.period import Period
from compute.capacity import (
    MINUTE,
    NodeRoom,
    Step,
    earliest_window,
    fits,
    largest_gang,
    least_free,
    next_minute,
    peak_taken,
    stranded,
    windows,
)
from tests.factories.compute import NOW

MOST = 4


@st.composite
def step_functions(draw: st.DrawFn) -> list[Step]:
    """Touching steps whose boundaries lie on half minutes, to try the rounding of starts."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    frees = draw(st.lists(st.integers(0, MOST), min_size=len(lengths), max_size=len(lengths)))
    start = NOW + timedelta(seconds=30 * draw(st.integers(0, 1)))
    steps = []
    for length, free in zip(lengths, frees, strict=True):
        end = start + timedelta(seconds=30 * length)
        steps.append(Step(Period(start, end), MOST, MOST - free))
        start = end
    return steps


def free_at(steps: list[Step], instant: object) -> int:
    return next((s.free for s in steps if s.period.start <= instant < s.period.end), 0)  # type: ignore[operator]


def brute_earliest(steps: list[Step], cards: int, seconds: int) -> object:
    """Try each whole minute, and each half minute of the run from it."""
    instant = next_minute(steps[0].period.start)
    while instant < steps[-1].period.end:
        moments = [instant + timedelta(seconds=30 * i) for i in range(-(-seconds // 30))]
        inside = instant + timedelta(seconds=seconds) <= steps[-1].period.end
        if inside and all(free_at(steps, moment) >= cards for moment in moments):
            return instant
        instant += MINUTE
    return None


@given(step_functions(), st.integers(1, MOST), st.integers(1, 8))
def test_the_earliest_window_is_the_one_found_by_trying_every_minute(
    steps: list[Step], cards: int, half_minutes: int
) -> None:
    seconds = 30 * half_minutes
    found = earliest_window(steps, cards=cards, seconds=seconds)
    assert found == brute_earliest(steps, cards, seconds)


@given(step_functions(), st.integers(1, MOST), st.integers(0, 20), st.integers(1, 8))
def test_a_period_fits_where_every_half_minute_of_it_is_free(
    steps: list[Step], cards: int, offset: int, half_minutes: int
) -> None:
    start = steps[0].period.start + timedelta(seconds=30 * offset)
    period = Period(start, start + timedelta(seconds=30 * half_minutes))
    moments = [start + timedelta(seconds=30 * i) for i in range(half_minutes)]
    expected = all(free_at(steps, moment) >= cards for moment in moments)
    assert fits(steps, cards=cards, period=period) is expected


@given(step_functions(), st.integers(1, MOST), st.integers(1, 4))
def test_windows_are_apart_in_order_and_cannot_be_longer(
    steps: list[Step], cards: int, half_minutes: int
) -> None:
    found = list(windows(steps, cards=cards, seconds=30 * half_minutes))
    for window in found:
        assert fits(steps, cards=cards, period=window)
        assert free_at(steps, window.end) < cards
    for earlier, later in zip(found, found[1:], strict=False):
        assert earlier.end < later.start


@given(step_functions())
def test_least_and_peak_are_the_ends_of_what_is_there(steps: list[Step]) -> None:
    assert least_free(steps) == min(step.free for step in steps)
    assert peak_taken(steps) == max(step.taken for step in steps)


def test_nothing_known_is_nothing_free() -> None:
    assert least_free([]) == 0
    assert earliest_window([], cards=1, seconds=60) is None
    assert not fits([], cards=1, period=Period(NOW, NOW + MINUTE))


def test_a_gap_between_steps_is_not_free() -> None:
    first = Step(Period(NOW, NOW + MINUTE), 4, 0)
    later = Step(Period(NOW + 2 * MINUTE, NOW + 5 * MINUTE), 4, 0)
    assert earliest_window([first, later], cards=1, seconds=120) == NOW + 2 * MINUTE
    assert not fits([first, later], cards=1, period=Period(NOW, NOW + 3 * MINUTE))


def test_eight_free_cards_on_three_nodes_hold_no_gang_of_four() -> None:
    rooms = [NodeRoom(8, 3), NodeRoom(8, 3), NodeRoom(8, 2), NodeRoom(8, 0)]
    assert stranded(rooms, gang=4) == 8
    assert stranded(rooms, gang=3) == 2
    assert stranded(rooms, gang=1) == 0
    assert largest_gang(rooms) == 3
    assert largest_gang([]) == 0
