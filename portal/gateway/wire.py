"""A lean HTTP/1.1 client for model servers: kept connections, streamed answers, timeouts.

httpx costs three milliseconds of processor a call on a small machine, more than everything else
the gateway does together; see docs/adr/0030-gateway.md.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

# A client slower than its model must not fill the memory: above this much the model waits.
BUFFER_BYTES = 256 * 1024
IDLE_CONNECTIONS = 100


class Unreachable(Exception):
    """No connection could be made."""


class Broke(Exception):
    """The connection ended, or what came over it was not HTTP."""


class TooSlow(Exception):
    """Nothing came for longer than was allowed."""


@dataclass(frozen=True)
class Address:
    """Where a model server listens, and the path its root has."""

    host: str
    port: int
    secure: bool
    root: str

    @classmethod
    def of(cls, endpoint: str) -> "Address":
        parts = urlsplit(endpoint)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        return cls(parts.hostname or "", port, secure, parts.path.rstrip("/"))


class Connection(asyncio.Protocol):
    """One connection, one request at a time; the parser calls back as an answer arrives."""

    def __init__(self) -> None:
        self.is_open = False
        self.is_complete = True
        self.status = 0
        self.content_type = b"application/json"
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._has_head = False
        self._keep_alive = False
        self._framed = False
        self._surplus = False
        self._broken = False
        self.has_heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP has no other kind
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self.has_heard = True
        if self.is_complete:
            # Words nobody asked for: whatever comes next could not be told apart from an answer.
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._broken = True
            self.abort()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if not self.is_complete and self._has_head and not self._framed and exc is None:
            # An answer without a length ends where its connection does.
            self.is_complete = True
        self._wake()

    # What the parser calls, by the names it knows. After the answer's end it may begin another one
    # that nobody asked for: none of it is taken, and the connection is not used again.
    def on_message_begin(self) -> None:
        self._surplus = self.is_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if self._surplus:
            return
        if lower == b"content-type":
            self.content_type = value
        elif lower in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        if self._surplus:
            return
        self.status = self._parser.get_status_code()
        self._keep_alive = self._parser.should_keep_alive()
        self._has_head = self.status >= 200

    def on_body(self, body: bytes) -> None:
        if self._surplus:
            return
        self._parts.append(body)
        self._buffered += len(body)
        if self._buffered > BUFFER_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self.is_complete = True

    def send(self, request: bytes) -> None:
        """Begin one exchange."""
        self._parser = httptools.HttpResponseParser(self)
        self._parts.clear()
        self._buffered = 0
        self._has_head = self._keep_alive = self._framed = False
        self._surplus = self.has_heard = False
        self.is_complete = False
        if self._transport is None or not self.is_open:
            raise Broke
        self._transport.write(request)

    async def head(self, seconds: float) -> None:
        """Wait for the status and the headers. Raises: Broke, TooSlow."""
        while not self._has_head:
            self._check()
            await self._wait(seconds)

    async def part(self, seconds: float) -> bytes:
        """The next piece of the body; empty at its end. Raises: Broke, TooSlow."""
        while not self._parts:
            if self.is_complete:
                return b""
            self._check()
            await self._wait(seconds)
        joined = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if self._buffered > BUFFER_BYTES and self._transport is not None and self.is_open:
            self._transport.resume_reading()
        self._buffered = 0
        return joined

    @property
    def is_reusable(self) -> bool:
        whole = self.is_complete and not self._parts and not self._surplus
        return self.is_open and self._keep_alive and whole

    def abort(self) -> None:
        """End the connection at once; a model server takes it as the end of its work."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _check(self) -> None:
        if self._broken or not self.is_open:
            raise Broke

    async def _wait(self, seconds: float) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiter
        except TimeoutError as error:
            raise TooSlow from error
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass
class Client:
    """Kept connections to every model server."""

    connect_seconds: float
    read_seconds: float
    _idle: dict[Address, list[Connection]] = field(default_factory=dict)

    async def post(
        self, endpoint: str, path: str, body: bytes, headers: dict[str, str]
    ) -> "Answer":
        """Send one request and wait for the answer's head.

        Raises: Unreachable, Broke, TooSlow.
        """
        address = Address.of(endpoint)
        lines = [f"POST {address.root}{path} HTTP/1.1", f"host: {address.host}:{address.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"content-length: {len(body)}", "", ""]
        request = "\r\n".join(lines).encode("latin-1") + body
        kept = self._kept(address)
        connection = kept or await self._connect(address)
        try:
            await self._exchange(connection, request)
        except Broke:
            # A kept connection may have been closed by the other side while it lay idle: nothing
            # was answered on it, so the request may be sent once more on a fresh one.
            if kept is None or kept.has_heard:
                raise
            connection = await self._connect(address)
            await self._exchange(connection, request)
        return Answer(self, address, connection)

    async def aclose(self) -> None:
        """Close the kept connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def give_back(self, address: Address, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end; end any other."""
        idle = self._idle.setdefault(address, [])
        if connection.is_reusable and len(idle) < IDLE_CONNECTIONS:
            idle.append(connection)
        else:
            connection.abort()

    async def _exchange(self, connection: Connection, request: bytes) -> None:
        try:
            connection.send(request)
            await connection.head(self.read_seconds)
        except BaseException:
            connection.abort()
            raise

    def _kept(self, address: Address) -> Connection | None:
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if address.secure else None
        try:
            async with asyncio.timeout(self.connect_seconds):
                _, connection = await loop.create_connection(
                    Connection, address.host, address.port, ssl=context
                )
        except (OSError, TimeoutError) as error:
            raise Unreachable from error
        return connection


@dataclass(frozen=True)
class Answer:
    """An answer whose head has arrived; give it back when done with it."""

    client: Client
    address: Address
    connection: Connection

    @property
    def status(self) -> int:
        return self.connection.status

    @property
    def content_type(self) -> bytes:
        return self.connection.content_type

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises: Broke, TooSlow."""
        while part := await self.connection.part(self.client.read_seconds):
            yield part

    async def read(self) -> bytes:
        """The whole body. Raises: Broke, TooSlow."""
        return b"".join([part async for part in self.parts()])

    def close(self) -> None:
        self.client.give_back(self.address, self.connection)
