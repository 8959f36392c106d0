"""Does a model fit on so many cards? Pure arithmetic; each number carries how it is known.

Source: docs/algorithms/fit.md, which works the same example by hand.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

GIB: Final = Decimal(2**30)
HUNDREDTH: Final = Decimal("0.01")
# The share of a card's memory the serving engine is told to take, and one point of doubt above.
MEMORY_SHARE: Final = Decimal("0.90")
GENEROUS_SHARE: Final = Decimal("0.95")
# What the engine and its libraries take of each card before the model: 2 GiB for language models.
RUNTIME_GIB: Final = Decimal(2)
CARD_COUNTS: Final = (1, 2, 4, 8, 16, 32, 64)
SESSION_TOKENS: Final = 4096


class Label(StrEnum):
    """How a number is known, from best to worst."""

    MEASURED = "measured"
    DOCUMENTED = "documented"
    ESTIMATED = "estimated"
    ASSUMED = "assumed"


class Answer(StrEnum):
    FITS = "fits"
    BORDERLINE = "borderline"
    DOES_NOT_FIT = "does_not_fit"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Figure:
    """A number, how it is known, and where it comes from."""

    value: Decimal
    label: Label
    source: str = ""


@dataclass(frozen=True)
class ModelShape:
    """What of a model takes memory.

    Shape: ``kv_bytes_per_token`` and ``kv_tokens`` are None where the geometry was not opened, and
    then the need is a lower bound; ``kv_heads`` is None where every card keeps the whole cache
    (latent attention). Units: GiB in all, ``extra`` in each card.
    """

    weights: Figure
    kv_bytes_per_token: int | None = None
    kv_tokens: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    extra: Figure = Figure(Decimal(0), Label.ESTIMATED)

    @property
    def kv_gib(self) -> Decimal:
        """The cache of all tokens live at once."""
        return GIB**-1 * (self.kv_bytes_per_token or 0) * (self.kv_tokens or 0)

    @property
    def is_lower_bound(self) -> bool:
        return self.kv_bytes_per_token is None

    def shards(self, cards: int) -> int:
        """Among how many cards the cache is divided; it cannot be cut finer than its heads."""
        return min(cards, self.kv_heads) if self.kv_heads else 1

    def need_gib(self, cards: int) -> Decimal:
        """Memory each of so many cards must have."""
        return self.weights.value / cards + self.kv_gib / self.shards(cards) + self.extra.value

    def can_be_split(self, cards: int) -> bool:
        """Engines cut attention by whole heads."""
        return not self.heads or self.heads % cards == 0


@dataclass(frozen=True)
class CardMemory:
    """What one card of a chip model offers. ``node_cards`` is how many share a machine."""

    usable: Figure
    node_cards: int = 8

    def budget_gib(self, share: Decimal = MEMORY_SHARE) -> Decimal:
        return self.usable.value * share - RUNTIME_GIB


@dataclass(frozen=True)
class Step:
    """One line of the arithmetic, ready to be printed."""

    title: str | Promise
    formula: str
    value: Decimal
    unit: str
    label: Label


@dataclass(frozen=True)
class Verdict:
    """Whether it fits, on how many cards, and every step that says so.

    Shape: ``cards`` and ``nodes`` are None where it does not fit; ``label`` is that of the weakest
    number used; ``generous_cards`` is what a slightly larger share of memory would allow, where
    that is another number: such a case is never placed without a trial start.
    """

    answer: Answer
    label: Label
    steps: tuple[Step, ...]
    cards: int | None = None
    nodes: int | None = None
    generous_cards: int | None = None
    is_lower_bound: bool = False


def least_cards(model: ModelShape, memory: CardMemory, share: Decimal = MEMORY_SHARE) -> int | None:
    """The smallest count of cards on which the need stays within the budget."""
    budget = memory.budget_gib(share)
    return next(
        (n for n in CARD_COUNTS if model.can_be_split(n) and model.need_gib(n) <= budget), None
    )


def judge(model: ModelShape, memory: CardMemory | None) -> Verdict:
    """The verdict for one chip model; unknown where nobody knows its memory."""
    if memory is None:
        return Verdict(Answer.UNKNOWN, Label.ASSUMED, ())
    cards = least_cards(model, memory)
    generous = least_cards(model, memory, GENEROUS_SHARE)
    borderline = cards is not None and generous != cards
    label = _weakest(model.weights.label, memory.usable.label, Label.ESTIMATED)
    if cards is None:
        answer = Answer.DOES_NOT_FIT
    else:
        answer = Answer.BORDERLINE if borderline else Answer.FITS
    return Verdict(
        answer=answer,
        label=label,
        steps=_steps(model, memory, cards or CARD_COUNTS[-1]),
        cards=cards,
        nodes=math.ceil(cards / memory.node_cards) if cards else None,
        generous_cards=generous if borderline else None,
        is_lower_bound=model.is_lower_bound,
    )


def sessions(
    model: ModelShape, memory: CardMemory, cards: int, tokens: int = SESSION_TOKENS
) -> int | None:
    """How many sessions of so many tokens the memory beside the weights holds; None if unknown."""
    if not model.kv_bytes_per_token:
        return None
    left = memory.budget_gib() - model.weights.value / cards - model.extra.value
    each = Decimal(model.kv_bytes_per_token) * tokens / GIB / model.shards(cards)
    return max(0, int(left / each))


def _weakest(*labels: Label) -> Label:
    order = list(Label)
    return max(labels, key=order.index)


def _steps(model: ModelShape, memory: CardMemory, cards: int) -> tuple[Step, ...]:
    weights, usable = model.weights, memory.usable
    shards = model.shards(cards)
    rows = [
        Step(
            _("Weights on each card"),
            f"{_two(weights.value)} / {cards}",
            _two(weights.value / cards),
            "GiB",
            weights.label,
        )
    ]
    if not model.is_lower_bound:
        cache = f"{model.kv_bytes_per_token} B x {model.kv_tokens} / 2^30 / {shards}"
        rows.append(
            Step(
                _("Cache of live tokens on each card"),
                cache,
                _two(model.kv_gib / shards),
                "GiB",
                Label.ESTIMATED,
            )
        )
    if model.extra.value:
        rows.append(
            Step(
                _("Other parts of the model"),
                str(model.extra.value),
                _two(model.extra.value),
                "GiB",
                model.extra.label,
            )
        )
    parts = " + ".join(str(row.value) for row in rows)
    label = _weakest(weights.label, Label.ESTIMATED)
    rows.append(Step(_("Need of each card"), parts, _two(model.need_gib(cards)), "GiB", label))
    rows.append(
        Step(
            _("Budget of each card"),
            f"{_two(usable.value)} x {MEMORY_SHARE} - {RUNTIME_GIB}",
            _two(memory.budget_gib()),
            "GiB",
            _weakest(usable.label, Label.ASSUMED),
        )
    )
    return tuple(rows)


def _two(value: Decimal) -> Decimal:
    return value.quantize(HUNDREDTH, rounding=ROUND_HALF_UP)
