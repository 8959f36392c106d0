"""How many reservations a second, with a centre of a thousand nodes imported.

Run: python -m tests.benchmarks.reservations --nodes openb_node_list_gpu_node.csv
Makes a database of its own beside the configured one and drops it again. The baseline, in the same
run, is the same number of single-row inserts, each in its own transaction.
"""

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import django
import psycopg
from psycopg import sql

GOAL_PER_SECOND = 30
WORKERS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", required=True, type=Path)
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.test")
    django.setup()
    from django.db import connections  # noqa: PLC0415 - needs the settings first

    params = connections["owner"].get_connection_params()
    name = f"benchmark_{connections['owner'].settings_dict['NAME']}"
    target = {key: params[key] for key in ("host", "port", "user", "password") if params.get(key)}
    with psycopg.connect(dbname="postgres", autocommit=True, **target) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for alias in ("default", "owner"):
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = name
            # Threads build their own connections from the settings.
            connections.settings[alias]["NAME"] = name
        try:
            run(options.nodes, options.count)
        finally:
            connections.close_all()
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run(path: Path, count: int) -> None:
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.db.models import Sum  # noqa: PLC0415

    from compute.commands.chips import sign_off_chip  # noqa: PLC0415
    from compute.commands.inventory import import_nodes, read_rows  # noqa: PLC0415
    from compute.commands.sites import create_centre  # noqa: PLC0415
    from compute.models import Pool, ReservationPolicy  # noqa: PLC0415
    from compute.queries.invariants import breaches  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415
    from tests.factories.compute import ENGINES, NOW, make_catalogue, make_tenant  # noqa: PLC0415

    settings.COMPUTE_ENGINES = ENGINES
    call_command("migrate", database="owner", verbosity=0)
    make_catalogue()
    tenants = [make_tenant(f"tenant-{number}") for number in range(20)]
    with operator_scope():
        ReservationPolicy.objects.create(unused_per_tenant=1_000_000)
        create_centre(actor=SYSTEM, code="openb", name_en="OpenB", name_zh="OpenB")
        with path.open(encoding="utf-8", newline="") as lines:
            rows = read_rows(csv.DictReader(lines))
        began = time.perf_counter()
        done = import_nodes(
            actor=SYSTEM,
            centre_code="openb",
            rows=rows,
            now=NOW - timedelta(days=1),
            engine="fake",
            connection={"world": "openb"},
        )
        print(
            f"import: {done.nodes} nodes, {done.cards} cards, {len(done.pools)} pools"
            f" in {time.perf_counter() - began:.2f} s"
        )
        for code in done.unverified:
            sign_off_chip(actor=SYSTEM, code=code, evidence="benchmark only", now=NOW)
        # The largest first; a handful of cards would be sold out before the run is over.
        by_cards = Pool.objects.annotate(cards=Sum("nodes__cards")).filter(cards__gte=100)
        pools = list(by_cards.order_by("-cards").values_list("code", flat=True))
    publish_flat_price(done.unverified)

    print(f"load average {os.getloadavg()[0]:.1f}, {WORKERS} connections")
    baseline = rate("single inserts", count, insert_one)
    spread = rate(
        f"reservations over {len(pools)} pools", count, holder(tenants, pools, hours_ahead=1)
    )
    rate("reservations of one pool", count, holder(tenants, pools[:1], hours_ahead=1000))
    print(
        f"{spread:.0f} a second against a goal of {GOAL_PER_SECOND};"
        f" {spread / baseline:.2f} of the baseline; broken rules: {breaches()}"
    )


def publish_flat_price(chips: tuple[str, ...]) -> None:
    from decimal import Decimal  # noqa: PLC0415

    from billing.commands.prices import publish_version  # noqa: PLC0415
    from billing.queries.price_faults import PriceLine  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415
    from tests.factories.compute import NOW  # noqa: PLC0415

    lines = [
        PriceLine(
            meter="compute.reserved_card_seconds",
            sku=f"reserved-{chip}",
            title_en=chip,
            title_zh=chip,
            unit_price=Decimal("2.00"),
            unit_quantity=3600,
            tax_code="it_service",
            match={"chip": chip, "service_class": "committed"},
        )
        for chip in chips
    ]
    with operator_scope():
        publish_version(actor=SYSTEM, lines=lines, effective_at=NOW, now=NOW)


def rate(title: str, count: int, act: Callable[[int], None]) -> float:
    spent: list[float] = []

    def timed(number: int) -> None:
        began = time.perf_counter()
        act(number)
        spent.append(time.perf_counter() - began)

    began = time.perf_counter()
    with ThreadPoolExecutor(max_workers=WORKERS) as threads:
        for one in [threads.submit(timed, number) for number in range(count)]:
            one.result()
        for one in [threads.submit(hang_up) for _worker in range(WORKERS)]:
            one.result()
    per_second = count / (time.perf_counter() - began)
    milliseconds = statistics.median(spent) * 1000
    print(f"{title}: {count} in all, {per_second:.0f} a second, median {milliseconds:.0f} ms")
    return per_second


def hang_up() -> None:
    from django.db import connection  # noqa: PLC0415

    connection.close()


def insert_one(number: int) -> None:
    from compute.models import Centre  # noqa: PLC0415
    from tenants.scoping import operator_scope  # noqa: PLC0415

    with operator_scope():
        Centre.objects.create(code=f"base-{number}", name_en="x", name_zh="x")


def holder(tenants: list, pools: list[str], *, hours_ahead: int) -> Callable[[int], None]:  # type: ignore[type-arg]
    from common.period import HOUR, Period  # noqa: PLC0415
    from compute.commands.reservations import hold  # noqa: PLC0415
    from tenants.scoping import tenant_scope  # noqa: PLC0415
    from tests.factories.compute import NOW  # noqa: PLC0415

    def reserve(number: int) -> None:
        tenant = tenants[number % len(tenants)]
        start = NOW + (hours_ahead + number % 97) * HOUR
        with tenant_scope(tenant.organisation.pk):
            hold(
                actor=tenant.actor,
                project_id=tenant.project.pk,
                pool_code=pools[number % len(pools)],
                cards=1,
                period=Period(start, start + (1 + number % 5) * HOUR),
                now=NOW,
            )

    return reserve


if __name__ == "__main__":
    main()
