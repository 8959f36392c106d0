"""Talking to model servers, and what their refusals mean to a client."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from portal.gateway.errors import (
    Refusal,
    model_broke,
    model_too_slow,
    model_unreachable,
    unsupported_by_model,
)
from portal.gateway.snapshot import Target
from portal.gateway.wire import Answer, Broke, Client, TooSlow, Unreachable

# What a client may have got wrong and the model server knows better.
CLIENTS_FAULT = frozenset({400, 413, 422})
NOT_SERVED = frozenset({404, 405, 501})
BUSY = frozenset({429, 503})


@asynccontextmanager
async def opened(
    client: Client, *, target: Target, path: str, body: bytes, request_id: str
) -> AsyncIterator[Answer]:
    """The model server's answer, its body not yet read; nothing of the client's headers goes.

    Raises: Refusal for a server that is away, too slow, broken, or said no.
    """
    # Built anew: the client's key stays here, and nothing but the body reaches the model.
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "x-request-id": request_id,
    }
    try:
        answer = await client.post(target.endpoint, path, body, headers)
        try:
            if answer.status != 200:
                raise await _refusal(answer, target)
            yield answer
        finally:
            answer.close()
    except (Unreachable, TooSlow, Broke) as failure:
        raise refusal_for(failure) from failure


def refusal_for(failure: Unreachable | TooSlow | Broke) -> Refusal:
    if isinstance(failure, Unreachable):
        return model_unreachable()
    return model_too_slow() if isinstance(failure, TooSlow) else model_broke()


async def _refusal(answer: Answer, target: Target) -> Refusal:
    """What a model server's refusal means to the client; its own words only where they help."""
    if answer.status in CLIENTS_FAULT:
        return _told(answer.status, await answer.read())
    if answer.status in NOT_SERVED:
        return unsupported_by_model(target.model)
    return model_unreachable() if answer.status in BUSY else model_broke()


def _told(status: int, body: bytes) -> Refusal:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    error: Mapping[str, Any] = {}
    if isinstance(parsed, dict) and isinstance(parsed.get("error"), dict):
        error = parsed["error"]
    message = error.get("message")
    param = error.get("param")
    return Refusal(
        status,
        "invalid_request",
        message[:1000] if isinstance(message, str) else "The model server refused the request.",
        param=param if isinstance(param, str) else None,
    )
