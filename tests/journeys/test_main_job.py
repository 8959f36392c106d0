"""The main job from an empty folder, with every process real."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instance import own_instance
from tests.journeys.product import Product

pytestmark = pytest.mark.processes


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with own_instance(tmp_path) as instance:
        yield Product(instance)


def test_the_main_job_reaches_a_chat_answer_and_an_invoice_twice(product: Product) -> None:
    run = product.instance.start()
    product.build()

    for _ in range(2):
        job = product.manage("main_job")
        assert job.returncode == 0, job.stdout + job.stderr
        assert re.search(r"^\[\d/9\] Gateway answers: '.+'$", job.stdout, re.MULTILINE)
        assert re.search(r"^\[9/9\] Invoice \S+ is issued:$", job.stdout, re.MULTILINE), job.stdout

    problems = product.manage("check_invariants")
    assert problems.returncode == 0, problems.stdout
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 0
    assert product.instance.processes() == set()
