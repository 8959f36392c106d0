"""Keyset pages: a list is read onwards from a row, so a deep page costs what the first does."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from common.errors import FieldError, InvalidInput

M = TypeVar("M", bound=Model)
T = TypeVar("T")

PAGE_LIMIT = 100


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows, newest first, and where the following ones begin (None at the end)."""

    items: tuple[T, ...]
    next_cursor: str | None


def newest_first(rows: QuerySet[M], *, cursor: str | None = None, limit: int = 50) -> Page[M]:
    """The rows after ``cursor``, newest first.

    Shape: primary keys grow with time (version-7 UUIDs or sequences), so the key alone is the
    order and the index ``(tenant_id, id)`` of every tenant-owned table serves it.
    Raises: InvalidInput for a cursor nobody gave out and for a limit outside 1 to 100.
    """
    check_limit(limit)
    if cursor:
        rows = rows.filter(pk__lt=_opened(rows.model, cursor))
    return cut(list(rows.order_by("-pk")[: limit + 1]), limit, _key)


def in_order(
    rows: Sequence[T], order: Callable[[T], str], *, cursor: str | None = None, limit: int = 50
) -> Page[T]:
    """A short list, already sorted by ``order``, from after ``cursor`` on.

    Raises: InvalidInput for a cursor nobody gave out and for a limit outside 1 to 100.
    """
    check_limit(limit)
    after = opened(cursor) if cursor else None
    return cut([row for row in rows if after is None or order(row) > after], limit, order)


def cut(rows: Sequence[T], limit: int, place: Callable[[T], str]) -> Page[T]:
    """The first ``limit`` of rows that were read further; the last one's place leads on."""
    more = len(rows) > limit
    return Page(tuple(rows[:limit]), sealed(place(rows[limit - 1])) if more else None)


def check_limit(limit: int) -> None:
    """Raises: InvalidInput outside 1 to 100."""
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidInput(errors=[FieldError("/limit", "out_of_range", str(limit))])


def sealed(place: str) -> str:
    """A place in a list as an opaque cursor."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def opened(cursor: str) -> str:
    """The place a cursor stands for. Raises: InvalidInput for one nobody gave out."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise bad_cursor(cursor) from error


def bad_cursor(cursor: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError("/cursor", "invalid", cursor[:40])])


def _key(row: Model) -> str:
    return str(row.pk)


def _opened(model: type[Model], cursor: str) -> object:
    try:
        return model._meta.pk.to_python(opened(cursor))
    except (ValueError, ValidationError) as error:
        raise bad_cursor(cursor) from error
