"""Answers at a terminal: a table, a sheet of one thing, or JSON."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal

from portal_client.cli.problems import OK
from portal_client.cli.words import say, title
from portal_client.encoding import encode

GAP = "  "


@dataclass(frozen=True)
class Rows:
    """Many things of one kind."""

    items: Sequence[object]
    columns: Sequence[str]
    code: int = OK


@dataclass(frozen=True)
class Sheet:
    """One thing; ``rows`` are what it is made of."""

    item: object
    columns: Sequence[str]
    rows: Rows | None = None
    code: int = OK


@dataclass(frozen=True)
class Said:
    """A sentence; ``item`` is the same for a program."""

    sentence: str
    item: object


Shown = Rows | Sheet | Said


def as_json(shown: Shown) -> str:
    """The whole answer, with every member the portal gave."""
    value: object = shown.items if isinstance(shown, Rows) else shown.item
    return json.dumps(_plain(value), ensure_ascii=False, indent=2)


def as_text(shown: Shown) -> str:
    if isinstance(shown, Said):
        return shown.sentence
    if isinstance(shown, Rows):
        return _table(shown)
    pairs = [(title(name), _cell(shown.item, name)) for name in shown.columns]
    width = max((_width(label) for label, _text in pairs), default=0)
    lines = [_padded(label, width, right=False) + GAP + text for label, text in pairs]
    if shown.rows is not None:
        lines += ["", _table(shown.rows)]
    return "\n".join(lines)


def _plain(value: object) -> object:
    """JSON, with absent values said as null: a program asks for a member and finds it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name.rstrip("_"): _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return encode(value)


def _table(rows: Rows) -> str:
    if not rows.items:
        return say("Nothing to show.")
    heads = [title(name) for name in rows.columns]
    cells = [[_cell(item, name) for name in rows.columns] for item in rows.items]
    numeric = [all(_is_number(_value(item, name)) for item in rows.items) for name in rows.columns]
    widths = [max(_width(text) for text in column) for column in zip(heads, *cells, strict=True)]
    return "\n".join(_row(line, widths, numeric) for line in [heads, *cells])


def _row(cells: Iterable[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        _padded(text, width, right=is_right)
        for text, width, is_right in zip(cells, widths, right, strict=True)
    ]
    return GAP.join(padded).rstrip()


def _value(item: object, name: str) -> object:
    """A member, or a member of a member: ``chip.code``."""
    for step in name.split("."):
        item = getattr(item, step)
    return item


def _cell(item: object, name: str) -> str:
    value = _value(item, name)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, dict):
        return " ".join(f"{key}={inner}" for key, inner in value.items()) or "-"
    if isinstance(value, tuple):
        return ", ".join(str(inner) for inner in value) or "-"
    # A control character in a name must not move the terminal's cursor.
    return "".join(mark for mark in str(encode(value)) if mark.isprintable()) or "-"


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _width(text: str) -> int:
    """Columns at a terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text)


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
