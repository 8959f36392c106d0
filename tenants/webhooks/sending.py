"""The call to a receiver: to the judged address only, within a time, without following anything."""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore

from tenants.webhooks.addresses import Target, TargetRefused, judged

TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
KEPT_BYTES = 1024
DELIVERED = "delivered"


@dataclass(frozen=True)
class Answer:
    """What came of one call.

    Shape: ``outcome`` is "delivered" for a 2xx and otherwise a stable code that says why not;
    ``status`` is None where no answer came; ``text`` is the first KiB of the answer.
    """

    outcome: str
    duration_ms: int
    status: int | None = None
    text: str = ""
    retry_after: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.outcome == DELIVERED


def send(
    *,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """POST a message and read the beginning of the answer; never raises for what a receiver does.

    Units: the whole call, name resolution aside, ends within ``timeout_seconds`` however slowly
    the receiver talks.
    """
    begun = time.monotonic()
    try:
        target = judged(url)
        outcome, status, text, retry_after = _call(
            target, headers, body, time.monotonic() + timeout_seconds
        )
    except TargetRefused as refusal:
        outcome, status, text, retry_after = refusal.reason, None, "", ""
    except httpcore.TimeoutException:
        outcome, status, text, retry_after = "timeout", None, "", ""
    except (httpcore.NetworkError, OSError):
        outcome, status, text, retry_after = "unreachable", None, "", ""
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
        outcome, status, text, retry_after = "not_http", None, "", ""
    duration_ms = int((time.monotonic() - begun) * 1000)
    return Answer(outcome, duration_ms, status, text, retry_after)


def _call(
    target: Target, headers: Mapping[str, str], body: bytes, deadline: float
) -> tuple[str, int, str, str]:
    sent: list[tuple[bytes | str, bytes | str]] = [
        ("content-type", "application/json"),
        ("user-agent", "portal-webhooks/1"),
        # The answer is read as it comes: unpacking somebody else's archive is not our business.
        ("accept-encoding", "identity"),
        ("connection", "close"),
        *headers.items(),
    ]
    backend = _PinnedBackend(target.addresses, deadline)
    # A pool of httpcore itself reads no proxy from the environment and follows no redirect.
    with (
        httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(), network_backend=backend
        ) as pool,
        pool.stream("POST", target.url, headers=sent, content=body) as response,
    ):
        text = _beginning(response.iter_stream())
    retry_after = next(
        (value for name, value in response.headers if name.lower() == b"retry-after"), b""
    )
    return _outcome(response.status), response.status, text, retry_after.decode("latin-1")


def _outcome(status: int) -> str:
    if 200 <= status < 300:
        return DELIVERED
    return "redirect" if 300 <= status < 400 else "refused"


def _beginning(chunks: Iterable[bytes]) -> str:
    found = b""
    for chunk in chunks:
        found += chunk
        if len(found) >= KEPT_BYTES:
            break
    # PostgreSQL's text holds everything but NUL.
    return found[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the judged addresses whatever name is asked for, and ends at the deadline."""

    def __init__(self, addresses: tuple[str, ...], deadline: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # httpcore's own alias is not exported
    ) -> httpcore.NetworkStream:
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError()
        for address in self._addresses:
            left = min(CONNECT_SECONDS, _left(self._deadline, httpcore.ConnectTimeout))
            try:
                stream = self._backend.connect_tcp(address, port, left)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every step must end before one common deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        return _TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, left), self._deadline
        )

    # What httpcore asks for here differs by the name it asks under.
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, error: type[httpcore.TimeoutException]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise error
    return left
