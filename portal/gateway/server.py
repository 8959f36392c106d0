"""The gateway as an ASGI application: routes, its own pages, and what starts and ends with it."""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string

from common.clock import utc_now
from portal.gateway import admission, calls, errors
from portal.gateway.background import Bill, Clock, Current, Flusher, Loop, Take
from portal.gateway.errors import Refusal
from portal.gateway.http import ClientLeft, Receive, Scope, Send, answer, bearer, refuse
from portal.gateway.metrics import CONTENT_TYPE, Metrics
from portal.gateway.runtime import Bounds, Runtime
from portal.gateway.spool import Spool
from portal.gateway.wire import Client

log = logging.getLogger(__name__)

MODEL_CALLS = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank"})
SPOOL_TURN_SECONDS = 0.2
END_WITHIN_SECONDS = 5.0
# Found by name: these reach the database's models, which exist only once Django is set up.
TAKE_SNAPSHOT = "portal.gateway.domain.take_snapshot"
BILL_RECORDS = "portal.gateway.domain.bill"
DATABASE_CLOCK = "portal.gateway.domain.database_clock"


class Gateway:
    """One ASGI application; ``runtime`` may be given whole, and then nothing runs beside it."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        self._given = runtime
        self._runtime = runtime
        self._loops: list[Loop] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def start(self) -> None:
        """Begin to serve: from the disk's snapshot at once, from the database's soon after."""
        if self._runtime is not None:
            return
        folder: Path = settings.GATEWAY_STATE_DIR
        metrics = Metrics()
        spool = Spool(folder / "spool")
        runtime = Runtime(
            current=Current(folder / "snapshot.json"),
            spool=spool,
            client=Client(
                connect_seconds=settings.GATEWAY_CONNECT_SECONDS,
                read_seconds=settings.GATEWAY_READ_SECONDS,
            ),
            bounds=Bounds(
                body_bytes=settings.GATEWAY_BODY_BYTES,
                requests_per_minute=settings.GATEWAY_REQUESTS_PER_MINUTE,
                snapshot_age=timedelta(seconds=settings.GATEWAY_SNAPSHOT_AGE_SECONDS),
            ),
            metrics=metrics,
            processes=settings.GATEWAY_PROCESSES,
        )
        bill: Bill = import_string(BILL_RECORDS)
        clock: Clock = import_string(DATABASE_CLOCK)
        flusher = Flusher(
            spool=spool,
            bill=bill,
            clock=clock,
            holds=runtime.holds,
            refused=folder / "refused.jsonl",
            metrics=metrics,
        )
        self._loops = [
            Loop("snapshot", refreshing(runtime), settings.GATEWAY_SNAPSHOT_SECONDS),
            Loop("spool", flusher.sync, SPOOL_TURN_SECONDS),
            Loop("billing", flusher.flush, settings.GATEWAY_FLUSH_SECONDS),
        ]
        self._runtime = runtime
        for loop in self._loops:
            loop.start()

    async def stop(self) -> None:
        """End the threads; what billing has not yet taken is left to whoever runs next."""
        for loop in self._loops:
            await asyncio.to_thread(loop.end, END_WITHIN_SECONDS)
        self._loops = []
        if self._runtime is not None:
            await self._runtime.client.aclose()
            self._runtime.spool.close()
        self._runtime = None

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.start()
        runtime = self._runtime
        assert runtime is not None  # noqa: S101 - start() has just made it
        started = time.perf_counter()
        path = scope["path"]
        try:
            status = await self._route(runtime, path, scope, receive, send)
        except Refusal as refusal:
            status = refusal.status
            await refuse(send, refusal)
        except ClientLeft:
            status = 499
        route = path if path in MODEL_CALLS else "other"
        runtime.metrics.requests.labels(route, status).inc()
        runtime.metrics.seconds.labels(route).observe(time.perf_counter() - started)

    async def _route(
        self, runtime: Runtime, path: str, scope: Scope, receive: Receive, send: Send
    ) -> int:
        method = scope["method"]
        if path in MODEL_CALLS:
            _only("POST", method)
            return await calls.serve(runtime, path, scope, receive, send)
        if path == "/v1/models" or path.startswith("/v1/models/"):
            _only("GET", method)
            return await _models(runtime, path, scope, send)
        page = PAGES.get(path)
        if page is None or (path == "/metrics" and not _may_measure(scope)):
            raise errors.unknown_route(path)
        _only("GET", method)
        return await _answer_page(send, page(runtime))


def refreshing(runtime: Runtime) -> Callable[[], None]:
    """One turn of the refresher: take a snapshot, serve from it, let go of what it counts."""
    take: Take = import_string(TAKE_SNAPSHOT)

    def turn() -> None:
        runtime.current.replace(take())
        runtime.holds.forget_counted()

    return turn


def _only(allowed: str, method: str) -> None:
    if method != allowed:
        raise errors.wrong_method(method, allowed)


def _may_measure(scope: Scope) -> bool:
    """The numbers are open, or for whoever holds the token; to others they do not exist."""
    wanted = settings.METRICS_TOKEN.encode()
    given = bearer(scope) or b""
    return settings.METRICS_OPEN or (bool(wanted) and hmac.compare_digest(given, wanted))


async def _models(runtime: Runtime, path: str, scope: Scope, send: Send) -> int:
    caller = admission.authenticate(runtime, scope, utc_now())
    rows = [
        {
            "id": target.model,
            "object": "model",
            "created": int(target.ready_at.timestamp()),
            "owned_by": "centre",
        }
        for target in caller.snapshot.models_of(caller.grant)
    ]
    name = path.removeprefix("/v1/models").removeprefix("/")
    found: object = {"object": "list", "data": rows}
    if name:
        found = next((row for row in rows if row["id"] == name), None)
        if found is None:
            raise errors.unknown_model(name)
    await answer(send, 200, json.dumps(found).encode())
    return 200


# A page gives its status, its content type and its body.
Page = tuple[int, bytes, bytes]


def _healthz(runtime: Runtime) -> Page:
    """Alive: the process answers."""
    return 200, b"application/json", b'{"status":"ok"}'


def _readyz(runtime: Runtime) -> Page:
    """Ready: there is a snapshot young enough to serve from, and a spool that takes records."""
    age = runtime.current.age_seconds(utc_now())
    young = age is not None and age <= runtime.bounds.snapshot_age.total_seconds()
    ready = young and runtime.spool.is_writable
    content = {
        "status": "ready" if ready else "not_ready",
        "snapshot_age_seconds": None if age is None else round(age, 1),
        "spool_writable": runtime.spool.is_writable,
        "spool_pending": runtime.spool.pending,
    }
    return 200 if ready else 503, b"application/json", json.dumps(content).encode()


def _metrics(runtime: Runtime) -> Page:
    age = runtime.current.age_seconds(utc_now())
    runtime.metrics.snapshot_age.set(-1 if age is None else age)
    return 200, CONTENT_TYPE, runtime.metrics.text()


PAGES: dict[str, Callable[[Runtime], Page]] = {
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/metrics": _metrics,
}


async def _answer_page(send: Send, page: Page) -> int:
    status, content_type, body = page
    await answer(send, status, body, content_type=content_type)
    return status
