"""Chat calls straight to a stub model server, and the same calls through the gateway.

Run: ``python -m tests.benchmarks.gateway [--calls 3000] [--concurrency 8] [--rate 300]``. Prints
calls per second and the median latency of each, and what the gateway adds. Asserts nothing.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import django
import httpx

from common.clock import utc_now
from common.ids import uuid7
from portal.gateway import snapshot as snapshots
from tests.model_server import StubModel

KEY = "acp_benchmark"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello, centre!"}]})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until something listens; ends the benchmark after ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"Nothing listens on port {port}.")


async def stub(port: int) -> None:
    server = await StubModel(keeps_requests=False).start(port)
    await server.serve_forever()


def prepare(folder: Path, upstream_port: int) -> None:
    """Put a snapshot on the disk, so that the gateway needs no database."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings.dev"
    django.setup()
    tenant, project, now = uuid7(), uuid7(), utc_now()
    grant = snapshots.Grant(
        key_id=uuid7(),
        tenant_id=tenant,
        project_id=None,
        scopes=frozenset({"appliances:model:call"}),
        allowed_models=frozenset(),
        expires_at=now + timedelta(days=1),
        requests_per_minute=100_000_000,
    )
    target = snapshots.Target(
        tenant_id=tenant,
        project_id=project,
        model="m",
        deployment_id=uuid7(),
        endpoint=f"http://127.0.0.1:{upstream_port}",
        api="chat",
        ready_at=now,
    )
    fresh = snapshots.build(
        taken_at=now,
        grants=[(sha256(KEY.encode()).digest(), grant)],
        targets=[target],
        spenders=[tenant],
    )
    snapshots.save(fresh, folder / "snapshot.json")


async def _caller(
    port: int, calls: int, interval: float, offset: float, seconds: list[float]
) -> None:
    """One connection kept alive, one call after the other; as little client as will do."""
    due = time.perf_counter() + offset
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n{BODY}"
    ).encode()
    for _ in range(calls):
        due += interval
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(head.decode())
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - started)
    writer.close()


async def load(port: int, calls: int, concurrency: int, rate: int) -> tuple[float, float]:
    """Gives calls per second and the median milliseconds of one; rate 0 is as fast as it goes."""
    seconds: list[float] = []
    started = time.perf_counter()
    share = calls // concurrency
    interval = concurrency / rate if rate else 0.0
    await asyncio.gather(
        *(
            _caller(port, share, interval, interval * number / concurrency, seconds)
            for number in range(concurrency)
        )
    )
    return len(seconds) / (time.perf_counter() - started), statistics.median(seconds) * 1000


def measure(
    name: str, port: int, calls: int, concurrency: int, rate: int = 0
) -> tuple[float, float]:
    """In a process of its own, so that the caller does not share the gateway's interpreter."""
    command = [sys.executable, "-m", "tests.benchmarks.gateway", "load", str(port)]
    command += ["--calls", str(calls), "--concurrency", str(concurrency), "--rate", str(rate)]
    reached, median = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    print(f"{name:<36}{reached:7.0f} calls/s   median {median:6.2f} ms   {concurrency} callers")
    return reached, median


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=["all", "stub", "load"])
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rate", type=int, default=300)
    given = parser.parse_args(argv)
    if given.part == "stub":
        asyncio.run(stub(given.port))
        return 0
    if given.part == "load":
        print(json.dumps(asyncio.run(load(given.port, given.calls, given.concurrency, given.rate))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), given.calls, given.concurrency, given.rate)


def compare(folder: Path, calls: int, concurrency: int, rate: int) -> int:
    upstream_port, gateway_port = free_port(), free_port()
    prepare(folder, upstream_port)
    environment = {
        **os.environ,
        "GATEWAY_STATE_DIR": str(folder),
        # Nothing listens there: the gateway serves from its snapshot alone.
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "DATABASE_OWNER_URL": "postgresql://nobody@127.0.0.1:9/none",
    }
    python = sys.executable
    stub_command = [python, "-m", "tests.benchmarks.gateway", "stub", str(upstream_port)]
    serve = [python, "-m", "uvicorn", "portal.gateway.app:application", "--no-access-log"]
    serve += ["--host", "127.0.0.1", "--port", str(gateway_port), "--log-level", "warning"]
    stub_process = subprocess.Popen(stub_command)
    gateway = subprocess.Popen(serve, env=environment)
    try:
        wait_for(upstream_port)
        wait_for(gateway_port)
        httpx.get(f"http://127.0.0.1:{gateway_port}/readyz").raise_for_status()
        print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
        measure("warm-up", gateway_port, 200, concurrency)
        paced = calls // 3
        _, direct = measure(f"stub, {rate}/s asked", upstream_port, paced, concurrency, rate)
        _, through = measure(f"gateway, {rate}/s asked", gateway_port, paced, concurrency, rate)
        full, full_median = measure("stub, at full speed", upstream_port, calls, concurrency)
        most, most_median = measure("gateway, at full speed", gateway_port, calls, concurrency)
        print(f"the gateway adds {through - direct:.2f} ms at the median, {rate} calls/s asked")
        print(
            f"the gateway adds {most_median - full_median:.2f} ms at full speed, queueing included"
        )
        print(f"the gateway reaches {most / full:.2f} of the stub's own rate")
    finally:
        for process in (gateway, stub_process):
            process.terminate()
            process.wait(10)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
