"""One request before it is sent, and the shapes of answers that are not a single object."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

from portal_client.errors import UnexpectedAnswer

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked for.

    Shape: ``query`` and ``body`` hold typed values; None in the query and UNSET in the body are
    not sent. ``lines`` makes the body one JSON object a line. ``key`` is the Idempotency-Key: the
    same in every try, so that a repetition has one effect; empty where there is none.
    """

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    body: object = None
    has_body: bool = False
    lines: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """A document to keep, with the name the portal gives it."""

    name: str
    media_type: str
    content: bytes

    def save(self, folder: Path) -> Path:
        """Write it under its own name; gives where it lies."""
        place = folder / self.name
        place.write_bytes(self.content)
        return place


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows of a list; ``next`` says where to go on and is None on the last page."""

    items: tuple[Item, ...]
    next: str | None


class Pages(Generic[Item]):
    """A list of any length: iterate it to have every row; pages are fetched as they are needed."""

    def __init__(self, fetch: Callable[[str | None], Page[Item]], cursor: str | None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.items

    def first(self) -> Page[Item]:
        """One page and no more."""
        return self._fetch(self._cursor)

    def pages(self) -> Iterator[Page[Item]]:
        """Page by page to the end. Raises: UnexpectedAnswer where a list runs in a circle."""
        cursor = self._cursor
        while True:
            page = self._fetch(cursor)
            yield page
            if page.next is None:
                return
            if page.next == cursor:
                raise UnexpectedAnswer("The portal's list does not end.")
            cursor = page.next


def path(*steps: object) -> str:
    """An address below the API's own, each step quoted so that no id can leave its place."""
    return "/".join(quote(str(step), safe="") for step in steps)


def key_for(given: str | None) -> str:
    """The caller's Idempotency-Key, or a fresh one."""
    return given or str(uuid4())


def body_of(members: Mapping[str, object], optional: Mapping[str, object]) -> dict[str, object]:
    """A body's members; of the optional ones those that were given."""
    given = {name: value for name, value in optional.items() if value is not None}
    return {**members, **given}
