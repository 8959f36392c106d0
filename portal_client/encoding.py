"""JSON to typed values and back: money stays decimal, times keep their offset, and nothing guesses.

Members that this client does not know are passed over, because a newer portal may say more; a
missing member or one of another type is refused by its name.
"""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

from portal_client.errors import UnexpectedAnswer

Value = TypeVar("Value")
# JSON as the standard library reads it; its shape is found out here, member by member.
Read = Callable[[Any], Any]


class Unset:
    """Says that a member is not sent at all, where sending nothing and sending null differ."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


class _Mismatch(Exception):
    """A value is not of its type; says where, from the inside out."""

    def __init__(self, wanted: str, path: str = "") -> None:
        self.wanted, self.path = wanted, path
        super().__init__(wanted)


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of an object: its JSON name, its Python name, and how it is read."""

    written: str
    name: str
    read: Read
    is_required: bool


def decode(shape: type[Value], said: object) -> Value:
    """A value of ``shape`` from JSON. Raises: UnexpectedAnswer."""
    # A type is a key like any other, which mypy does not say of types of anything.
    kind: Any = shape
    try:
        found: Value = _reader(kind)(said)
    except _Mismatch as mismatch:
        place = mismatch.path or "/"
        raise UnexpectedAnswer(
            f"The portal's answer is not what this client knows: {place} is not {mismatch.wanted}."
        ) from None
    return found


def encode(value: object) -> object:
    """What JSON has for a value; members that are unset, or not given at all, are left out."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return _written_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): encode(inner) for name, inner in value.items() if not _is_unset(inner)}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            _written_name(one.name): encode(getattr(value, one.name))
            for one in fields(value)
            if not _is_left_out(one, getattr(value, one.name))
        }
    if isinstance(value, Sequence):
        return [encode(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} has no place in JSON; money is a Decimal.")


def encode_query(value: object) -> str:
    """A value as an address carries it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(encode(value))


def _is_unset(value: object) -> bool:
    return isinstance(value, Unset)


# A dataclass' field is generic over a type that only its annotation knows.
def _is_left_out(one: Field[Any], value: object) -> bool:
    return _is_unset(value) or (value is None and one.default is None)


def _written_name(name: str) -> str:
    """Python keeps some words for itself: ``from_`` is written ``from``."""
    return name.rstrip("_")


def _written_instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("A time without its offset means nothing to others; give it a tzinfo.")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@cache
def _reader(shape: Any) -> Read:
    """How values of a type are read; made once for each type."""
    simple = _SIMPLE.get(shape)
    if simple is not None:
        return simple
    if is_dataclass(shape):
        return _object_reader(shape)
    origin, inner = typing.get_origin(shape), typing.get_args(shape)
    if origin is types.UnionType or origin is typing.Union:
        (one,) = (part for part in inner if part is not types.NoneType)
        return _optional_reader(_reader(one))
    if origin is tuple:
        return _sequence_reader(_reader(inner[0]))
    if origin is Mapping:
        return _mapping_reader(_reader(inner[1]))
    raise TypeError(f"No answer of the portal has the type {shape}.")


def _object_reader(shape: Any) -> Read:
    hints = typing.get_type_hints(shape)
    members = [
        _Member(
            _written_name(one.name),
            one.name,
            _reader(hints[one.name]),
            one.default is MISSING,
        )
        for one in fields(shape)
    ]

    def read(said: Any) -> Any:
        if not isinstance(said, dict):
            raise _Mismatch("an object")
        found = {}
        for member in members:
            if member.written in said:
                found[member.name] = _within(f"/{member.written}", member.read, said)
            elif member.is_required:
                raise _Mismatch("there", f"/{member.written}")
        return shape(**found)

    def _within(path: str, inner: Read, said: dict[str, Any]) -> Any:
        try:
            return inner(said[path[1:]])
        except _Mismatch as mismatch:
            raise _Mismatch(mismatch.wanted, path + mismatch.path) from None

    return read


def _optional_reader(inner: Read) -> Read:
    return lambda said: None if said is None else inner(said)


def _sequence_reader(inner: Read) -> Read:
    def read(said: Any) -> Any:
        if not isinstance(said, list):
            raise _Mismatch("a list")
        found = []
        for position, one in enumerate(said):
            try:
                found.append(inner(one))
            except _Mismatch as mismatch:
                raise _Mismatch(mismatch.wanted, f"/{position}{mismatch.path}") from None
        return tuple(found)

    return read


def _mapping_reader(inner: Read) -> Read:
    def read(said: Any) -> Any:
        if not isinstance(said, dict):
            raise _Mismatch("an object")
        return {str(name): inner(value) for name, value in said.items()}

    return read


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise _Mismatch("a string")
    return said


def _whole(said: Any) -> int:
    if type(said) is not int:
        raise _Mismatch("a whole number")
    return said


def _truth(said: Any) -> bool:
    if not isinstance(said, bool):
        raise _Mismatch("true or false")
    return said


def _decimal(said: Any) -> Decimal:
    try:
        return Decimal(_text(said))
    except (InvalidOperation, _Mismatch):
        raise _Mismatch("a decimal number in a string") from None


def _instant(said: Any) -> datetime:
    try:
        found = datetime.fromisoformat(_text(said))
    except ValueError:
        raise _Mismatch("a time") from None
    if found.tzinfo is None:
        raise _Mismatch("a time with its offset")
    return found


def _day(said: Any) -> date:
    try:
        return date.fromisoformat(_text(said))
    except ValueError:
        raise _Mismatch("a date") from None


def _identifier(said: Any) -> UUID:
    try:
        return UUID(_text(said))
    except ValueError:
        raise _Mismatch("a UUID") from None


def _anything(said: Any) -> object:
    return said


_SIMPLE: Mapping[Any, Read] = {
    str: _text,
    int: _whole,
    bool: _truth,
    Decimal: _decimal,
    datetime: _instant,
    date: _day,
    UUID: _identifier,
    object: _anything,
}
