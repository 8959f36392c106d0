"""Finding prices in a list of hundreds: by words of what a reader sees of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing.queries.desk import PriceFact
from portal.console.wording import SERVICE_CLASSES

SHOWN = 60
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class Sought:
    """The prices that have all the words, the first of them to be shown."""

    search: str
    rows: tuple[PriceFact, ...]
    found: int
    total: int

    @property
    def is_cut(self) -> bool:
        return self.found > len(self.rows)

    @property
    def is_long(self) -> bool:
        """Whether there is anything to search in."""
        return self.total > SHOWN


def sought(prices: Sequence[PriceFact], said: str) -> Sought:
    """Those whose title, SKU, meter or properties have each word of ``said``, in any case."""
    search = said.replace("\0", "").strip()[:LONGEST_SEARCH]
    words = search.casefold().split()
    found = [one for one in prices if _has(words, one)] if words else list(prices)
    return Sought(search, tuple(found[:SHOWN]), len(found), len(prices))


def _has(words: Iterable[str], price: PriceFact) -> bool:
    told = " ".join(
        (
            price.title_en,
            price.title_zh,
            price.sku,
            price.meter,
            *price.match.values(),
            *(str(SERVICE_CLASSES.get(value, "")) for value in price.match.values()),
        )
    ).casefold()
    return all(word in told for word in words)
