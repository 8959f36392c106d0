"""How the terms of a contract read, for both consoles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from billing import meters
from portal.console.wording import PRICE_MODELS, TERM_INTERVALS, TERM_KINDS, Text


class Term(Protocol):
    """What the pages need of a term; the portal does not know the model."""

    pk: UUID
    kind: str
    meter: str
    sku: str
    match: Mapping[str, str]
    discount_percent: Decimal | None
    model: str
    unit_price: Decimal | None
    unit_quantity: int | None
    tiers: Sequence[Mapping[str, object]]
    amount: Decimal | None
    interval: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class ShownTerm:
    """A term with words for its codes; ``subject`` is empty where it is for everything."""

    term: Term
    kind: Text
    subject: Text
    model: Text
    interval: Text


def shown_terms(terms: Iterable[Term]) -> list[ShownTerm]:
    """The terms in the order of their start."""
    return [
        ShownTerm(
            term=term,
            kind=TERM_KINDS.get(term.kind, term.kind),
            subject=term.sku or _meter(term.meter),
            model=PRICE_MODELS.get(term.model, term.model),
            interval=TERM_INTERVALS.get(term.interval, term.interval),
        )
        for term in sorted(terms, key=lambda term: (term.starts_at, term.kind, str(term.pk)))
    ]


def _meter(code: str) -> Text:
    known = meters.declared().get(code)
    return code if known is None else known.title
