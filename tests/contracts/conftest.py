"""What the contract tests of several adapters share."""

from collections.abc import Iterator

import pytest

from tests.slurmlab import SlurmLab, own_lab

# The contract suites are plain modules, so their assertions are asked to explain themselves.
pytest.register_assert_rewrite(
    "tests.contracts.engine_bench",
    "tests.contracts.engine_capacity_contract",
    "tests.contracts.engine_contract",
)


@pytest.fixture(scope="session")
def lab() -> Iterator[SlurmLab]:
    """A Slurm of sixteen nodes, for every test that asks; only tests marked ``slurm`` may."""
    with own_lab() as lab:
        yield lab
