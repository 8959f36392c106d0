"""Bodies as JSON, whatever nonsense they hold."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """JSON that can be stored: no NaN, no nesting deep enough to exhaust the reader."""

    strict = True

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error


class PartsParser(StrictJSONParser):
    """One thing or a batch of them, as plain JSON.

    A number that JSON or a database has no place for is read as the text it was written as, so
    that it is refused with its own event and not with the whole batch.
    """

    takes_one = True
    takes_many = True

    # DRF's stubs know bodies that are objects only; it takes whatever a parser gives.
    def parse(  # type: ignore[override]
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """The things as a list, in order. Raises: ParseError."""
        try:
            found = json.loads(stream.read(), parse_constant=str, parse_int=whole)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
        except ValueError as error:
            raise ParseError("JSON parse error") from error
        if isinstance(found, list) and self.takes_many:
            return found
        if isinstance(found, dict) and self.takes_one:
            return [found]
        raise ParseError("This media type is for another number of events")


class OneEventParser(PartsParser):
    media_type = "application/cloudevents+json"
    takes_many = False


class EventBatchParser(PartsParser):
    media_type = "application/cloudevents-batch+json"
    takes_one = False


LONGEST_NUMBER = 20


def whole(digits: str) -> int | str:
    """A whole number, or its text where nothing has a place for it."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits
