"""Usage events a second over HTTP: one granian worker, batches of a thousand.

    python -m tests.benchmarks.ingest_http [batches] [clients]

Needs DATABASE_URL of a database that may be filled: it makes a tenant of its own there, with a key,
migrates nothing, and prints what it measured. It asserts nothing: the machine decides.
"""

import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from socket import socket

import django

BATCH = 1000
PATH = "/api/v1/usage/events"
MEDIA_TYPE = "application/cloudevents-batch+json"


def make_key() -> str:
    """A tenant with one key that may report usage."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.dev")
    django.setup()
    # Only after the setup may domain modules be read.
    from tenants.commands.keys import create_key  # noqa: PLC0415
    from tenants.commands.organisations import create_organisation  # noqa: PLC0415
    from tenants.permissions import SYSTEM, Permission  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415

    with operator_scope():
        code = f"bench-{secrets.token_hex(4)}"
        tenant = create_organisation(actor=SYSTEM, code=code, name="Benchmark")
        _key, secret = create_key(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            name="bench",
            scopes=[Permission.USAGE_INGEST.value],
            now=datetime.now(UTC),
        )
    return secret


def batch(number: int) -> bytes:
    """A thousand calls over the last hour, of twenty models and keys."""
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    events = [
        {
            "specversion": "1.0",
            "id": f"{number}-{index}",
            "source": "bench",
            "type": "appliances.tokens_in",
            "subject": "appliances.deployment:1",
            "time": at,
            "data": {
                "quantity": 1 + index,
                "dimensions": {"model": f"m{index % 20}", "deployment": "d", "key": "k"},
            },
        }
        for index in range(BATCH)
    ]
    return json.dumps(events).encode()


def send(port: int, secret: str, bodies: list[bytes], taken: list[float]) -> None:
    """One client: its batches one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": MEDIA_TYPE}
    for body in bodies:
        begun = time.perf_counter()
        connection.request("POST", PATH, body, headers)
        answer = json.loads(connection.getresponse().read())
        taken.append(time.perf_counter() - begun)
        if answer.get("accepted") != BATCH:
            raise SystemExit(f"Not all were taken: {str(answer)[:300]}")
    connection.close()


def wait_until_up(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    pause = threading.Event()
    while time.monotonic() < deadline and server.poll() is None:
        with closing(socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.2)
    raise SystemExit("The server did not come up.")


def main(batches: int = 60, clients: int = 1) -> None:
    secret = make_key()
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "error"),
        "portal.wsgi:application",
    ]
    environment = {**os.environ, "API_REQUESTS_PER_MINUTE": "1000000"}
    server = subprocess.Popen(command, env=environment)  # noqa: S603 - our own command
    try:
        wait_until_up(port, server)
        send(port, secret, [batch(-1)], [])
        bodies = [batch(number) for number in range(batches)]
        taken: list[float] = []
        threads = [
            threading.Thread(target=send, args=(port, secret, bodies[first::clients], taken))
            for first in range(clients)
        ]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
    finally:
        server.terminate()
        server.wait(20)
    rate = len(taken) * BATCH / seconds
    median = statistics.median(taken) * 1000
    print(  # noqa: T201 - what it is for
        f"{len(taken) * BATCH} events in {seconds:.2f} s: {rate:,.0f} events/s over HTTP, "
        f"{clients} client(s), median {median:.0f} ms a batch of {BATCH}"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
