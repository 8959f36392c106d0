"""Measure ingest with exact deduplication and hourly rollup against a raw COPY of the same rows.

Run as ``python -m tests.benchmarks.ingest [--rows N] [--batch N] [--rounds N]`` against a migrated
database of its own; it prints rates and ratios and asserts nothing. Both sides start from the same
event objects in memory and end committed; the raw side copies the same columns into a plain table
without any index. The reader of the result is told the worst round as well as the median.

Deduplication alone is measured in the same rounds, by the same command on as many other events,
without the part of its statements that adds to the hourly buckets. All else stays: checks, both
digests, staging, keys, events in their partitions, periods, batches. The events it leaves behind
stand in no bucket, so the database is good for nothing afterwards.
"""

import argparse
import gc
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import django

from tests.benchmarks.own_database import machine


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
        batches = _batches(rows, batch, f"{number}")
        others = _batches(rows, batch, f"{number}-alone")
        # All events of a round wait in memory, which no process that takes in usage has: the
        # collector's walks over them would be counted as the work of whoever makes objects.
        gc.freeze()
        raw = rows / _seconds(lambda parts=batches: _copy_raw(parts, tenant_id))
        prepared = [_lines(part, tenant_id) for part in batches]
        bare = rows / _seconds(lambda parts=prepared: _copy_lines(parts))
        # Whichever comes second finds larger indexes, so they take turns.
        if number % 2:
            once = rows / _seconds(lambda parts=others: _deduplicate(parts, tenant_id))
        ours = rows / _seconds(lambda parts=batches: _ingest(parts, tenant_id))
        if not number % 2:
            once = rows / _seconds(lambda parts=others: _deduplicate(parts, tenant_id))
        again = rows / _seconds(lambda parts=batches: _ingest(parts, tenant_id))
        gc.unfreeze()
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


def _batches(rows: int, batch: int, name: str) -> list[Sequence[object]]:
    events = _events(rows, name)
    return [events[at : at + batch] for at in range(0, rows, batch)]


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


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _tenant() -> UUID:
    from tenants.models import Organisation  # noqa: PLC0415 - settings are loaded by main
    from tenants.scoping import operator_scope  # noqa: PLC0415
    from tests.factories import billing as make  # noqa: PLC0415

    with operator_scope():
        code = f"bench-{random.randrange(10**9)}"
        assert make.TOKENS_IN
        return Organisation.objects.create(code=code, name="Benchmark").pk


def _events(rows: int, name: str) -> Sequence[object]:
    from common.clock import utc_now  # noqa: PLC0415 - settings are loaded by main
    from tests.factories import billing as make  # noqa: PLC0415

    # Three days, two meters, eight keys: what one busy tenant's gateway reports.
    start = utc_now() - timedelta(days=3)
    step = timedelta(days=3) / rows
    return [
        make.tokens(
            f"{name}-{index:08d}-{random.getrandbits(64):016x}",
            random.randrange(1, 8000),
            start + step * index,
            meter=("test.tokens_in", "test.tokens_out")[index % 2],
            key=f"key-{index % 8}",
        )
        for index in range(rows)
    ]


def _lines(batch: Sequence[object], tenant_id: UUID) -> bytes:
    return "".join(
        f"00000000-0000-0000-0000-{index:012d}\t{tenant_id}\t1\t{event.at.isoformat()}"  # type: ignore[attr-defined]
        f"\t{event.quantity}\t{event.source}\t{event.id}\t{event.subject}\n"  # type: ignore[attr-defined]
        for index, event in enumerate(batch)
    ).encode()


def _copy_raw(batches: Sequence[Sequence[object]], tenant_id: UUID) -> None:
    _copy_lines(_lines(batch, tenant_id) for batch in batches)


def _copy_lines(prepared: Iterable[bytes]) -> None:
    from django.db import connection, transaction  # noqa: PLC0415 - settings are loaded by main

    with connection.cursor() as cursor:
        # The application's role makes no permanent tables, so the yardstick is the owner's.
        cursor.execute("RESET ROLE")
        cursor.execute("DROP TABLE IF EXISTS benchmark_raw")
        cursor.execute(
            "CREATE TABLE benchmark_raw (key uuid, tenant_id uuid, series_id bigint, "
            "at timestamptz, quantity bigint, source text, event_id text, subject text, "
            "received_at timestamptz DEFAULT now(), xact xid8 DEFAULT pg_current_xact_id())"
        )
    for lines in prepared:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            cursor.copy(
                "COPY benchmark_raw (key, tenant_id, series_id, at, quantity, source, event_id, "
                "subject) FROM STDIN"
            ) as copy,
        ):
            copy.write(lines)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE benchmark_raw")


def _deduplicate(batches: Sequence[Sequence[object]], tenant_id: UUID) -> None:
    with _without_rollup():
        _ingest(batches, tenant_id)


def _ingest(batches: Sequence[Sequence[object]], tenant_id: UUID) -> None:
    from billing.commands.usage import record_usage  # noqa: PLC0415 - settings are loaded by main
    from common.clock import utc_now  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import tenant_scope  # noqa: PLC0415

    for batch in batches:
        with tenant_scope(tenant_id):
            record_usage(actor=SYSTEM, tenant_id=tenant_id, events=batch, now=utc_now())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
