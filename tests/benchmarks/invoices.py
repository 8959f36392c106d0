"""How long a month's invoice run takes, for 100 and for 1,000 tenants of 10,000 rated rows each.

Run as ``python -m tests.benchmarks.invoices [--tenants N ...] [--rows N] [--workers N]``; it makes
a database of its own, prints what it measured, and asserts nothing. A rated row is one bucket: one
series in one clock hour, which is what rating reads. The buckets are generated inside PostgreSQL
and not ingested, then vacuumed as those of a month would have been; everything after them is the
product's own run: draft each tenant, agree to all, issue each, with numbers, hashes, ledger,
notices and the database's own recount. The yardstick of the same run is one bare sum over the same
buckets.
"""

import argparse
import cProfile
import os
import pstats
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.benchmarks.own_database import Processor, machine, own_database

MONTH_START = datetime(2026, 10, 31, 16, tzinfo=UTC)
MONTH_END = datetime(2026, 11, 30, 16, tzinfo=UTC)
NOW = MONTH_END + timedelta(hours=7)
HOURS = 200
GOAL_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with own_database("invoices"):
        from tests.factories import billing as make  # noqa: PLC0415 - needs the settings first

        make.make_prices()
        work = run
        if options.profile:
            work = profiled
        each = [work(count, options.rows, options.workers) for count in options.tenants]
    for count, (seconds, yardstick) in zip(options.tenants, each, strict=True):
        print(
            f"{count:,} tenants x {options.rows:,} rated rows: {seconds:.1f} s, "
            f"{seconds / count * 1000:.1f} ms a tenant, {yardstick / seconds:.3f}x of a bare sum "
            f"over the same rows ({yardstick:.1f} s); {options.workers} worker(s), {machine()}"
        )
    if len(each) > 1:
        first, last = (
            seconds / count for (seconds, _), count in zip(each, options.tenants, strict=True)
        )
        print(f"a tenant of the last run costs {last / first:.2f}x one of the first (1 is linear)")
    print(f"goal: 1,000 tenants x 10,000 rows within {GOAL_SECONDS} s")


def run(tenants: int, rows: int, workers: int) -> tuple[float, float]:
    """Seconds of the run over so many new tenants, and of the yardstick."""
    made = time.perf_counter()
    make_usage(tenants, rows)
    print(f"{tenants:,} tenants made in {time.perf_counter() - made:.0f} s")
    yardstick = _seconds(_bare_sum)
    begun = time.perf_counter()
    from django.db import connections  # noqa: PLC0415 - the settings are loaded by main

    from billing.commands.runs import start_run  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415

    with operator_scope():
        run_id = start_run(actor=SYSTEM, period_end=MONTH_END, now=NOW)
    assert run_id is not None
    connections.close_all()
    # Workers as the product has them: processes that take whatever item is free.
    children = [child for child in (_fork(run_id) for _ in range(workers - 1)) if child]
    processor = Processor()
    _work(run_id)
    for child in children:
        os.waitpid(child, 0)
    _work(run_id)
    seconds = time.perf_counter() - begun
    ours, servers = processor.seconds
    print(
        f"{tenants:,} tenants: of the processor {ours:.1f} s here and {servers:.1f} s in the "
        f"database, {(ours + servers) / tenants * 1000:.0f} ms a tenant"
        + (", of one of several workers" if children else "")
    )
    _check(tenants, rows)
    return seconds, yardstick


def profiled(tenants: int, rows: int, workers: int) -> tuple[float, float]:
    profile = cProfile.Profile()
    result = profile.runcall(run, tenants, rows, workers)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    return result


def _work(run_id: UUID) -> None:
    from billing.run_tasks import work_run  # noqa: PLC0415

    work_run(run_id, is_automatic=True, now=NOW)


def _fork(run_id: UUID) -> int:
    child = os.fork()
    if not child:
        try:
            _work(run_id)
        finally:
            os._exit(0)
    return child


SERIES = """
INSERT INTO billing_usagebucket (series_id, hour, period_id, tenant_id, quantity, events)
SELECT series.id, %(start)s + n * interval '1 hour', period.id, series.tenant_id,
    1000 + (series.id * 7919 + n * 104729) %% 900000, 1
FROM billing_series series
JOIN billing_billingperiod period ON period.tenant_id = series.tenant_id AND period.state = 'open',
generate_series(0, %(hours)s - 1) n
ORDER BY series.id, n
"""


def make_usage(tenants: int, rows: int) -> None:
    """Tenants with an open month of buckets: series of two meters, each used in many hours."""
    from django.db import connections  # noqa: PLC0415

    from billing.models import BillingPeriod, Series  # noqa: PLC0415
    from common.ids import uuid7  # noqa: PLC0415
    from tenants.models import Organisation  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415

    hours = min(HOURS, rows)
    with operator_scope():
        made = [
            Organisation(code=f"t{uuid7().hex[-24:]}", name=f"Tenant {number}")
            for number in range(tenants)
        ]
        Organisation.objects.bulk_create(made)
        BillingPeriod.objects.bulk_create(
            BillingPeriod(tenant=tenant, starts_at=MONTH_START, ends_at=MONTH_END)
            for tenant in made
        )
        for tenant in made:
            Series.objects.bulk_create(
                Series(
                    tenant=tenant,
                    key=uuid7(),
                    meter=("test.tokens_in", "test.tokens_out")[place % 2],
                    dimensions={"model": f"m{place % 5}", "key": f"k{place}"},
                )
                for place in range(rows // hours)
            )
    with connections["owner"].cursor() as cursor:
        cursor.execute(SERIES, {"start": MONTH_START, "hours": hours})
        # A month's rows were looked after while they came in; these came at once.
        cursor.execute(
            "VACUUM (ANALYZE) billing_usagebucket, billing_series, billing_billingperiod"
        )


def _bare_sum() -> None:
    from django.db import connections  # noqa: PLC0415

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT bucket.tenant_id, series_id, sum(quantity) FROM billing_usagebucket bucket "
            "JOIN billing_billingperiod period ON period.id = period_id AND state = 'open' "
            "GROUP BY 1, 2"
        )
        cursor.fetchall()


def _check(tenants: int, rows: int) -> None:
    """Everybody has an invoice, and it covers every row."""
    from django.db import connections  # noqa: PLC0415

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM billing_invoicerunitem WHERE state <> 'issued' UNION ALL "
            "SELECT count(*) FROM billing_billingperiod WHERE state = 'open' AND ends_at <= %s",
            [MONTH_END],
        )
        assert cursor.fetchall() == [(0,), (0,)], "not everybody was invoiced"


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
