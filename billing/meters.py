"""What is counted. A measuring app declares its meters in its own ``meters.py``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError


class Aggregation(StrEnum):
    """What the events of one series come to; none of these depends on the order they came in.

    ``sum`` adds quantities and ``count`` events. Of each clock hour ``max`` takes the largest
    quantity and ``latest`` the last one by time, then key; hours add up. ``unique`` counts the
    distinct values of one dimension in a calendar month, each in the hour it was first seen in.
    ``time_weighted`` is level times seconds: a sample holds until the next one of its subject.
    """

    SUM = "sum"
    COUNT = "count"
    MAX = "max"
    LATEST = "latest"
    UNIQUE = "unique"
    TIME_WEIGHTED = "time_weighted"

    @property
    def is_additive(self) -> bool:
        """Whether an event changes its own bucket only, and by itself."""
        return self in {Aggregation.SUM, Aggregation.COUNT}


LONGEST_HOLD = timedelta(days=7)
LATEST_ACCEPTED = timedelta(days=35)


@dataclass(frozen=True)
class Meter:
    """One kind of usage: its code, its whole-number base unit and what tells one use from another.

    Shape: ``dimensions`` are required of each event, all of them and no others;
    ``line_dimensions`` are those an invoice line shows (all, where None). An amount is shown as
    the quantity divided by ``display_divisor``, in ``display_unit``. ``unique_by`` names the one
    further dimension whose values a ``unique`` meter counts; ``holds_for`` is how long a sample of
    a ``time_weighted`` meter stands at most. Events older than ``latest_accepted`` are refused.
    """

    code: str
    base_unit: str
    title: str | Promise
    dimensions: tuple[str, ...]
    display_unit: str | Promise
    display_divisor: int
    line_dimensions: tuple[str, ...] | None = None
    aggregation: Aggregation = Aggregation.SUM
    unique_by: str = ""
    holds_for: timedelta = timedelta()
    latest_accepted: timedelta = LATEST_ACCEPTED

    def __post_init__(self) -> None:
        if (self.aggregation is Aggregation.UNIQUE) != bool(self.unique_by):
            raise ValueError(f"{self.code}: unique meters, and no others, say unique by what.")
        is_held = timedelta() < self.holds_for <= LONGEST_HOLD
        if (self.aggregation is Aggregation.TIME_WEIGHTED) != is_held:
            raise ValueError(f"{self.code}: time-weighted meters, and no others, hold for a while.")

    @property
    def shown_dimensions(self) -> tuple[str, ...]:
        return self.dimensions if self.line_dimensions is None else self.line_dimensions

    @property
    def event_dimensions(self) -> frozenset[str]:
        """What an event must say: the dimensions, and what a unique meter counts."""
        return frozenset((*self.dimensions, *([self.unique_by] if self.unique_by else [])))


class UnknownMeter(DomainError):
    """No app has declared this meter."""

    code = "unknown_meter"
    status = 422
    message = _("There is no meter %(meter)s.")


SIX_PLACES = Decimal("0.000001")
_declared: dict[str, Meter] = {}


def register(meter: Meter) -> Meter:
    """Declare a meter; declaring the same one twice is harmless, two under one code is not."""
    known = _declared.setdefault(meter.code, meter)
    if known != meter:
        raise ValueError(f"Two meters are declared as {meter.code}.")
    return known


def declared() -> Mapping[str, Meter]:
    """Every meter by its code."""
    return MappingProxyType(_declared)


def get(code: str) -> Meter:
    """Raises: UnknownMeter."""
    try:
        return _declared[code]
    except KeyError:
        raise UnknownMeter(meter=code) from None


def shown(code: str, dimensions: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The dimensions an invoice line shows, in the meter's order; all of an undeclared meter's."""
    meter = _declared.get(code)
    names = tuple(dimensions) if meter is None else meter.shown_dimensions
    return tuple((name, dimensions[name]) for name in names if name in dimensions)


def in_display_unit(amount: Decimal, divisor: int) -> Decimal:
    """A quantity in the unit people read, without zeros that say nothing."""
    if divisor == 1:
        return amount
    shown = (amount / divisor).quantize(SIX_PLACES)
    return shown.quantize(Decimal(1)) if shown == shown.to_integral_value() else shown.normalize()
