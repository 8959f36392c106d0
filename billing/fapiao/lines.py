"""From amounts with tax to the lines of a fapiao."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.money import FEN, round_to_fen


@dataclass(frozen=True)
class Goods:
    """What a tax code is called on a fapiao: 19 digits and the name with its short form in stars.

    Shape: ``zero_rate`` is empty, "exempt", "non_taxable" or "zero".
    """

    code: str
    item: str
    unit: str
    zero_rate: str = ""


@dataclass(frozen=True)
class FapiaoLineFact:
    """One line; ``price`` is the net price of one unit. Red letters have negative figures."""

    goods: Goods
    quantity: Decimal
    price: Decimal
    net: Decimal
    tax_rate: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


def line_of(goods: Goods, tax_rate: Decimal, gross: Decimal) -> FapiaoLineFact:
    """One line over an amount with tax, which stays exact; tax is what the net leaves over."""
    net = round_to_fen(Fraction(gross) / (1 + Fraction(tax_rate)))
    quantity = Decimal(-1 if gross < 0 else 1)
    return FapiaoLineFact(goods, quantity, abs(net), net, tax_rate, gross - net)


def spread(amount: Decimal, over: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """An amount over parts in proportion to their size, to the fen, with nothing left over.

    The fen that rounding leaves go to the largest remainders, ties by key: the same every time.
    """
    total = sum(over.values(), Decimal(0))
    if not total:
        return {}
    fen = int(amount / FEN)
    exact = {key: Fraction(size) * fen / Fraction(total) for key, size in over.items()}
    shares = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(over, key=lambda key: (shares[key] - exact[key], key))
    for key in by_remainder[: fen - sum(shares.values())]:
        shares[key] += 1
    return {key: Decimal(share) * FEN for key, share in shares.items() if share}


def totals(lines: Sequence[FapiaoLineFact]) -> tuple[Decimal, Decimal, Decimal]:
    """Net, tax and gross."""
    net = sum((line.net for line in lines), Decimal(0))
    tax = sum((line.tax for line in lines), Decimal(0))
    return net, tax, net + tax
