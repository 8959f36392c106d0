"""The flat price model: every unit costs the same, however many there are."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True)
class Terms:
    """Units: ``unit_price`` buys ``unit_quantity`` base units of the meter."""

    unit_price: Decimal
    unit_quantity: int


def charge(quantity: int, terms: Terms) -> Fraction:
    """The exact net of a cumulative quantity."""
    return Fraction(terms.unit_price) * quantity / terms.unit_quantity
