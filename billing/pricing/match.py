"""Which price applies: the most specific one whose match is part of the dimensions."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Matchable(Protocol):
    @property
    def meter(self) -> str: ...

    @property
    def match(self) -> Mapping[str, str]: ...

    @property
    def sku(self) -> str: ...


P = TypeVar("P", bound=Matchable)


def best_match(prices: Iterable[P], meter: str, dimensions: Mapping[str, str]) -> P | None:
    """The price with the most matching dimensions; of equals the first by SKU, so always one."""
    fitting = (
        price
        for price in prices
        if price.meter == meter and price.match.items() <= dimensions.items()
    )
    return min(fitting, key=lambda price: (-len(price.match), price.sku), default=None)
