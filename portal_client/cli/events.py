"""Files of usage events: one CloudEvent a line, or a table with a header."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from portal_client.api.usage import EventDataInput, EventInput
from portal_client.cli.problems import UsageError
from portal_client.cli.words import say

NDJSON, CSV = "ndjson", "csv"
DIMENSION = "dimension."
NEEDED = ("id", "source", "type", "time", "quantity")
OPTIONAL = ("subject", "project")


# A line of JSON goes to the portal as it is, so that nothing of it is lost on the way.
Event = EventInput | Mapping[str, object]


def events_of(lines: Iterable[str], form: str) -> Iterator[Event]:
    """The events of a file, one by one. Raises: UsageError with the line's number."""
    return _of_table(lines) if form == CSV else _of_lines(lines)


def _of_lines(lines: Iterable[str]) -> Iterator[Event]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                # A fraction keeps its digits; the portal refuses it by its own reason.
                said = json.loads(line, parse_float=str)
            except ValueError as error:
                raise _wrong(number, error) from error
            if not isinstance(said, dict):
                raise _wrong(number, ValueError(say("not an object")))
            yield said


def _of_table(lines: Iterable[str]) -> Iterator[Event]:
    table = csv.DictReader(lines, strict=True)
    heads = list(table.fieldnames or ())
    missing = [name for name in NEEDED if name not in heads]
    strange = [
        name for name in heads if name not in NEEDED + OPTIONAL and not name.startswith(DIMENSION)
    ]
    if missing or strange:
        raise UsageError(
            say(
                "The table needs the columns {needed}, may have {optional} and dimension.<name>, "
                "and no others.",
                needed=", ".join(NEEDED),
                optional=", ".join(OPTIONAL),
            )
        )
    try:
        for row in table:
            dimensions = {
                name.removeprefix(DIMENSION): value
                for name, value in row.items()
                if name is not None and name.startswith(DIMENSION) and value
            }
            yield _event(row, dimensions)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise _wrong(table.line_num, error) from error


def _event(row: Mapping[str, str], dimensions: Mapping[str, str]) -> EventInput:
    return EventInput(
        id=row["id"],
        source=row["source"],
        type=row["type"],
        time=_instant(row["time"]),
        subject=row.get("subject") or None,
        data=EventDataInput(
            quantity=int(row["quantity"]),
            project=row.get("project") or None,
            dimensions=dimensions or None,
        ),
    )


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("no offset")
    return found


def _wrong(number: int, error: Exception) -> UsageError:
    return UsageError(
        say(
            "Line {number} is not an event ({reason}); lines before it may have been sent, and "
            "sending the corrected file again counts nothing twice.",
            number=number,
            reason=error,
        )
    )
