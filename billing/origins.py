"""Where cards come from, as the city's schemes ask: told by the app that knows the cards.

Billing knows no chips. The measuring app declares which dimension names a card's model and how to
look up its origin; a line without that dimension, or with a model nobody knows, is "other", which
is never the larger share.
"""

from collections.abc import Callable, Collection, Mapping

DOMESTIC = "domestic"
OTHER = "other"

Lookup = Callable[[Collection[str]], Mapping[str, str]]

_lookups: dict[str, Lookup] = {}


def declare(dimension: str, lookup: Lookup) -> None:
    """Say who knows the origin behind a dimension; called where an app declares its meters."""
    _lookups[dimension] = lookup


def origins_of(lines: Collection[Mapping[str, str]]) -> tuple[str, ...]:
    """The origin behind each of these dimensions, in order; one look-up for each dimension."""
    found = {
        dimension: lookup({said[dimension] for said in lines if dimension in said})
        for dimension, lookup in _lookups.items()
        if any(dimension in said for said in lines)
    }
    return tuple(_origin(said, found) for said in lines)


def _origin(said: Mapping[str, str], found: Mapping[str, Mapping[str, str]]) -> str:
    for dimension, known in found.items():
        if said.get(dimension, "") in known:
            return known[said[dimension]]
    return OTHER
