"""The engine contract on a real Slurm of sixteen emulated nodes and four card types."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from compute.engines.slurm import SlurmEngine
from tests.contracts.engine_contract import EngineContract
from tests.slurmlab import SlurmLab, missing_programs

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def lab() -> Iterator[SlurmLab]:
    # A missing Slurm is a failure: whoever asked for this mark asked for the real thing.
    assert missing_programs() == []
    # Not pytest's own folder, which it keeps from the daemons' user and clears between runs.
    with TemporaryDirectory(prefix="slurmlab-") as folder, SlurmLab(Path(folder)) as lab:
        yield lab


@pytest.fixture(scope="module")
def engine(lab: SlurmLab) -> SlurmEngine:
    return SlurmEngine(lab.connection())


class TestSlurm(EngineContract):
    patience_seconds = 40.0

    @pytest.fixture
    def gres(self) -> str:
        return "dcu"
