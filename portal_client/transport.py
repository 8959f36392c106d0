"""HTTP with patience: what may be repeated is repeated, and refusals become exceptions.

Every operation of the API may be repeated: reads and deletes by their nature, commands by their
Idempotency-Key, events by their own identities. So a lost answer is asked for again like a
refused connection.
"""

import json
import platform
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Any, TypeVar

import httpx

from portal_client.calls import Call, Download, Page, Pages
from portal_client.encoding import decode, encode, encode_query
from portal_client.errors import (
    InputError,
    Problem,
    Refused,
    StreamStopped,
    UnexpectedAnswer,
    Unreachable,
    refusal,
)
from portal_client.version import VERSION

Answer = TypeVar("Answer")

BASE = "/api/v1/"
NDJSON = "application/x-ndjson"
PASSING = frozenset({429, 502, 503, 504})
_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try again.

    Shape: between tries the wait is drawn between nothing and ``first_seconds`` doubled each time,
    up to ``longest_seconds``; a Retry-After is obeyed instead. One that asks for more than
    ``most_asked_seconds`` ends the call with its refusal.
    """

    tries: int = 5
    first_seconds: float = 0.5
    longest_seconds: float = 20.0
    most_asked_seconds: float = 70.0

    def pause(self, tried: int, asked: float | None) -> float:
        """Seconds to wait after ``tried`` tries."""
        if asked is not None:
            return asked
        most = min(self.longest_seconds, self.first_seconds * 2 ** (tried - 1))
        return _RANDOM.uniform(0, most)


class Transport:
    """One portal, one key."""

    def __init__(
        self,
        address: str,
        key: str,
        *,
        language: str = "en",
        timeout_seconds: float = 30.0,
        patience: Patience | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        if not self.address.startswith(("https://", "http://")):
            raise ValueError("The portal's address begins with https:// or http://.")
        self._patience = patience or Patience()
        self._woken = threading.Event()
        try:
            base = httpx.URL(self.address + BASE)
        except httpx.InvalidURL as error:
            raise ValueError("The portal's address is not one.") from error
        self._http = httpx.Client(
            base_url=base,
            headers={
                "Authorization": f"Bearer {key}",
                "Accept-Language": language,
                "User-Agent": f"portal-client/{VERSION} Python/{platform.python_version()}",
            },
            timeout=timeout_seconds,
        )

    def close(self) -> None:
        """Give the connections back; a wait between tries ends at once."""
        self._woken.set()
        self._http.close()

    def answer(self, shape: type[Answer], call: Call) -> Answer:
        """The one object that answers a call. Raises: PortalError."""
        return decode(shape, _json(self._exchange(call)))

    def nothing(self, call: Call) -> None:
        """A call whose success is its answer. Raises: PortalError."""
        self._exchange(call)

    def pages(self, shape: type[Answer], call: Call, cursor: str | None) -> Pages[Answer]:
        """The list that answers a call; nothing is asked before it is looked at."""

        def fetch(after: str | None) -> Page[Answer]:
            query = {**call.query, "cursor": after}
            said = _json(self._exchange(Call(call.method, call.path, query)))
            if not isinstance(said, dict) or not isinstance(said.get("items"), list):
                raise UnexpectedAnswer("The portal's answer is not a page of a list.")
            following = said.get("next")
            items = tuple(decode(shape, one) for one in said["items"])
            return Page(items, following if isinstance(following, str) else None)

        return Pages(fetch, cursor)

    def download(self, call: Call) -> Download:
        """The document that answers a call. Raises: PortalError."""
        response = self._exchange(call)
        described = Message()
        described["Content-Disposition"] = response.headers.get("Content-Disposition", "")
        media_type = response.headers.get("Content-Type", "application/octet-stream")
        # The last step only: a name must not lead anywhere else.
        name = (described.get_filename() or call.path).replace("\\", "/").rsplit("/", 1)[-1]
        return Download(name, media_type, response.content)

    def lines(self, shape: type[Answer], call: Call) -> tuple[Answer, ...]:
        """What answers each line of a stream. Raises: StreamStopped, PortalError."""
        found = []
        for line in self._exchange(call).text.splitlines():
            said = _parsed(line)
            if isinstance(said, dict) and said.get("status") == "stopped":
                raise StreamStopped(str(said.get("code", "")), str(said.get("detail", "")))
            found.append(decode(shape, said))
        return tuple(found)

    def _exchange(self, call: Call) -> httpx.Response:
        """Send until there is a success or no more patience; the same bytes in every try."""
        content, headers = _written(call)
        query = {
            name: encode_query(value) for name, value in call.query.items() if value is not None
        }
        request = self._http.build_request(
            call.method, call.path, params=query, content=content, headers=headers
        )
        tried = 0
        while True:
            tried += 1
            outcome = self._once(request)
            if isinstance(outcome, httpx.Response):
                return outcome
            asked = outcome.retry_after_seconds if isinstance(outcome, Refused) else None
            if tried >= self._patience.tries or (asked or 0) > self._patience.most_asked_seconds:
                raise outcome
            if self._woken.wait(self._patience.pause(tried, asked)):
                raise outcome

    def _once(self, request: httpx.Request) -> httpx.Response | Refused | Unreachable:
        """One try: its success, or what may have passed by the next. Raises: PortalError."""
        try:
            response = self._http.send(request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Unreachable(self.address, type(error).__name__) from error
        except httpx.TransportError as error:
            return Unreachable(self.address, type(error).__name__)
        if response.is_success:
            return response
        failure = _failure(response)
        if not _is_passing(failure):
            raise failure
        return failure


def _is_passing(failure: Refused) -> bool:
    return failure.status in PASSING or failure.retryable


def _written(call: Call) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a call."""
    headers = {"Idempotency-Key": call.key} if call.key else {}
    if not call.has_body:
        return b"", headers
    if call.lines:
        rows = call.body if isinstance(call.body, list | tuple) else [call.body]
        return b"".join(_line(row) for row in rows), {**headers, "Content-Type": NDJSON}
    return _bytes(call.body), {**headers, "Content-Type": "application/json"}


