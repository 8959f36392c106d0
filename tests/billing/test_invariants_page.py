"""The page of invariants names rules and tests that exist."""

import re
from pathlib import Path

from billing.queries.invariants import INVARIANTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "algorithms" / "invariants.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 40
    for file, test in named:
        (path,) = (ROOT / "tests").rglob(file)
        assert f"def {test}(" in path.read_text(), f"{file}::{test}"


def test_every_query_that_the_page_names_exists() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| I\d", line)]
    assert [int(line.split()[1][1:]) for line in rows] == list(range(1, 16))
    named = {name for line in rows for name in re.findall(r'"([^"]+)"', line.split("|")[3])}
    assert named <= INVARIANTS.keys()
    assert len(named) > 15
