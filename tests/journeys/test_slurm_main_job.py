"""The same main job on a real Slurm: what is billed equals Slurm's own accounting."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instance import own_instance
from tests.journeys.product import Product
from tests.slurmlab import SlurmLab, own_lab

pytestmark = [pytest.mark.slurm, pytest.mark.processes]


@pytest.fixture
def lab() -> Iterator[SlurmLab]:
    """A Slurm with nothing accounted in it yet: what it has accounted is compared with the bill."""
    with own_lab() as lab:
        yield lab


@pytest.fixture
def product(tmp_path: Path, lab: SlurmLab) -> Iterator[Product]:
    with own_instance(tmp_path) as instance:
        product = Product(instance)
        instance.start()
        product.build(
            DEMONSTRATION_ENGINE="slurm",
            DEMONSTRATION_CONNECTION=json.dumps(dict(lab.connection())),
        )
        yield product


def test_the_main_job_on_slurm_is_billed_by_slurms_own_accounting(
    lab: SlurmLab, product: Product
) -> None:
    seen: dict[str, str] = {}
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(lab, seen, over))
    watch.start()
    try:
        job = product.manage("main_job")
    finally:
        over.set()
        watch.join()

    assert job.returncode == 0, job.stdout + job.stderr
    assert re.fullmatch(r"acp-r-[0-9a-f]{32}", seen["reservation"])
    assert seen["job_reservation"] == seen["reservation"]
    accounted = _accounted_card_seconds(lab)
    billed = product.instance.sql(
        "SELECT sum(quantity)::bigint FROM billing_invoiceline WHERE meter = 'compute.card_seconds'"
    )
    assert accounted > 0
    assert billed == [(accounted,)]


def _watch(lab: SlurmLab, seen: dict[str, str], over: threading.Event) -> None:
    """Look at Slurm itself while the job is done: the reservation, and the job under it."""
    while not over.wait(0.3):
        shown = lab.run("scontrol", "-o", "show", "reservation", check=False)
        found = re.search(r"ReservationName=(acp-r-\S+)", shown)
        if found:
            seen["reservation"] = found.group(1)
        queue = lab.run("squeue", "-h", "-o", "%j|%v", check=False)
        for line in queue.splitlines():
            name, _, reservation = line.partition("|")
            if name.startswith("acp-w-"):
                seen["job_reservation"] = reservation


def _accounted_card_seconds(lab: SlurmLab) -> int:
    """Elapsed seconds times cards, from sacct alone."""
    rows = lab.run(
        *("sacct", "-a", "-D", "-X", "-P", "-n", "-S", "now-1days", "-E", "now"),
        *("-o", "jobname,elapsedraw,alloctres"),
    )
    total = 0
    for row in rows.splitlines():
        name, elapsed, resources = row.split("|")
        cards = re.search(r"gres/gpu=(\d+)", resources)
        if name.startswith("acp-w-") and cards:
            total += int(elapsed) * int(cards.group(1))
    return total
