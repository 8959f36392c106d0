"""The embedded engine keeps the contract of every engine, with real processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.engines.local import LocalEngine, shutdown
from tests.contracts.engine_contract import EngineContract

NODES = [
    {"name": "n1", "gres": "ascend910b", "cards": 8},
    {"name": "n2", "gres": "h20", "cards": 4},
]


@pytest.mark.processes
class TestLocalEngine(EngineContract):
    unit = 1.0

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[LocalEngine]:
        connection = {"state_dir": str(tmp_path / "engine"), "nodes": json.dumps(NODES)}
        yield LocalEngine(connection)
        shutdown(connection, grace_seconds=1)

    @pytest.fixture
    def gres(self) -> str:
        return "ascend910b"
