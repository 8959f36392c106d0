"""A small real HTTP server that answers as it is told and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """One answer; a status of 0 hangs up without a word, after reading the request."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Scripted:
    """The server's address, what it still will answer, and what it was asked."""

    address: str
    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)


def problem(status: int, code: str, **members: object) -> dict[str, object]:
    return {
        "type": f"/docs/api/#problem-{code}",
        "title": "No",
        "status": status,
        "detail": f"Refused as {code}.",
        "instance": "urn:request:r-1",
        "code": code,
        "errors": [],
        "request_id": "r-1",
        "retryable": False,
        **members,
    }


@contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    """A server that gives these answers in turn, the last one again and again."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Say nothing: the test reports what matters."""

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            state.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            told = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            if not told.status:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.content)))
            self.end_headers()
            self.wfile.write(told.content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's own names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Scripted(f"http://127.0.0.1:{server.server_port}", list(answers))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def keys(asked: Sequence[Asked]) -> list[str | None]:
    """The Idempotency-Key of each request."""
    return [one.headers.get("Idempotency-Key") for one in asked]
