"""A receiver of webhooks: a real HTTP server on this machine that does as it is told."""

import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The name the receivers answer under, and what it resolves to.
HOST = "receiver.test"
ADDRESSES: dict[str, list[str]] = {HOST: ["127.0.0.1"]}


def resolve(host: str, port: int) -> list[str]:
    """The resolver the tests put in the place of the machine's own."""
    if host not in ADDRESSES:
        raise OSError("no such name")
    return ADDRESSES[host]


@dataclass
class Reply:
    """What to answer: a status, headers, a body; ``waits`` holds the answer back for ever."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    waits: bool = False


@dataclass
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Keeps what came in; answers with what is left in ``script``, then with ``otherwise``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[Received] = []
        self.script: list[Reply] = []
        self.otherwise = Reply()
        self.closing = threading.Event()
        self.lock = threading.Lock()

    def url(self, path: str = "/hooks") -> str:
        return f"http://{HOST}:{self.port}{path}"

    def has_received(self, number: int, seconds: float = 30) -> None:
        """Wait until so many requests were read, which may be after their caller gave up."""
        until = time.monotonic() + seconds
        while len(self.received) < number:
            assert time.monotonic() < until, f"{len(self.received)} came, not {number}"
            self.closing.wait(0.01)

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up, as one that does not trust us does, is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver for as long as the block runs; one that speaks TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found = {name.lower(): value for name, value in self.headers.items()}
            with receiver.lock:
                receiver.received.append(Received(self.path, found, body))
                reply = receiver.script.pop(0) if receiver.script else receiver.otherwise
            if reply.waits:
                receiver.closing.wait(60)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the tests look at what was received."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # The handshake waits for the first read, which is made in the thread of that one caller.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
