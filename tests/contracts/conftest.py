"""The contract suites are plain modules, so their assertions are asked to explain themselves."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.engine_bench",
    "tests.contracts.engine_capacity_contract",
    "tests.contracts.engine_contract",
)
