"""A gateway in this process: its parts from a snapshot made by hand, and a client for it."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from common.clock import utc_now
from common.ids import uuid7
from portal.gateway import snapshot as snapshots
from portal.gateway.background import Current
from portal.gateway.runtime import Bounds, Runtime
from portal.gateway.server import Gateway
from portal.gateway.snapshot import Grant, Snapshot, Target
from portal.gateway.spool import CallRecord, Spool
from portal.gateway.wire import Client

ALICE = UUID("0192f000-0000-7000-8000-00000000000a")
BOB = UUID("0192f000-0000-7000-8000-00000000000b")
PROJECT = UUID("0192f000-0000-7000-8000-0000000000f1")
OTHER_PROJECT = UUID("0192f000-0000-7000-8000-0000000000f2")
CHAT = "/v1/chat/completions"
KEY = "acp_alice"


def grant(tenant: UUID = ALICE, **fields: object) -> Grant:
    """A key that may call every model of its tenant."""
    given = Grant(
        key_id=uuid7(),
        tenant_id=tenant,
        project_id=None,
        scopes=frozenset({"appliances:model:call"}),
        allowed_models=frozenset(),
        expires_at=None,
        requests_per_minute=None,
    )
    return replace(given, **fields)  # type: ignore[arg-type]


def target(model: str, endpoint: str, tenant: UUID = ALICE, project: UUID = PROJECT) -> Target:
    return Target(
        tenant_id=tenant,
        project_id=project,
        model=model,
        deployment_id=uuid7(),
        endpoint=endpoint,
        api="chat",
        ready_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


def snapshot(
    keys: dict[str, Grant],
    targets: list[Target],
    spenders: tuple[UUID, ...] = (ALICE, BOB),
    taken_at: datetime | None = None,
) -> Snapshot:
    return snapshots.build(
        taken_at=taken_at or utc_now(),
        grants=[(sha256(secret.encode()).digest(), given) for secret, given in keys.items()],
        targets=targets,
        spenders=spenders,
    )


def gateway_with(
    folder: Path,
    given: Snapshot | None,
    *,
    body_bytes: int = 10_000,
    per_minute: int = 600,
    read_seconds: float = 5,
) -> tuple[Gateway, Runtime]:
    """A gateway that serves from this snapshot; nothing refreshes it and nothing is flushed."""
    current = Current(folder / "snapshot.json")
    current.snapshot = given
    runtime = Runtime(
        current=current,
        spool=Spool(folder / "spool"),
        client=Client(connect_seconds=2, read_seconds=read_seconds),
        bounds=Bounds(
            body_bytes=body_bytes,
            requests_per_minute=per_minute,
            snapshot_age=timedelta(hours=24),
        ),
    )
    return Gateway(runtime), runtime


def spooled(runtime: Runtime) -> list[CallRecord]:
    """Everything metered so far, handed over as billing would get it."""
    taken: list[CallRecord] = []
    runtime.spool.flush(taken.extend)
    return taken


@dataclass
class Reply:
    """What a client got: the parts are the body as it came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def error(self) -> dict[str, object]:
        parsed = json.loads(self.body)
        assert set(parsed) == {"error"}
        assert set(parsed["error"]) == {"message", "type", "param", "code"}
        error: dict[str, object] = parsed["error"]
        return error


async def call(
    gateway: Gateway,
    path: str,
    body: object = None,
    *,
    method: str = "POST",
    key: str | None = KEY,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    leave_after_parts: int | None = None,
) -> Reply:
    """One request through ASGI; the client may leave after so many parts of the answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": [*sent, *headers]}
    reply, left, asked = Reply(), asyncio.Event(), False

    async def receive() -> dict[str, object]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": raw, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        elif message.get("body"):
            reply.parts.append(message["body"])
        if leave_after_parts is not None and len(reply.parts) >= leave_after_parts:
            left.set()

    await asyncio.wait_for(gateway(scope, receive, send), 20)
    return reply


def chat(model: str = "m", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields}
