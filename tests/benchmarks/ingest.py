"""Measure ingest with exact deduplication and hourly rollup against a raw COPY of the same rows.

Run as ``python -m tests.benchmarks.ingest [--rows N] [--batch N] [--rounds N]`` against a migrated
database of its own; it prints rates and ratios and asserts nothing. Both sides start from the same
event objects in memory, made batch by batch, and end committed; the raw side copies the same
columns into a plain table without any index. The reader of the result is told the worst round as
well as the median.

Deduplication alone is measured in the same rounds, by the same command on as many other events,
without the part of its statements that adds to the hourly buckets. All else stays: checks, both
digests, staging, keys, events in their partitions, periods, batches. The events it leaves behind
stand in no bucket, so the database is good for nothing afterwards.
"""

import argparse
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import django

from tests.benchmarks.own_database import machine

Part = TypeVar("Part")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.dev")
    django.setup()
    run(arguments.rows, arguments.batch, arguments.rounds)


def run(rows: int, batch: int, rounds: int) -> None:
    from django.db import connection  # noqa: PLC0415 - settings are loaded by main

    tenant_id = _tenant()
    connection.ensure_connection()
    ratios, alone = [], []
    for number in range(rounds):
        events, others = (Events(rows, batch, f"{number}-{name}") for name in ("all", "alone"))
        _make_raw()
        raw = rows / _seconds(lambda part: _copy_raw(_lines(part, tenant_id)), events)
        _make_raw()
        bare = rows / _seconds(_copy_raw, (_lines(part, tenant_id) for part in events))
        # Whichever comes second finds larger indexes, so they take turns.
        if number % 2:
            once = rows / _seconds(lambda part: _deduplicate(part, tenant_id), others)
        ours = rows / _seconds(lambda part: _ingest(part, tenant_id), events)
        if not number % 2:
            once = rows / _seconds(lambda part: _deduplicate(part, tenant_id), others)
        again = rows / _seconds(lambda part: _ingest(part, tenant_id), events)
        ratios.append(ours / raw)
        alone.append(once / raw)
        print(
            f"round {number + 1}: raw COPY {raw:,.0f} rows/s, of bytes made beforehand "
            f"{bare:,.0f} | ingest {ours:,.0f} rows/s "
            f"({ours / raw:.3f}x, {ours / bare:.3f}x) | deduplication alone {once:,.0f} rows/s "
            f"({once / raw:.3f}x) | all duplicates {again:,.0f} rows/s ({again / raw:.3f}x)"
        )
    for title, found, goal in (
        ("with exact deduplication and hourly rollup", ratios, "0.20x"),
        ("with exact deduplication alone", alone, "0.30x"),
    ):
        print(
            f"ingest {title}, {rows:,} rows in batches of {batch:,}: median "
            f"{statistics.median(found):.3f}x raw COPY, worst {min(found):.3f}x (goal {goal})"
        )
    print(machine())


class Events:
    """The same batches of events each time they are gone through.

    Each is made when its turn comes: events of a whole round waiting in memory, which no process
    that takes in usage has, would give the collector work that is nobody's.
    """

    def __init__(self, rows: int, batch: int, name: str) -> None:
        from common.clock import utc_now  # noqa: PLC0415 - settings are loaded by main

        # Three days, two meters, eight keys: what one busy tenant's gateway reports.
        self._start, self._step = utc_now() - timedelta(days=3), timedelta(days=3) / rows
        self._rows, self._batch, self._name = rows, batch, name
        self._seed = random.getrandbits(64)

    def __iter__(self) -> Iterator[Sequence[object]]:
        from tests.factories import billing as make  # noqa: PLC0415

        chance = random.Random(self._seed)
        for first in range(0, self._rows, self._batch):
            yield [
                make.tokens(
                    f"{self._name}-{index:08d}-{chance.getrandbits(64):016x}",
                    chance.randrange(1, 8000),
                    self._start + self._step * index,
                    meter=("test.tokens_in", "test.tokens_out")[index % 2],
                    key=f"key-{index % 8}",
                )
                for index in range(first, min(first + self._batch, self._rows))
            ]


ROLLUP = re.compile(r",\nbucketed AS \(\n.*?\n\)(?=\n+SELECT)", re.DOTALL)


@contextmanager
def _without_rollup() -> Iterator[None]:
    """The ingest statements without their last part."""
    from billing.commands import staging  # noqa: PLC0415 - settings are loaded by main

    whole = staging.COUNT, staging.COUNT_ALL
    (staging.COUNT, found), (staging.COUNT_ALL, also) = (ROLLUP.subn("", one) for one in whole)
    assert found == also == 1, "The statements are others now: say what deduplication alone is."
    try:
        yield
    finally:
        staging.COUNT, staging.COUNT_ALL = whole


def _seconds(work: Callable[[Part], None], parts: Iterable[Part]) -> float:
    """What the work on all parts took, without the making of them."""
    taken = 0.0
    for part in parts:
        started = time.perf_counter()
        work(part)
        taken += time.perf_counter() - started
    return taken


def _tenant() -> UUID:
    from tenants.models import Organisation  # noqa: PLC0415 - settings are loaded by main
    from tenants.scoping import operator_scope  # noqa: PLC0415
    from tests.factories import billing as make  # noqa: PLC0415

    with operator_scope():
        code = f"bench-{random.randrange(10**9)}"
        assert make.TOKENS_IN
        return Organisation.objects.create(code=code, name="Benchmark").pk


def _lines(batch: Sequence[object], tenant_id: UUID) -> bytes:
    return "".join(
        f"00000000-0000-0000-0000-{index:012d}\t{tenant_id}\t1\t{event.at.isoformat()}"  # type: ignore[attr-defined]
        f"\t{event.quantity}\t{event.source}\t{event.id}\t{event.subject}\n"  # type: ignore[attr-defined]
        for index, event in enumerate(batch)
    ).encode()


def _make_raw() -> None:
    """An empty table to copy into."""
    from django.db import connection  # noqa: PLC0415 - settings are loaded by main

    with connection.cursor() as cursor:
        # The application's role makes no permanent tables, so the yardstick is the owner's.
        cursor.execute("RESET ROLE")
        cursor.execute("DROP TABLE IF EXISTS benchmark_raw")
        cursor.execute(
            "CREATE TABLE benchmark_raw (key uuid, tenant_id uuid, series_id bigint, "
            "at timestamptz, quantity bigint, source text, event_id text, subject text, "
            "received_at timestamptz DEFAULT now(), xact xid8 DEFAULT pg_current_xact_id())"
        )


def _copy_raw(lines: bytes) -> None:
    from django.db import connection, transaction  # noqa: PLC0415 - settings are loaded by main

    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy(
            "COPY benchmark_raw (key, tenant_id, series_id, at, quantity, source, event_id, "
            "subject) FROM STDIN"
        ) as copy,
    ):
        copy.write(lines)


def _deduplicate(batch: Sequence[object], tenant_id: UUID) -> None:
    with _without_rollup():
        _ingest(batch, tenant_id)


def _ingest(batch: Sequence[object], tenant_id: UUID) -> None:
    from billing.commands.usage import record_usage  # noqa: PLC0415 - settings are loaded by main
    from common.clock import utc_now  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import tenant_scope  # noqa: PLC0415

    with tenant_scope(tenant_id):
        record_usage(actor=SYSTEM, tenant_id=tenant_id, events=batch, now=utc_now())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
