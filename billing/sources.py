"""Who may name an event: sources of the product's own measurements are closed to programs.

A program that could send an event under the engine's source and id before the engine does would
make the engine's own measurement a conflict, and its use would never be billed.
"""

# What operators say of events; a correction has an identity as any event has.
OPERATORS = "operators"

_reserved: set[str] = {OPERATORS}


def reserve(*sources: str) -> None:
    """Keep these sources for the product; called where a measuring app declares its meters."""
    _reserved.update(sources)


def is_reserved(source: object) -> bool:
    """Whether only the product itself reports under this source."""
    return isinstance(source, str) and source.strip().casefold() in _reserved
