"""A body of lines, read one by one and taken in chunk by chunk, whatever its length."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from common.errors import DomainError
from portal.api.parsing import whole

NDJSON = "application/x-ndjson"
LINES_AT_ONCE = 1_000
LONGEST_LINE = 64 * 1024
MOST_BYTES = 64 * 1024 * 1024
MOST_SECONDS = 120.0


class StreamTooLarge(DomainError):
    """More bytes than one stream may carry, by its own account."""

    code = "body_too_large"
    status = 413
    message = _("Send at most %(most)s bytes in one stream.")


class Lines(Protocol):
    """What gives a body line by line, as Django's request does."""

    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Chunk:
    """Some lines made out: the number of each in the body, what it said, or why it says nothing."""

    numbers: Sequence[int]
    items: Sequence[object]
    broken: dict[int, str]


@dataclass
class Stopped:
    """Why reading ended before the body did; empty where it did not."""

    code: str = ""


def check_stream(request: Request) -> None:
    """Refuse what is no stream of lines, or says that it is too long, before reading any of it.

    Raises: UnsupportedMediaType, StreamTooLarge.
    """
    media_type = (request.content_type or "").partition(";")[0].strip().lower()
    if media_type != NDJSON:
        raise UnsupportedMediaType(media_type)
    said = request.META.get("CONTENT_LENGTH") or "0"
    if said.isascii() and said.isdigit() and int(said) > MOST_BYTES:
        raise StreamTooLarge(most=MOST_BYTES)


def chunks(
    body: Lines, stopped: Stopped, clock: Callable[[], float] = time.monotonic
) -> Iterator[Chunk]:
    """Read a body to its end or its limits; a line that is broken or overlong is one of the chunk.

    What was read before a limit is given all the same, and ``stopped`` says why it ended.
    """
    read = number = 0
    deadline = clock() + MOST_SECONDS
    numbers: list[int] = []
    items: list[object] = []
    broken: dict[int, str] = {}
    while not stopped.code:
        line = body.readline(LONGEST_LINE + 1)
        if not line:
            break
        number += 1
        read += len(line)
        item, fault = _made_out(line)
        if len(line) > LONGEST_LINE:
            read += _skip(body, line, MOST_BYTES - read)
        if fault:
            broken[len(items)] = fault
        if fault or item is not None:
            numbers.append(number)
            items.append(item)
        if read > MOST_BYTES:
            stopped.code = "body_too_large"
        elif clock() > deadline:
            stopped.code = "time_limit"
        if len(items) == LINES_AT_ONCE:
            yield Chunk(numbers, items, broken)
            numbers, items, broken = [], [], {}
    if items:
        yield Chunk(numbers, items, broken)


def _made_out(line: bytes) -> tuple[object, str]:
    """What one line says, or the code of why it says nothing; neither for an empty one."""
    if len(line) > LONGEST_LINE:
        return None, "line_too_long"
    if not line.strip():
        return None, ""
    try:
        found: object = json.loads(line, parse_constant=str, parse_int=whole)
    except (ValueError, RecursionError):
        return None, "not_json"
    # Null is a line that says something, though no event.
    return ([] if found is None else found), ""


def _skip(body: Lines, line: bytes, most: int) -> int:
    """Pass over the rest of an overlong line without keeping it; how many bytes that were."""
    skipped = 0
    while line and not line.endswith(b"\n") and skipped <= most:
        line = body.readline(LONGEST_LINE)
        skipped += len(line)
    return skipped
