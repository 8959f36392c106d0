"""What may be said of an event afterwards, and what it then comes to. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from billing.sources import is_reserved
from billing.usage import (
    LARGEST_QUANTITY,
    LONGEST_ID,
    LONGEST_SOURCE,
    EventStatus,
    is_text,
)

LONGEST_REASON = 500
CORRECT, VOID = "correct", "void"


@dataclass(frozen=True)
class Correction:
    """That an event (``ref_source``, ``ref_id``) was another quantity, or never was.

    Shape: ``(source, id)`` is the correction's own identity, as that of any event; ``kind`` is
    "correct" or "void". Units: ``quantity`` is what the event should have said, in base units of
    its meter; None for a void.
    """

    id: str
    source: str
    ref_source: str
    ref_id: str
    kind: str
    quantity: int | None
    reason: str


class Effect(StrEnum):
    """Where a correction's difference will be seen."""

    DRAFT_UPDATED = "draft_updated"
    NEXT_INVOICE_CORRECTION = "next_invoice_correction"


@dataclass(frozen=True)
class CorrectionResult:
    """``code`` says why a correction was not accepted; the rest is said of accepted ones only.

    Units: ``difference`` is what was booked, in base units of the meter.
    """

    id: str
    source: str
    status: EventStatus
    code: str = ""
    effect: Effect | None = None
    difference: int = 0


@dataclass(frozen=True)
class Corrected:
    """An event as its corrections left it: ``number`` of them, and the quantity after the last."""

    key: UUID
    series_id: int
    meter: str
    project_id: UUID | None
    quantity: int
    number: int = 0
    is_void: bool = False


def form_fault(said: Correction, *, may_touch_own: bool) -> str:
    """The code of what is wrong with a correction by itself, or nothing.

    ``may_touch_own`` is for the product's own people: its own measurements are not for others.
    """
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("bad_source", lambda: is_text(said.source, LONGEST_SOURCE)),
        ("bad_id", lambda: is_text(said.id, LONGEST_ID)),
        ("bad_kind", lambda: said.kind in {CORRECT, VOID}),
        ("bad_quantity", lambda: _is_quantity(said)),
        ("bad_reason", lambda: is_text(said.reason, LONGEST_REASON) and said.reason.strip() != ""),
        ("unknown_event", lambda: is_text(said.ref_source, LONGEST_SOURCE)),
        ("unknown_event", lambda: is_text(said.ref_id, LONGEST_ID)),
        (
            "reserved_source",
            lambda: may_touch_own or not (is_reserved(said.source) or is_reserved(said.ref_source)),
        ),
    )
    return next((code for code, holds in checks if not holds()), "")


def _is_quantity(said: Correction) -> bool:
    if said.kind == VOID:
        return said.quantity is None
    return type(said.quantity) is int and 0 <= said.quantity <= LARGEST_QUANTITY


MEMBERS = frozenset({"id", "source", "event", "kind", "quantity", "reason"})


@dataclass(frozen=True)
class ReadCorrections:
    """A batch made out: one correction per item, in order, and the code of each that is none."""

    corrections: tuple[Correction, ...]
    unreadable: Mapping[int, str]


def read_corrections(items: Sequence[object]) -> ReadCorrections:
    """Make out every item of a program's batch; what is wrong within bounds is told later."""
    unreadable = {index: code for index, item in enumerate(items) if (code := _unreadable(item))}
    return ReadCorrections(tuple(_correction(item) for item in items), unreadable)


def _unreadable(item: object) -> str:
    if not isinstance(item, dict):
        return "not_a_correction"
    event = item.get("event")
    if item.keys() - MEMBERS or (isinstance(event, dict) and event.keys() - {"source", "id"}):
        return "unknown_field"
    return ""


def _correction(item: object) -> Correction:
    said: Mapping[str, object] = item if isinstance(item, dict) else {}
    event = said.get("event")
    about: Mapping[str, object] = event if isinstance(event, dict) else {}
    quantity = said.get("quantity")
    return Correction(
        id=_text(said.get("id"), LONGEST_ID),
        source=_text(said.get("source"), LONGEST_SOURCE),
        ref_source=_text(about.get("source"), LONGEST_SOURCE),
        ref_id=_text(about.get("id"), LONGEST_ID),
        kind=_text(said.get("kind"), 20),
        quantity=quantity if type(quantity) is int or quantity is None else -1,
        reason=_text(said.get("reason"), LONGEST_REASON),
    )


def _text(value: object, longest: int) -> str:
    """A string as it is, cut one past what is too long anyway; nothing for anything else."""
    return value[: longest + 1] if isinstance(value, str) else ""
