"""Geometry of the console's charts: numbers in, coordinates out; templates draw them as SVG.

Shape: coordinates are strings ready for an attribute, in a box whose size each result carries; the
template stretches the box, so nothing inside it is text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from django.utils.functional import Promise

Number: TypeAlias = int | float | Decimal
Text: TypeAlias = str | Promise

SERIES_COUNT = 6
HEAT_LEVELS = 4


@dataclass(frozen=True)
class Line:
    """A line from left to right and the area under it."""

    width: int
    height: int
    path: str
    area: str


@dataclass(frozen=True)
class Block:
    """One rectangle; ``series`` is its colour and pattern, from 1."""

    x: str
    y: str
    width: str
    height: str
    series: int
    title: str


@dataclass(frozen=True)
class Tick:
    """A horizontal line and the value it stands for."""

    y: str
    value: Number


@dataclass(frozen=True)
class Column:
    """One day of a stacked chart, bottom part first, by series name."""

    label: str
    parts: Mapping[str, Number]

    @property
    def total(self) -> Number:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Series:
    """A part that each column may have; ``key`` is its name in the parts."""

    key: str
    label: Text
    index: int


@dataclass(frozen=True)
class Bars:
    """Stacked columns with the marks of their axis, highest first."""

    width: int
    height: int
    blocks: tuple[Block, ...]
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    series: tuple[Series, ...]
    labels: tuple[str, ...]
    mark: Tick | None = None


@dataclass(frozen=True)
class HeatCell:
    """One cell: how many are free of how many, and where a click leads.

    ``level`` runs from 0, nothing free, to 4, all free; ``known`` is false where nobody could say.
    """

    free: int | None
    capacity: int
    href: str = ""

    @property
    def known(self) -> bool:
        return self.free is not None

    @property
    def level(self) -> int:
        if not self.free or self.capacity <= 0:
            return 0
        return min(HEAT_LEVELS, 1 + (self.free * HEAT_LEVELS - 1) // self.capacity)


@dataclass(frozen=True)
class HeatRow:
    """One pool's cells, in the order of the columns."""

    label: Text
    cells: tuple[HeatCell, ...]
    note: Text = ""


@dataclass(frozen=True)
class WallNode:
    """A node and the state of each of its cards, in their order in the machine.

    States: free, held, reserved, running, draining, failed, unknown.
    """

    name: str
    cards: tuple[str, ...]
    href: str = ""


@dataclass(frozen=True)
class WallRack:
    name: str
    nodes: tuple[WallNode, ...]


@dataclass(frozen=True)
class WallSite:
    name: str
    racks: tuple[WallRack, ...]


@dataclass(frozen=True)
class WallPath:
    """All of a node's cards of one state, drawn as one path."""

    state: str
    count: int
    path: str


@dataclass(frozen=True)
class WallDrawing:
    width: int
    height: int
    paths: tuple[WallPath, ...]


@dataclass(frozen=True)
class Step:
    """A state something was in; the last one may still run."""

    label: Text
    started_at: datetime
    ended_at: datetime | None
    tone: str = "info"
    note: Text = ""

    def lasted(self, now: datetime) -> timedelta:
        return max(timedelta(0), (self.ended_at or now) - self.started_at)


@dataclass(frozen=True)
class StepBlock:
    step: Step
    x: str
    width: str
    lasted: timedelta


@dataclass(frozen=True)
class StepBar:
    width: int
    blocks: tuple[StepBlock, ...]


def line(values: Sequence[Number], *, width: int = 120, height: int = 32) -> Line:
    """A sparkline from zero, so that a small change never looks like a large one."""
    points = [float(value) for value in values] or [0.0]
    if len(points) == 1:
        points *= 2
    top = max(*points, 0.0) or 1.0
    step = width / (len(points) - 1)
    # One unit above and below keeps the stroke inside the box.
    coordinates = [
        (index * step, height - 1 - (height - 2) * max(value, 0.0) / top)
        for index, value in enumerate(points)
    ]
    path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in coordinates)
    return Line(width, height, path, f"{path}L{width} {height}L0 {height}Z")


