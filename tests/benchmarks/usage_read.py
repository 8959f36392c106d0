"""How long one tenant's month of usage takes to read, with fifty million events stored.

Run as ``python -m tests.benchmarks.usage_read [--events N] [--tenants N] [--reads N]``; it makes a
database of its own, prints what it measured and asserts nothing.

How the events are made: inside PostgreSQL, by ``generate_series``, a day at a time, into the real
tables with their real indexes: the event into its day's partition, its key into the key table, and
the sums of both meters into hourly buckets. Ids, quantities and instants are pseudo-random; a
tenth of the tenants make half of the traffic. They do not pass through the command for usage, which
``ingest.py`` measures; the invariants about events, keys and buckets are asked of them at the end.

Read are the sums of a random tenant's month: the console's page by day and model, the API's sums by
day, and the API's whole answer over HTTP, through every layer, from a server process of its own.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from socket import socket
from uuid import UUID

from tests.benchmarks.own_database import machine, own_database

MONTH_START = datetime(2026, 10, 31, 16, tzinfo=UTC)
DAYS = 30
KEYS = 8
MODELS = 5
GOAL_MS = 50
METERS = ("appliances.tokens_in", "appliances.tokens_out")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--reads", type=int, default=200)
    parser.add_argument("--writers", type=int, default=2, help="days made at the same time")
    options = parser.parse_args()
    with own_database("usage"):
        tenants = make_tenants(options.tenants)
        begun = time.perf_counter()
        stored = make_events(options.events, options.writers)
        seconds = time.perf_counter() - begun
        print(
            f"{stored['events']:,} events, {stored['buckets']:,} buckets, {stored['size']} "
            f"in {seconds:.0f} s"
        )
        busy = tenants[: max(len(tenants) // 10, 1)]
        for title, chosen in (("any tenant", tenants), ("the busiest", busy)):
            measure(title, chosen, options.reads)
        print(f"{machine()}; goal {GOAL_MS} ms p95; broken rules: {broken_rules()}")


def measure(title: str, tenants: list[tuple[UUID, str]], reads: int) -> None:
    """Print the median and the 95th of a hundred reads, for each way of reading."""
    chance = random.Random(50_000_000)
    chosen = [chance.choice(tenants) for _ in range(reads)]
    tell(f"page by day and model, {title}", [_timed(by_day, tenant) for tenant, _ in chosen])
    tell(f"sums by day, {title}", [_timed(sums, tenant) for tenant, _ in chosen])
    with served() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        over_http(connection, chosen[0][1])
        taken = [_timed(over_http, connection, secret) for _, secret in chosen]
        connection.close()
    tell(f"sums by day over HTTP, {title}", taken)


def tell(title: str, taken: list[float]) -> None:
    taken.sort()
    middle, late = statistics.median(taken) * 1000, taken[int(len(taken) * 0.95)] * 1000
    print(f"{title}: p50 {middle:.1f} ms, p95 {late:.1f} ms, worst {taken[-1] * 1000:.1f} ms")


def _timed(work: Callable[..., object], *arguments: object) -> float:
    begun = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begun


def by_day(tenant_id: UUID) -> None:
    from billing.queries.usage import usage_by_day  # noqa: PLC0415 - settings are loaded by main
    from common.period import Period  # noqa: PLC0415
    from tenants.scoping import tenant_scope  # noqa: PLC0415

    period = Period(MONTH_START, MONTH_START + timedelta(days=DAYS))
    with tenant_scope(tenant_id):
        assert len(usage_by_day(tenant_id=tenant_id, period=period, dimension="model")) >= DAYS


def sums(tenant_id: UUID) -> None:
    from billing.queries.sums import usage_sums  # noqa: PLC0415
    from common.period import Period  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import tenant_scope  # noqa: PLC0415

    period = Period(MONTH_START, MONTH_START + timedelta(days=DAYS))
    with tenant_scope(tenant_id):
        page = usage_sums(
            actor=SYSTEM, tenant_id=tenant_id, period=period, group_by="day", limit=100
        )
    assert len(page.items) >= DAYS


def over_http(connection: http.client.HTTPConnection, secret: str) -> None:
    starts, ends = (
        (MONTH_START + timedelta(days=days)).isoformat().replace("+00:00", "Z")
        for days in (0, DAYS)
    )
    connection.request(
        "GET",
        f"/api/v1/usage/summary?from={starts}&to={ends}&group_by=day&limit=100",
        headers={"Authorization": f"Bearer {secret}"},
    )
    answer = json.loads(connection.getresponse().read())
    assert len(answer["items"]) >= DAYS, answer


@contextmanager
def served() -> Iterator[int]:
    """The product's own server, one worker."""
    from django.db import connections  # noqa: PLC0415

    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "error"),
        "portal.wsgi:application",
    ]
    before, name = os.environ["DATABASE_URL"], connections["owner"].settings_dict["NAME"]
    start, _, query = before.partition("?")
    url = f"{start.rpartition('/')[0]}/{name}?{query}"
    environment = {**os.environ, "DATABASE_URL": url, "API_REQUESTS_PER_MINUTE": "1000000"}
    server = subprocess.Popen(command, env=environment)  # noqa: S603 - our own command
    try:
        pause = threading.Event()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and server.poll() is None:
            with closing(socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            pause.wait(0.2)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def make_tenants(count: int) -> list[tuple[UUID, str]]:
    """Tenants with an open month, a key that may read usage, and series of two meters."""
    from billing.models import BillingPeriod, Series  # noqa: PLC0415
    from common.ids import uuid7  # noqa: PLC0415
    from tenants.commands.keys import create_key  # noqa: PLC0415
    from tenants.commands.organisations import create_organisation  # noqa: PLC0415
    from tenants.permissions import SYSTEM, Permission  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415

    made = []
    with operator_scope():
        for number in range(count):
            tenant = create_organisation(actor=SYSTEM, code=f"tenant-{number}", name=f"{number}")
            _key, secret = create_key(
                actor=SYSTEM,
                tenant_id=tenant.pk,
                name="bench",
                scopes=[Permission.USAGE_READ.value],
                now=datetime.now(UTC),
            )
            BillingPeriod.objects.create(
                tenant=tenant,
                starts_at=MONTH_START,
                ends_at=MONTH_START + timedelta(days=DAYS),
            )
            Series.objects.bulk_create(
                Series(
                    tenant=tenant,
                    key=uuid7(),
                    meter=METERS[place % 2],
                    dimensions={
                        "model": f"m{place // 2 % MODELS}",
                        "deployment": "d",
                        "key": f"k{place}",
                    },
                )
                for place in range(2 * KEYS)
            )
            made.append((tenant.pk, secret))
    return made


# One day: a random series for each number, a random instant, and the same row's key.
EVENTS = """
WITH numbered AS MATERIALIZED (
    SELECT series.id AS series_id, series.tenant_id, period.id AS period_id,
        row_number() OVER (ORDER BY series.tenant_id, series.id) AS place
    FROM billing_series series
    JOIN billing_billingperiod period ON period.tenant_id = series.tenant_id
), made AS MATERIALIZED (
    SELECT gen_random_uuid() AS key, n,
        -- A tenth of the series take half of the numbers.
        1 + CASE WHEN n %% 2 = 0 THEN (n * 7919) %% greatest(%(series)s / 10, 1)
            ELSE (n * 104729) %% %(series)s END AS place,
        %(day)s + (n * 86399.0 / %(count)s) * interval '1 second' AS at
    FROM generate_series(0::bigint, %(count)s - 1) n
), kept AS (
    INSERT INTO billing_usageevent
        (key, tenant_id, series_id, period_id, at, quantity, source, event_id, subject)
    SELECT made.key, tenant_id, series_id, period_id, at, 1 + (n * 48271) %% 8000, 'gateway',
        'call-' || n || '-' || left(made.key::text, 8), 'appliances.deployment:1'
    FROM made JOIN numbered USING (place)
    RETURNING key, tenant_id, series_id, period_id, at, quantity
), keyed AS (
    INSERT INTO billing_eventkey (key, tenant_id, payload, at)
    SELECT key, tenant_id, key, at FROM kept
)
INSERT INTO billing_usagebucket (series_id, hour, period_id, tenant_id, quantity, events)
SELECT series_id, date_bin('1 hour', at, 'epoch'), period_id, tenant_id, sum(quantity), count(*)
FROM kept GROUP BY 1, 2, 3, 4
"""


def make_events(events: int, writers: int) -> dict[str, object]:
    from django.db import connections  # noqa: PLC0415

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT billing_open_event_days(%s::date[])",
            [[(MONTH_START + timedelta(days=day)).date() for day in range(DAYS + 1)]],
        )
        values = {"series": _series(cursor), "count": events // DAYS}
    connections.close_all()
    children = [
        child for child in (_fork(range(n, DAYS, writers), values) for n in range(writers)) if child
    ]
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0, "a writer failed"
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(
            "SELECT (SELECT count(*) FROM billing_usageevent), "
            "(SELECT count(*) FROM billing_usagebucket), "
            "pg_size_pretty(pg_database_size(current_database()))"
        )
        stored, buckets, size = cursor.fetchone()
    return {"events": stored, "buckets": buckets, "size": size}


def _fork(days: Iterable[int], values: Mapping[str, int]) -> int:
    """A process that makes these days."""
    from django.db import connections  # noqa: PLC0415

    child = os.fork()
    if child:
        return child
    status = 1
    try:
        with connections["owner"].cursor() as cursor:
            for day in days:
                cursor.execute(EVENTS, {**values, "day": MONTH_START + timedelta(days=day)})
        status = 0
    finally:
        os._exit(status)


def _series(cursor: object) -> int:
    cursor.execute("SELECT count(*) FROM billing_series")  # type: ignore[attr-defined]
    return int(cursor.fetchone()[0])  # type: ignore[attr-defined]


def broken_rules() -> list[str]:
    """Which of the rules about events, keys and buckets do not hold of what was made."""
    from django.db import connections  # noqa: PLC0415

    from billing.queries.invariants import INVARIANTS  # noqa: PLC0415

    named = (
        "each event has one key and each key one event",
        "each event counts once in its bucket",
    )
    broken = []
    with connections["owner"].cursor() as cursor:
        for name in named:
            cursor.execute(f"SELECT * FROM ({INVARIANTS[name]}) broken LIMIT 1")  # noqa: S608
            if cursor.fetchall():
                broken.append(name)
    return broken


if __name__ == "__main__":
    main()
