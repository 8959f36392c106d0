"""Forwarding one model call and metering it once, however it ends."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.clock import utc_now
from common.ids import uuid7
from portal.gateway import admission, counting, errors, upstream
from portal.gateway.bounds import bound_of, capped
from portal.gateway.errors import Refusal
from portal.gateway.holds import limits_of
from portal.gateway.http import (
    Receive,
    Scope,
    Send,
    answer,
    begin,
    json_object,
    read_body,
    wait_until_client_left,
)
from portal.gateway.runtime import Runtime
from portal.gateway.snapshot import Grant, Target
from portal.gateway.spool import CallRecord, SpoolUnavailable
from portal.gateway.wire import Answer, Broke, TooSlow

log = logging.getLogger(__name__)

EVENT_STREAM = b"text/event-stream; charset=utf-8"
STREAMING_PATHS = frozenset({"/v1/chat/completions", "/v1/completions"})


@dataclass(frozen=True)
class Call:
    """One admitted call on its way to a model server; ``id`` names its usage for ever."""

    id: UUID
    path: str
    grant: Grant
    target: Target
    body: Mapping[str, Any]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-request-id", str(self.id).encode())]


async def serve(runtime: Runtime, path: str, scope: Scope, receive: Receive, send: Send) -> int:
    """Authenticate, check, forward and record one call; gives the status it was answered with.

    Raises: Refusal before anything was sent, ClientLeft.
    """
    caller = admission.authenticate(runtime, scope, utc_now())
    raw = await read_body(scope, receive, runtime.bounds.body_bytes)
    body = json_object(raw)
    target = admission.target_of(caller, body)
    streams = body.get("stream", False)
    if not isinstance(streams, bool | None):
        raise errors.malformed("'stream' must be true or false.", "stream")
    admission.check_means(runtime, caller)
    if limits_of(caller.snapshot, caller.grant, target):
        # A budget that stops needs a bound it can trust, so the model is told one.
        cut = capped(path, body)
        if cut is not None:
            body, raw = cut, json.dumps(cut).encode()
    call = Call(id=uuid7(), path=path, grant=caller.grant, target=target, body=body)
    runtime.holds.take(call.id, call.grant, target, bound_of(path, body, len(raw)))
    try:
        if streams and path in STREAMING_PATHS:
            return await _serve_stream(runtime, call, receive, send)
        return await _serve_whole(runtime, call, raw, send)
    finally:
        runtime.holds.ended(call.id)


async def _serve_whole(runtime: Runtime, call: Call, raw: bytes, send: Send) -> int:
    """The call runs to its end even where the client has left: its usage is then exact."""
    async with upstream.opened(
        runtime.client, target=call.target, path=call.path, body=raw, request_id=str(call.id)
    ) as given:
        content = await given.read()
        content_type = given.content_type
    record(runtime, call, _tokens_of(call, content), partial=False, at=utc_now())
    await answer(send, 200, content, content_type=content_type, headers=call.headers)
    return 200


def _tokens_of(call: Call, content: bytes) -> counting.Tokens:
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = None
    given = parsed if isinstance(parsed, dict) else {}
    return counting.reported(given.get("usage")) or counting.Tokens(
        counting.estimate_prompt(call.body), counting.estimate_answer(given), reported=False
    )


async def _serve_stream(runtime: Runtime, call: Call, receive: Receive, send: Send) -> int:
    """Pass the stream on while watching the client; whoever leaves first, the call is metered."""
    options = call.body.get("stream_options")
    options = dict(options) if isinstance(options, dict) else {}
    count = counting.StreamCount(client_wants_usage=options.get("include_usage") is True)
    asked = {**call.body, "stream_options": {**options, "include_usage": True}}
    raw = json.dumps(asked).encode()
    pump = asyncio.ensure_future(_pump(runtime, call, raw, count, send))
    watch = asyncio.ensure_future(wait_until_client_left(receive))
    try:
        await asyncio.wait({pump, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not pump.done():
            # Closing the connection tells the model server to stop producing.
            pump.cancel()
        try:
            return await pump
        except asyncio.CancelledError:
            if not pump.cancelled() or not watch.done():
                raise
            return 499
    finally:
        pump.cancel()
        watch.cancel()


async def _pump(
    runtime: Runtime, call: Call, raw: bytes, count: counting.StreamCount, send: Send
) -> int:
    async with upstream.opened(
        runtime.client, target=call.target, path=call.path, body=raw, request_id=str(call.id)
    ) as given:
        whole = False
        try:
            await begin(send, 200, EVENT_STREAM, [*call.headers, (b"cache-control", b"no-store")])
            broke = await _copy(given, count, send)
            whole = count.finished or broke is None
        finally:
            tokens = count.tokens(counting.estimate_prompt(call.body))
            record(runtime, call, tokens, partial=not whole, at=utc_now())
        tail = count.rest() if broke is None else _error_event(broke)
        await send({"type": "http.response.body", "body": tail})
    return 200


async def _copy(given: Answer, count: counting.StreamCount, send: Send) -> Refusal | None:
    """Copy until the stream's end; gives what to tell the client where it broke off."""
    try:
        async for part in given.parts():
            passed = count.feed(part)
            if passed:
                await send({"type": "http.response.body", "body": passed, "more_body": True})
    except (TooSlow, Broke) as failure:
        return upstream.refusal_for(failure)
    return None


def _error_event(refusal: Refusal) -> bytes:
    return b"data: " + refusal.body() + b"\n\n"


def record(
    runtime: Runtime, call: Call, tokens: counting.Tokens, *, partial: bool, at: datetime
) -> None:
    """Write the one record of a call before its answer ends."""
    basis = "reported" if tokens.reported else "estimated"
    runtime.metrics.tokens.labels("in", basis).inc(tokens.tokens_in)
    runtime.metrics.tokens.labels("out", basis).inc(tokens.tokens_out)
    # What the list has no price for would stop the tenant's invoice.
    cached = tokens.tokens_cached if runtime.holds.prices_cached(call.target.deployment_id) else 0
    runtime.holds.metered(call.id, tokens.tokens_in, tokens.tokens_out, cached)
    if partial:
        runtime.metrics.partial.inc()
    entry = CallRecord(
        id=call.id,
        at=at,
        tenant_id=call.grant.tenant_id,
        project_id=call.target.project_id,
        key_id=call.grant.key_id,
        deployment_id=call.target.deployment_id,
        model=call.target.model,
        tokens_in=tokens.tokens_in,
        tokens_out=tokens.tokens_out,
        reported=tokens.reported,
        partial=partial,
        tokens_cached=cached,
    )
    try:
        runtime.spool.append(entry)
    except SpoolUnavailable:
        # The answer exists already; from now on calls are refused until the disk takes records.
        log.error("gateway.spool.unavailable", extra={"call": str(call.id)})
