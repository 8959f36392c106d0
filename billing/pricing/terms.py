"""What every price model works on: the terms of a price and the portions of a quantity."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True)
class Tier:
    """A stretch of the month's running total, from the tier before up to and with ``up_to``.

    Units: ``up_to`` in base units of the meter, None for no end; ``unit_price`` per the terms'
    ``unit_quantity``; ``fee`` is due once when the tier is entered.
    """

    up_to: int | None
    unit_price: Decimal
    fee: Decimal = Decimal(0)


@dataclass(frozen=True)
class Terms:
    """Units: ``unit_price`` buys ``unit_quantity`` base units of the meter."""

    unit_price: Decimal
    unit_quantity: int
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True)
class Portion:
    """Part of a running total that costs one unit price.

    Units: ``quantity`` is what was metered (0 for a fee), ``priced_quantity`` what is paid for;
    the exact net is ``unit_price * priced_quantity / unit_quantity``.
    """

    key: str
    quantity: int
    priced_quantity: int
    unit_price: Decimal
    unit_quantity: int

    @property
    def net(self) -> Fraction:
        """The exact net amount, before any rounding."""
        return Fraction(self.unit_price) * self.priced_quantity / self.unit_quantity


def fee_portion(number: int, tier: Tier) -> tuple[Portion, ...]:
    """The fee of a tier that was entered; nothing where it has none."""
    if not tier.fee:
        return ()
    return (Portion(f"fee:{number}", 0, 1, tier.fee, 1),)
