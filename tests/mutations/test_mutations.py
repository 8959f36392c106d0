"""Each rule of money, got wrong on purpose in a copy of the sources, turns its small test red."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.mutations.rules import MUTATIONS, Mutation

pytestmark = [pytest.mark.mutations, pytest.mark.django_db]

ROOT = Path(__file__).parents[2]
COPIED = ("appliances", "billing", "common", "compute", "portal", "templates", "tenants", "tests")
# What pytest says of a run in which tests failed, and of nothing else.
TESTS_FAILED = 1


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sources in a folder of their own: the ones that are being tested stay as they are."""
    folder = tmp_path_factory.mktemp("mutations") / "sources"
    for name in COPIED:
        left_out = shutil.ignore_patterns("__pycache__", ".*_cache")
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for name in ("pyproject.toml", "manage.py"):
        shutil.copy(ROOT / name, folder / name)
    yield folder
    shutil.rmtree(folder)


def outcome_of(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a copy, on the database of this run: all of them take back what they write."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:xdist", *tests]
    database = str(connection.settings_dict["NAME"])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PORTAL_TEST_DATABASE": database, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def put(folder: Path, mutation: Mutation) -> str:
    """Change the one place; gives the file as it was."""
    path = folder / mutation.path
    text = path.read_text()
    assert text.count(mutation.before) == 1, f"{mutation.path} no longer says it: {mutation.rule}"
    path.write_text(text.replace(mutation.before, mutation.after))
    return text


def test_the_tests_are_green_without_a_mutation(copy: Path) -> None:
    done = outcome_of(copy, *sorted({mutation.test for mutation in MUTATIONS}))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.rule.replace(" ", "-"))
def test_a_rule_got_wrong_turns_its_test_red(copy: Path, mutation: Mutation) -> None:
    before = put(copy, mutation)
    try:
        done = outcome_of(copy, mutation.test)
    finally:
        (copy / mutation.path).write_text(before)
    assert done.returncode == TESTS_FAILED, done.stdout + done.stderr
