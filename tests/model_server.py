"""A stub model server over plain sockets: fast, and as rude as a test asks it to be."""

import asyncio
import json
from dataclasses import dataclass, field


@dataclass
class Seen:
    """One request as the model server received it."""

    path: str
    headers: dict[str, str]
    body: dict[str, object]


@dataclass
class StubModel:
    """What the stub answers with; change it between calls.

    Shape: ``pieces`` are the words of a stream; after ``break_after`` of them the connection is
    cut; after ``wait_after`` of them it waits for ``go_on``.
    """

    status: int = 200
    answer: dict[str, object] | bytes = field(default_factory=lambda: completion("Hello there"))
    pieces: tuple[str, ...] = ("Hello", " there", ".")
    reports_usage: bool = True
    break_after: int | None = None
    wait_after: int | None = None
    seen: list[Seen] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left_by_gateway: asyncio.Event = field(default_factory=asyncio.Event)
    keeps_requests: bool = True
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> asyncio.Server:
        server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.left_by_gateway.set()
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return False
        first, *rest = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        body = json.loads(raw)
        if self.keeps_requests:
            self.seen.append(Seen(first.split(" ")[1], headers, body))
        if self.status == 200 and body.get("stream"):
            return await self._stream(reader, writer, body)
        content = (
            self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        )
        writer.write(
            f"HTTP/1.1 {self.status} X\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nserver: secret-engine\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        return True

    async def _stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: dict[str, object]
    ) -> bool:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number, piece in enumerate(self.pieces):
            if number == self.break_after:
                return False
            if number == self.wait_after:
                await self._wait(reader)
            delta = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            _chunk(writer, {"object": "chat.completion.chunk", "choices": [delta]})
            await writer.drain()
        options = body.get("stream_options")
        if self.reports_usage and isinstance(options, dict) and options.get("include_usage"):
            usage = {"prompt_tokens": 7, "completion_tokens": len(self.pieces), "total_tokens": 0}
            _chunk(writer, {"object": "chat.completion.chunk", "choices": [], "usage": usage})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()
        return True

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        """Until told to go on, or until the other side closes its connection."""
        go_on = asyncio.ensure_future(self.go_on.wait())
        closed = asyncio.ensure_future(reader.read(1))
        done, _ = await asyncio.wait({go_on, closed}, return_when=asyncio.FIRST_COMPLETED)
        go_on.cancel()
        if closed in done:
            raise ConnectionResetError
        closed.cancel()


def _chunk(writer: asyncio.StreamWriter, event: dict[str, object]) -> None:
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def completion(text: str, tokens_in: int = 7, tokens_out: int = 2) -> dict[str, object]:
    """A whole chat answer with its usage."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }
