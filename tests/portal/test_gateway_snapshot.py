"""The snapshot: kept on disk with a seal, believed only while it is whole and young."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from django.db import OperationalError

from common.clock import utc_now
from portal.gateway import snapshot as snapshots
from portal.gateway.background import Current, Loop
from tests.factories.gateway import (
    ALICE,
    CHAT,
    KEY,
    PROJECT,
    call,
    chat,
    gateway_with,
    grant,
    snapshot,
    target,
)


def rich() -> snapshots.Snapshot:
    limited = grant(
        project_id=PROJECT,
        allowed_models=frozenset({"a", "模型"}),
        expires_at=utc_now() + timedelta(days=1),
        requests_per_minute=9,
    )
    targets = [target("m", "http://127.0.0.1:9"), target("n", "http://127.0.0.1:8")]
    return snapshot({KEY: grant(), "acp_limited": limited}, targets, (ALICE,))


def test_a_snapshot_survives_the_way_to_the_disk_and_back(tmp_path: Path) -> None:
    path = tmp_path / "gateway" / "snapshot.json"
    given = rich()
    snapshots.save(given, path)
    assert snapshots.load(path) == given
    assert path.stat().st_mode & 0o777 == 0o600
    assert KEY not in path.read_text()


def test_a_snapshot_that_was_touched_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    assert snapshots.load(path) is None
    snapshots.save(rich(), path)
    path.write_text(path.read_text().replace(str(ALICE), str(PROJECT)))
    assert snapshots.load(path) is None
    path.write_bytes(b"\xff\xfe")
    assert snapshots.load(path) is None


def test_a_gateway_started_without_a_database_serves_from_the_disk(tmp_path: Path) -> None:
    current = Current(tmp_path / "snapshot.json")
    assert current.snapshot is None
    current.replace(rich())
    assert Current(tmp_path / "snapshot.json").snapshot == current.snapshot


def test_the_file_is_written_again_only_when_it_tells_something_new(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    current = Current(path)
    keys = {KEY: grant()}
    first = snapshot(keys, [])
    current.replace(first)
    written = path.stat().st_mtime_ns
    later = snapshot(keys, [], taken_at=first.taken_at + timedelta(seconds=1))
    current.replace(later)
    assert path.stat().st_mtime_ns == written
    assert current.snapshot is later
    current.replace(snapshot(keys, [], taken_at=first.taken_at + timedelta(seconds=30)))
    assert path.stat().st_mtime_ns > written


def test_a_refresh_that_fails_leaves_what_is_known(tmp_path: Path) -> None:
    current = Current(tmp_path / "snapshot.json")
    given = rich()
    current.replace(given)
    turns = 0

    def database_is_gone() -> None:
        nonlocal turns
        turns += 1
        raise OperationalError

    loop = Loop("snapshot", database_is_gone, 0.01)
    loop.start()
    while turns < 3:
        loop.join(0.01)
    loop.end(5)
    assert not loop.is_alive()
    assert current.snapshot is given


def test_a_snapshot_too_old_is_not_served_from(tmp_path: Path) -> None:
    async def run() -> None:
        old = snapshot({KEY: grant()}, [], taken_at=utc_now() - timedelta(hours=25))
        gateway, _ = gateway_with(tmp_path, old)
        reply = await call(gateway, CHAT, chat())
        assert (reply.status, reply.error["code"]) == (503, "gateway_not_ready")
        ready = await call(gateway, "/readyz", method="GET")
        assert ready.status == 503
        assert 90_000 <= json.loads(ready.body)["snapshot_age_seconds"] < 90_010
        assert (await call(gateway, "/healthz", method="GET")).status == 200
        await gateway.stop()

    asyncio.run(run())


def test_before_the_first_snapshot_the_gateway_says_it_is_not_ready(tmp_path: Path) -> None:
    async def run() -> None:
        gateway, runtime = gateway_with(tmp_path, None)
        assert (await call(gateway, CHAT, chat())).status == 503
        assert (await call(gateway, "/readyz", method="GET")).status == 503
        page = await call(gateway, "/metrics", method="GET")
        assert b"gateway_snapshot_age_seconds -1.0" in page.body
        runtime.current.snapshot = rich()
        assert (await call(gateway, "/readyz", method="GET")).status == 200
        assert (await call(gateway, CHAT, chat("none"))).status == 404
        await gateway.stop()

    asyncio.run(run())