def _line(row: object) -> bytes:
    return _bytes(row) + b"\n"


def _bytes(value: object) -> bytes:
    return json.dumps(encode(value), ensure_ascii=False, separators=(",", ":")).encode()


# JSON as the standard library reads it; decode() finds out its shape.
def _json(response: httpx.Response) -> Any:
    return _parsed(response.text)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise UnexpectedAnswer("The portal's answer is not JSON.") from None


def _failure(response: httpx.Response) -> Refused:
    """The refusal that an answer states; an answer in between may not be the portal's at all."""
    if response.status_code < 400:
        raise UnexpectedAnswer(
            f"The address leads elsewhere (HTTP {response.status_code}); is it the portal's own?"
        )
    try:
        said = json.loads(response.text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    return refusal(_problem(response, said))


def _problem(response: httpx.Response, said: Mapping[str, Any]) -> Problem:
    known = {"status", "code", "title", "detail", "errors", "request_id", "retryable"}
    listed = said.get("errors")
    errors = listed if isinstance(listed, list) else []
    return Problem(
        status=response.status_code,
        code=str(said.get("code") or f"http_{response.status_code}"),
        title=str(said.get("title") or response.reason_phrase),
        detail=str(said.get("detail") or f"HTTP {response.status_code} {response.reason_phrase}."),
        errors=tuple(
            InputError(*(str(one.get(name, "")) for name in ("pointer", "code", "detail")))
            for one in errors
            if isinstance(one, dict)
        ),
        request_id=str(said.get("request_id") or ""),
        retryable=said.get("retryable") is True,
        retry_after_seconds=_asked_wait(response.headers.get("Retry-After", "")),
        members={name: value for name, value in said.items() if name not in known},
    )


def _asked_wait(header: str) -> float | None:
    """Seconds of a Retry-After, which is a number or a date; None where it says nothing."""
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
