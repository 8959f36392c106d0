"""The invoice of a token trace, worked out without any of the product's code."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

FEN = Decimal("0.01")


def expected_money(
    requests: Iterable[tuple[int, int]], price_in: str, price_out: str
) -> tuple[Decimal, Decimal, Decimal]:
    """Net, tax and gross of (tokens in, tokens out) pairs; prices per million, 6 % tax."""
    pairs = list(requests)
    net = tax = Decimal(0)
    for column, price in ((0, price_in), (1, price_out)):
        total = sum(pair[column] for pair in pairs)
        line = (Decimal(price) * total / 1_000_000).quantize(FEN, ROUND_HALF_UP)
        net += line
        tax += (line * Decimal("0.06")).quantize(FEN, ROUND_HALF_UP)
    return net, tax, net + tax
