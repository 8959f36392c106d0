"""CloudEvents 1.0 as usage events: what a program's JSON says, made out one event at a time.

Pure: neither the database nor the clock. Whatever can be checked against what is declared is left
to ``billing.usage``; here only what is no usage event at all gets its code.
Source: CloudEvents 1.0.2 "Context Attributes" and JSON event format.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.meters import declared
from billing.sources import is_reserved
from billing.usage import LONGEST_ID, LONGEST_SOURCE, UsageEvent

ATTRIBUTES = frozenset(
    {
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "data",
        "datacontenttype",
        "dataschema",
    }
)
MEMBERS = frozenset({"quantity", "unit", "project", "dimensions"})
# What CloudEvents allows an extension attribute to be called.
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
# Nanoseconds, as some languages write them, are read down to microseconds.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8"})


@dataclass(frozen=True)
class ReadEvents:
    """A batch made out: one event per item, in order, and the code of each that is none."""

    events: tuple[UsageEvent, ...]
    unreadable: Mapping[int, str]


def named_projects(items: Sequence[object]) -> frozenset[str]:
    """The codes of all projects a batch names."""
    return frozenset(
        project for item in items if isinstance(project := _member(item, "project"), str)
    )


def read_events(items: Sequence[object], projects: Mapping[str, UUID]) -> ReadEvents:
    """Make out every item of a batch; ``projects`` holds the known ones by code."""
    events = tuple(_event(item, projects) for item in items)
    faults = {
        index: code
        for index, item in enumerate(items)
        if (code := next(_faults(item, projects), ""))
    }
    return ReadEvents(events, faults)


def _member(item: object, name: str) -> object:
    data = item.get("data") if isinstance(item, dict) else None
    return data.get(name) if isinstance(data, dict) else None


def _faults(item: object, projects: Mapping[str, UUID]) -> Iterator[str]:
    """Codes of what is wrong with an item's form, the first of which is told."""
    if not isinstance(item, dict):
        yield "not_an_event"
        return
    if item.get("specversion") != "1.0":
        yield "bad_specversion"
    if item.keys() - ATTRIBUTES and not all(
        name in ATTRIBUTES or (_EXTENSION.fullmatch(name) and name != "data_base64")
        for name in item
    ):
        yield "unknown_field"
    content = item.get("datacontenttype", "application/json")
    if not isinstance(content, str) or content.lower() not in _JSON_TYPES:
        yield "bad_data"
    if not isinstance(item.get("type"), str):
        yield "unknown_meter"
    if is_reserved(item.get("source")):
        yield "reserved_source"
    if not isinstance(item.get("subject", ""), str):
        yield "bad_subject"
    yield from _data_faults(item.get("data"), projects)
    unit, meter = _member(item, "unit"), declared().get(str(item.get("type")))
    if unit is not None and meter is not None and unit != meter.base_unit:
        yield "wrong_unit"


def _data_faults(data: object, projects: Mapping[str, UUID]) -> Iterator[str]:
    if not isinstance(data, dict):
        yield "bad_data"
        return
    if data.keys() - MEMBERS:
        yield "unknown_field"
    project = data.get("project")
    if project is not None and (not isinstance(project, str) or project not in projects):
        yield "unknown_project"
    dimensions = data.get("dimensions", {})
    if not isinstance(dimensions, dict) or not all(map(_is_string, dimensions.values())):
        yield "bad_dimensions"


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def _event(item: object, projects: Mapping[str, UUID]) -> UsageEvent:
    """The event, with nothing in the place of what could not be made out."""
    found: Mapping[str, Any] = item if isinstance(item, dict) else {}
    data = found.get("data")
    said: Mapping[str, Any] = data if isinstance(data, dict) else {}
    dimensions = said.get("dimensions")
    project = said.get("project")
    return UsageEvent(
        source=_text(found.get("source"), LONGEST_SOURCE + 1),
        id=_text(found.get("id"), LONGEST_ID + 1),
        meter=_text(found.get("type"), 200),
        subject=_text(found.get("subject"), 1000),
        # Checked against its bounds like any other event; what is no instant is told there.
        at=_instant(found.get("time")),  # type: ignore[arg-type]
        quantity=_number(said.get("quantity")),
        dimensions=dimensions if isinstance(dimensions, dict) else {},
        project_id=projects.get(project) if isinstance(project, str) else None,
    )


def _text(value: object, longest: int) -> str:
    """A string as it is, cut one past what is too long anyway; nothing for anything else."""
    return value[:longest] if isinstance(value, str) else ""


def _number(value: object) -> int:
    """A whole number as it is; -1, which no quantity is, for anything else."""
    return value if type(value) is int else -1


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