def stacked(
    columns: Sequence[Column],
    series: Sequence[tuple[str, Text]],
    *,
    width: int = 720,
    height: int = 200,
    mark: Number | None = None,
) -> Bars:
    """Columns stacked from the bottom in the order of the series, on a round axis from zero.

    ``mark`` is a value drawn across all of them, which the axis reaches.
    """
    named = tuple(
        Series(key, label, 1 + index % SERIES_COUNT) for index, (key, label) in enumerate(series)
    )
    top = axis_top(max([column.total for column in columns] + [mark or 0]))
    pitch = width / max(len(columns), 1)
    gap = min(pitch * 0.28, 12.0)
    blocks: list[Block] = []
    for index, column in enumerate(columns):
        base = float(height)
        for one in named:
            value = float(column.parts.get(one.key, 0))
            if value <= 0:
                continue
            tall = height * value / float(top)
            base -= tall
            blocks.append(
                Block(
                    x=_n(index * pitch + gap / 2),
                    y=_n(base),
                    width=_n(pitch - gap),
                    height=_n(tall),
                    series=one.index,
                    title=f"{column.label} · {one.label}: {column.parts[one.key]:,}",
                )
            )
    ticks = tuple(
        Tick(_n(height * (4 - quarter) / 4), top * quarter / 4) for quarter in (4, 3, 2, 1, 0)
    )
    return Bars(
        width,
        height,
        tuple(blocks),
        ticks,
        tuple(columns),
        named,
        _sparse_labels(columns),
        mark=None if mark is None else Tick(_n(height - height * float(mark) / float(top)), mark),
    )


def axis_top(highest: Number) -> Decimal:
    """The first of 1, 2, 4, 6, 8 or 10 times a power of ten that is not below the highest value;
    each divides into four marks that a reader can say.
    """
    value = Decimal(str(highest))
    if value <= 0:
        return Decimal(4)
    power = Decimal(10) ** value.adjusted()
    return next(power * factor for factor in (1, 2, 4, 6, 8, 10) if power * factor >= value)


def node_drawing(node: WallNode, *, columns: int = 8) -> WallDrawing:
    """A node's cards as a row of small shapes, one shape per state so that colour is not needed."""
    size, pitch = 10, 13
    by_state: dict[str, list[str]] = {}
    for index, state in enumerate(node.cards):
        x, y = 1 + index % columns * pitch, 1 + index // columns * pitch
        by_state.setdefault(state, []).append(_card_path(state, x, y, size))
    rows = max(1, -(-len(node.cards) // columns))
    across = max(1, min(columns, len(node.cards)))
    return WallDrawing(
        width=across * pitch - 1,
        height=rows * pitch - 1,
        paths=tuple(
            WallPath(state, len(paths), "".join(paths)) for state, paths in by_state.items()
        ),
    )


def _card_path(state: str, x: int, y: int, size: int) -> str:
    box = f"M{x} {y}h{size}v{size}h-{size}z"
    half = size // 2
    match state:
        case "running":
            return box
        case "reserved":
            return f"{box}M{x} {y + half}h{size}v{half}h-{size}z"
        case "held":
            return f"{box}M{x + 3} {y + 3}h{size - 6}v{size - 6}h-{size - 6}z"
        case "draining":
            return f"{box}M{x} {y + size}L{x + size} {y}"
        case "unknown":
            return f"M{x + 3} {y + half}h{size - 6}"
        case "failed":
            long = size - 4
            cross = f"M{x + 2} {y + 2}l{long} {long}M{x + size - 2} {y + 2}l-{long} {long}"
            return box + cross
        case _:
            return box


def step_bar(steps: Sequence[Step], now: datetime, *, width: int = 720) -> StepBar:
    """Steps side by side, as wide as they lasted; a very short one stays wide enough to see."""
    lengths = [step.lasted(now).total_seconds() for step in steps]
    least = width * 0.015
    total = sum(lengths) or 1.0
    raw = [max(least, width * length / total) for length in lengths]
    shrink = width / (sum(raw) or 1.0)
    blocks, x = [], 0.0
    for step, wide in zip(steps, raw, strict=True):
        blocks.append(StepBlock(step, _n(x), _n(wide * shrink), step.lasted(now)))
        x += wide * shrink
    return StepBar(width, tuple(blocks))


def _sparse_labels(columns: Sequence[Column]) -> tuple[str, ...]:
    """First, middle and last: what fits under the chart on a telephone."""
    if len(columns) <= 3:
        return tuple(column.label for column in columns)
    return (columns[0].label, columns[len(columns) // 2].label, columns[-1].label)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
