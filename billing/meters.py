"""What is counted. A measuring app declares its meters in its own ``meters.py``."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError


@dataclass(frozen=True)
class Meter:
    """One kind of usage: its code, its whole-number base unit and what tells one use from another.

    Shape: ``dimensions`` are required of each event, all of them and no others;
    ``line_dimensions`` are those an invoice line shows (all, where None). An amount is shown as
    the quantity divided by ``display_divisor``, in ``display_unit``.
    """

    code: str
    base_unit: str
    title: str | Promise
    dimensions: tuple[str, ...]
    display_unit: str | Promise
    display_divisor: int
    line_dimensions: tuple[str, ...] | None = None

    @property
    def shown_dimensions(self) -> tuple[str, ...]:
        return self.dimensions if self.line_dimensions is None else self.line_dimensions


class UnknownMeter(DomainError):
    """No app has declared this meter."""

    code = "unknown_meter"
    status = 422
    message = _("There is no meter %(meter)s.")


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
