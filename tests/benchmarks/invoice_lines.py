"""What one line of an invoice costs, for a tenant of 50 resources and for one of 5,000.

Run as ``python -m tests.benchmarks.invoice_lines [--lines N ...] [--rounds N]``; it makes a
database of its own, prints what it measured and asserts nothing. A resource is a key of its own
model, so that each has a line. The yardstick of the same run is a bare insert of as many rows with
the same columns, one transaction each round.
"""

import argparse
import statistics
import time
from datetime import timedelta

from tests.benchmarks.invoices import MONTH_END, MONTH_START, NOW
from tests.benchmarks.own_database import machine, own_database

# An invoice costs something before its first line: it is told apart by the smallest of them.
LINES = (50, 500, 5000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=LINES)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with own_database("lines"):
        from tests.factories import billing as make  # noqa: PLC0415 - needs the settings first

        make.make_prices()
        issue_seconds(options.lines[0])
        found = {
            lines: sorted(issue_seconds(lines) for _ in range(options.rounds))
            for lines in options.lines
        }
        bare = {lines: bare_seconds(lines) for lines in options.lines}
    medians = {lines: statistics.median(seconds) for lines, seconds in found.items()}
    first = medians[options.lines[0]] / options.lines[0]
    for lines, seconds in medians.items():
        each = seconds / lines
        print(
            f"{lines:,} lines: {seconds * 1000:,.0f} ms, {each * 1000:.2f} ms a line, "
            f"{each / first:.2f}x a line of the smallest; {bare[lines] / seconds:.3f}x of a bare "
            f"insert of the rows; worst {found[lines][-1] * 1000:,.0f} ms"
        )
    print(machine())


def issue_seconds(lines: int) -> float:
    """How long the issue of an invoice with so many lines takes, for a new tenant."""
    from django.db import connections  # noqa: PLC0415

    from billing.commands.invoices import issue_invoice  # noqa: PLC0415
    from billing.models import BillingPeriod, Series  # noqa: PLC0415
    from common.ids import uuid7  # noqa: PLC0415
    from tenants.models import Organisation  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import operator_scope, tenant_scope  # noqa: PLC0415

    with operator_scope():
        tenant = Organisation.objects.create(code=f"t{uuid7().hex[-24:]}", name="Benchmark")
        period = BillingPeriod.objects.create(
            tenant=tenant, starts_at=MONTH_START, ends_at=MONTH_END
        )
        Series.objects.bulk_create(
            Series(
                tenant=tenant,
                key=uuid7(),
                meter="test.tokens_in",
                dimensions={"model": f"m{place:05d}", "key": "k"},
            )
            for place in range(lines)
        )
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_usagebucket "
            "(series_id, hour, period_id, tenant_id, quantity, events) "
            "SELECT series.id, %s + n * interval '1 hour', %s, tenant_id, 1000000 + n, 1 "
            "FROM billing_series series, generate_series(0, 9) n WHERE tenant_id = %s",
            [MONTH_START + timedelta(days=3), period.pk, tenant.pk],
        )
        cursor.execute("ANALYZE billing_usagebucket, billing_series")
    begun = time.perf_counter()
    with tenant_scope(tenant.pk):
        invoice = issue_invoice(actor=SYSTEM, tenant_id=tenant.pk, until=MONTH_END, now=NOW)
    seconds = time.perf_counter() - begun
    assert invoice.line_count == lines
    return seconds


def bare_seconds(lines: int) -> float:
    """Inserting the rows of such an invoice's lines into a table without index or law."""
    from django.db import connections  # noqa: PLC0415

    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS benchmark_lines")
        cursor.execute("CREATE TABLE benchmark_lines (LIKE billing_invoiceline)")
        cursor.execute(
            "SELECT * FROM billing_invoiceline ORDER BY invoice_id DESC LIMIT %s", [lines]
        )
        rows = cursor.fetchall()
        marks = ",".join(["%s"] * len(rows[0]))
        begun = time.perf_counter()
        cursor.executemany(f"INSERT INTO benchmark_lines VALUES ({marks})", rows)  # noqa: S608
        seconds = time.perf_counter() - begun
        cursor.execute("DROP TABLE benchmark_lines")
    return seconds


if __name__ == "__main__":
    main()
