"""Streams through the gateway: passed on as they come, metered once however they end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from portal.gateway.counting import StreamCount
from portal.gateway.runtime import Runtime
from portal.gateway.server import Gateway
from tests.factories.gateway import (
    CHAT,
    KEY,
    Reply,
    call,
    chat,
    gateway_with,
    grant,
    snapshot,
    spooled,
    target,
)
from tests.model_server import StubModel


def streamed(
    folder: Path, model: StubModel, scenario: Callable[[Gateway, Runtime], Awaitable[None]]
) -> None:
    async def run() -> None:
        server = await model.start()
        given = snapshot({KEY: grant()}, [target("m", model.endpoint)])
        gateway, runtime = gateway_with(folder, given)
        try:
            await scenario(gateway, runtime)
        finally:
            await gateway.stop()
            server.close()

    asyncio.run(run())


def events(reply: Reply) -> list[object]:
    texts = [part[6:] for part in reply.body.decode().split("\n\n") if part]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def words(reply: Reply) -> str:
    found = [event for event in events(reply) if isinstance(event, dict) and event.get("choices")]
    return "".join(event["choices"][0]["delta"]["content"] for event in found)


def test_a_stream_is_passed_on_and_metered_by_the_model_servers_count(tmp_path: Path) -> None:
    model = StubModel()

    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        reply = await call(gateway, CHAT, chat(stream=True))
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert words(reply) == "Hello there."
        assert events(reply)[-1] == "[DONE]"
        # The client did not ask for usage, so it sees none, though the gateway asked.
        assert b"usage" not in reply.body
        assert model.seen[0].body["stream_options"] == {"include_usage": True}
        (record,) = spooled(runtime)
        assert (record.tokens_in, record.tokens_out) == (7, 3)
        assert (record.reported, record.partial) == (True, False)

    streamed(tmp_path, model, scenario)


def test_a_client_that_asks_for_usage_gets_it(tmp_path: Path) -> None:
    model = StubModel()

    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        options = {"include_usage": True, "continuous_usage_stats": False}
        reply = await call(gateway, CHAT, chat(stream=True, stream_options=options))
        *_, usage, _done = events(reply)
        assert isinstance(usage, dict)
        assert usage["choices"] == []
        assert usage["usage"]["completion_tokens"] == 3
        assert model.seen[0].body["stream_options"] == options

    streamed(tmp_path, model, scenario)


def test_a_stream_without_usage_is_counted_piece_by_piece_and_marked(tmp_path: Path) -> None:
    model = StubModel(reports_usage=False)

    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        await call(gateway, CHAT, chat(stream=True))
        (record,) = spooled(runtime)
        assert (record.tokens_in, record.tokens_out) == (2, 3)
        assert (record.reported, record.partial) == (False, False)

    streamed(tmp_path, model, scenario)


def test_a_client_that_leaves_is_metered_once_for_what_was_produced(tmp_path: Path) -> None:
    model = StubModel(pieces=("a", "b", "c", "d"), wait_after=2)

    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        reply = await call(gateway, CHAT, chat(stream=True), leave_after_parts=2)
        assert words(reply) == "ab"
        (record,) = spooled(runtime)
        assert (record.tokens_out, record.reported, record.partial) == (2, False, True)
        # The model server is told by the end of its connection, and stops producing.
        await asyncio.wait_for(model.left_by_gateway.wait(), 5)
        assert spooled(runtime) == []

    streamed(tmp_path, model, scenario)


def test_a_model_server_that_dies_mid_stream_is_metered_and_told(tmp_path: Path) -> None:
    model = StubModel(break_after=2)

    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        reply = await call(gateway, CHAT, chat(stream=True))
        assert words(reply) == "Hello there"
        last = events(reply)[-1]
        assert isinstance(last, dict)
        assert last["error"]["code"] == "model_failed"
        (record,) = spooled(runtime)
        assert (record.tokens_out, record.reported, record.partial) == (2, False, True)

    streamed(tmp_path, model, scenario)


def test_a_refusal_before_the_stream_keeps_its_status(tmp_path: Path) -> None:
    model = StubModel(status=503)

    async def scenario(gateway: Gateway, runtime: Runtime) -> None:
        reply = await call(gateway, CHAT, chat(stream=True))
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
        assert spooled(runtime) == []

    streamed(tmp_path, model, scenario)


def test_events_cut_anywhere_count_the_same() -> None:
    stream = (
        b'data: {"choices":[{"delta":{"role":"assistant"}}]}\r\n\r\n'
        b'data: {"choices":[{"delta":{"content":"\xe7\xae\x97"}}]}\n\n'
        b": keep-alive\n\n"
        b'data: {"choices":[{"text":"x"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}\n\n'
        b"data: [DONE]\n\n"
    )
    whole = StreamCount(client_wants_usage=False)
    expected = whole.feed(stream)
    assert b"usage" not in expected
    for size in range(1, 20):
        count = StreamCount(client_wants_usage=False)
        pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert b"".join(count.feed(piece) for piece in pieces) + count.rest() == expected
        assert count.tokens(9) == whole.tokens(9)
        assert count.finished


def test_a_usage_that_makes_no_sense_is_not_believed() -> None:
    for usage in ('{"prompt_tokens":-1}', '{"completion_tokens":"9"}', "[]", "true", "null"):
        count = StreamCount(client_wants_usage=True)
        count.feed(f'data: {{"choices":[{{"text":"x"}}],"usage":{usage}}}\n\n'.encode())
        tokens = count.tokens(3)
        assert (tokens.tokens_in, tokens.tokens_out, tokens.reported) == (3, 1, False)
