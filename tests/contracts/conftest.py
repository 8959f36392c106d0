"""What the contract tests of several adapters share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.slurmlab import SlurmLab, missing_programs

# The contract suites are plain modules, so their assertions are asked to explain themselves.
pytest.register_assert_rewrite(
    "tests.contracts.engine_bench",
    "tests.contracts.engine_capacity_contract",
    "tests.contracts.engine_contract",
)


@pytest.fixture(scope="session")
def lab() -> Iterator[SlurmLab]:
    """A Slurm of sixteen nodes, for every test that asks; only tests marked ``slurm`` may."""
    # A missing Slurm is a failure: whoever asked for this mark asked for the real thing.
    assert missing_programs() == []
    # Not pytest's own folder, which it keeps from the daemons' user and clears between runs.
    with TemporaryDirectory(prefix="slurmlab-") as folder, SlurmLab(Path(folder)) as lab:
        yield lab
    assert lab.strays() == []
