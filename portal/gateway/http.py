"""The little of ASGI's HTTP that the gateway needs."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from portal.gateway.errors import Refusal, malformed, too_large

# ASGI's own shapes: mappings whose values depend on the message's type.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

JSON = b"application/json"


class ClientLeft(Exception):
    """The client closed its connection before it had sent its whole request."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The last value of a header; ASGI servers give names in lower case."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return found


def bearer(scope: Scope) -> bytes | None:
    """The key a client sent, or None."""
    scheme, _, secret = (header(scope, b"authorization") or b"").strip().partition(b" ")
    return secret.strip() if scheme.lower() == b"bearer" and secret.strip() else None


async def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """The whole request body.

    Raises: Refusal 413 as soon as it is known to be too large, ClientLeft.
    """
    declared = header(scope, b"content-length") or b""
    if declared.isdigit() and int(declared) > limit_bytes:
        raise too_large(limit_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise too_large(limit_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def json_object(body: bytes) -> dict[str, Any]:
    """Raises: Refusal 400 where the body is not one JSON object."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise malformed("The body is not valid JSON.") from error
    if not isinstance(parsed, dict):
        raise malformed("The body must be a JSON object.")
    return parsed


async def wait_until_client_left(receive: Receive) -> None:
    """Return when the client's connection is gone, or the answer is complete."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def begin(send: Send, status: int, content_type: bytes, headers: Headers = ()) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", content_type), *headers],
        }
    )


async def answer(
    send: Send, status: int, body: bytes, *, content_type: bytes = JSON, headers: Headers = ()
) -> None:
    """One whole response."""
    length = (b"content-length", str(len(body)).encode())
    await begin(send, status, content_type, [length, *headers])
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: Refusal, headers: Headers = ()) -> None:
    await answer(send, refusal.status, refusal.body(), headers=[*refusal.headers, *headers])
