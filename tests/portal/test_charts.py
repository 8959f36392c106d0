"""The charts' geometry, number by number."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from portal.console import charts

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_sparkline_starts_at_zero_and_stays_inside_its_box() -> None:
    drawn = charts.line([0, 5, 10], width=100, height=12)
    assert drawn.path == "M0 11L50 6L100 1"
    assert drawn.area == "M0 11L50 6L100 1L100 12L0 12Z"


@pytest.mark.parametrize("values", [[], [0], [0, 0]])
def test_nothing_is_a_flat_line(values: list[int]) -> None:
    assert charts.line(values, width=10, height=10).path == "M0 9L10 9"


def test_one_value_is_a_level_line() -> None:
    assert charts.line([7], width=10, height=10).path == "M0 1L10 1"


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, "4"), (1, "1"), (3, "4"), (7, "8"), (10, "10"), (11, "20"), (350, "400"), (9999, "10000"),
     (Decimal("0.031"), "0.04")],
)  # fmt: skip
def test_an_axis_ends_at_a_number_that_divides_by_four_in_words(highest: int, top: str) -> None:
    assert charts.axis_top(highest) == Decimal(top)


def test_columns_stack_from_the_bottom_and_fill_their_share_of_the_axis() -> None:
    drawn = charts.stacked(
        [charts.Column("11-21", {"a": 2, "b": 2}), charts.Column("11-22", {"a": 1})],
        [("a", "Ascend"), ("b", "H20")],
        width=200,
        height=100,
    )
    assert [(one.series, one.x, one.y, one.width, one.height) for one in drawn.blocks] == [
        (1, "6", "50", "88", "50"),
        (2, "6", "0", "88", "50"),
        (1, "106", "75", "88", "25"),
    ]
    assert [(one.y, one.value) for one in drawn.ticks] == [
        ("0", 4), ("25", 3), ("50", 2), ("75", 1), ("100", 0)
    ]  # fmt: skip
    assert drawn.blocks[0].title == "11-21 · Ascend: 2"
    assert drawn.columns[0].total == 4


def test_no_columns_are_an_empty_chart_with_an_axis() -> None:
    drawn = charts.stacked([], [("a", "A")])
    assert drawn.blocks == ()
    assert drawn.labels == ()
    assert len(drawn.ticks) == 5


def test_a_long_month_is_labelled_at_its_ends_and_middle() -> None:
    columns = [charts.Column(str(day), {}) for day in range(1, 32)]
    assert charts.stacked(columns, []).labels == ("1", "16", "31")


@pytest.mark.parametrize(
    ("free", "capacity", "level"),
    [(0, 8, 0), (1, 512, 1), (2, 8, 1), (3, 8, 2), (8, 8, 4), (9, 8, 4), (0, 0, 0), (None, 8, 0)],
)
def test_a_cell_is_darker_the_more_is_free(free: int | None, capacity: int, level: int) -> None:
    assert charts.HeatCell(free, capacity).level == level


def test_a_cell_nobody_could_count_is_not_an_empty_one() -> None:
    assert not charts.HeatCell(None, 8).known
    assert charts.HeatCell(0, 8).known


def test_a_node_draws_each_state_once_in_a_shape_of_its_own() -> None:
    drawn = charts.node_drawing(charts.WallNode("n1", ("running", "free", "failed", "running")))
    assert (drawn.width, drawn.height) == (51, 12)
    assert [(one.state, one.count) for one in drawn.paths] == [
        ("running", 2), ("free", 1), ("failed", 1)
    ]  # fmt: skip
    assert drawn.paths[0].path == "M1 1h10v10h-10zM40 1h10v10h-10z"
    shapes = {
        charts.node_drawing(charts.WallNode("n", (state,))).paths[0].path
        for state in ("reserved", "held", "draining", "failed", "free")
    }
    assert len(shapes) == 5


def test_sixteen_cards_take_two_rows() -> None:
    drawn = charts.node_drawing(charts.WallNode("n1", ("free",) * 16))
    assert (drawn.width, drawn.height) == (103, 25)


def test_steps_are_as_wide_as_they_lasted_and_never_invisible() -> None:
    begun = NOW - timedelta(seconds=1000)
    steps = [
        charts.Step("a", begun, begun),
        charts.Step("b", begun, NOW - timedelta(seconds=500)),
        charts.Step("c", NOW - timedelta(seconds=500), None),
    ]
    bar = charts.step_bar(steps, NOW, width=1000)
    assert [one.width for one in bar.blocks] == ["14.78", "492.61", "492.61"]
    assert [one.x for one in bar.blocks] == ["0", "14.78", "507.39"]
    assert bar.blocks[2].lasted == timedelta(seconds=500)
