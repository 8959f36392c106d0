"""The client for model servers, against servers that answer in every way HTTP allows, and worse."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from portal.gateway.wire import BUFFER_BYTES, Address, Broke, Client, TooSlow, Unreachable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


def talk(handler: Handler, scenario: Callable[[Client, str], Awaitable[None]]) -> int:
    """Run a scenario against a raw server; gives how many connections it saw."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = Client(connect_seconds=2, read_seconds=2)
        try:
            await asyncio.wait_for(scenario(client, endpoint), 20)
        finally:
            await client.aclose()
            server.close()

    asyncio.run(run())
    return connections


def always(answer: bytes, *, closes: bool = False) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(answer)
            await writer.drain()
            if closes:
                return

    return handler


async def get(client: Client, endpoint: str) -> bytes:
    answer = await client.post(endpoint, "/v1/x", b"{}", {"a": "b"})
    try:
        assert answer.status == 200
        return await answer.read()
    finally:
        answer.close()


def test_a_connection_is_kept_and_used_again() -> None:
    async def scenario(client: Client, endpoint: str) -> None:
        for _ in range(3):
            assert await get(client, endpoint) == b"four"

    assert talk(always(HEAD + b"content-length: 4\r\n\r\nfour"), scenario) == 1


def test_chunks_are_joined_and_the_connection_is_kept() -> None:
    body = b"transfer-encoding: chunked\r\n\r\n2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n"

    async def scenario(client: Client, endpoint: str) -> None:
        assert await get(client, endpoint) == b"four"
        assert await get(client, endpoint) == b"four"

    assert talk(always(HEAD + body), scenario) == 1


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def scenario(client: Client, endpoint: str) -> None:
        assert await get(client, endpoint) == b"until the end"
        assert await get(client, endpoint) == b"until the end"

    assert talk(always(HEAD + b"\r\nuntil the end", closes=True), scenario) == 2


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async def scenario(client: Client, endpoint: str) -> None:
        for _ in range(3):
            assert await get(client, endpoint) == b"four"
            # The server has closed, and says so only when it is spoken to.
            await asyncio.sleep(0.02)

    assert talk(always(HEAD + b"content-length: 4\r\n\r\nfour", closes=True), scenario) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"this is not HTTP\r\n\r\n",
        HEAD + b"content-length: 9\r\n\r\nfour",
        HEAD + b"transfer-encoding: chunked\r\n\r\n9\r\nfour",
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ],
)
def test_an_answer_that_is_broken_off_or_no_answer_is_said_to_be_so(answer: bytes) -> None:
    async def scenario(client: Client, endpoint: str) -> None:
        with pytest.raises(Broke):
            await get(client, endpoint)

    assert talk(always(answer, closes=True), scenario) == 1


def test_silence_is_given_up() -> None:
    async def scenario(client: Client, endpoint: str) -> None:
        client.read_seconds = 0.1
        with pytest.raises(TooSlow):
            await get(client, endpoint)

    talk(always(b""), scenario)


def test_words_after_an_answer_cost_the_connection() -> None:
    async def scenario(client: Client, endpoint: str) -> None:
        assert await get(client, endpoint) == b"four"
        assert await get(client, endpoint) == b"four"

    twice = HEAD + b"content-length: 4\r\n\r\nfour"
    assert talk(always(twice + twice), scenario) == 2


def test_a_slow_reader_holds_the_model_server_back() -> None:
    size = 40 * BUFFER_BYTES
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"{}")
        writer.write(HEAD + f"content-length: {size}\r\n\r\n".encode())
        while sent < size:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()
        await reader.read()

    async def scenario(client: Client, endpoint: str) -> None:
        answer = await client.post(endpoint, "/", b"{}", {})
        await asyncio.sleep(0.5)
        assert sent < size, "nobody read, and yet everything was taken"
        assert len(await answer.read()) == size
        answer.close()

    talk(handler, scenario)


def test_nobody_there_is_told_at_once() -> None:
    async def run() -> None:
        client = Client(connect_seconds=1, read_seconds=1)
        with pytest.raises(Unreachable):
            await client.post("http://127.0.0.1:9", "/", b"", {})

    asyncio.run(run())


def test_an_endpoint_may_have_a_path_and_a_port_of_its_own() -> None:
    assert Address.of("http://node-1:9000/model/") == Address("node-1", 9000, False, "/model")
    assert Address.of("https://node-1") == Address("node-1", 443, True, "")
