"""start.py and the pieces of the embedded default that need no running product."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import start
from portal.embedded.leftovers import end_all, processes_of
from portal.embedded.postgres import LONGEST_SOCKET_PATH, SOCKET_NAME, socket_folder
from portal.embedded.refusal import Refusal
from portal.embedded.state import kept_secret, only_one

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13), (3, 14, 0), (2, 7, 18)])
def test_a_wrong_python_is_named_in_one_sentence(version: tuple[int, int, int]) -> None:
    assert start.python_refusal(version) == (
        f"This needs Python 3.11, 3.12 or 3.13, and {sys.executable} is Python "
        f"{version[0]}.{version[1]}; start it with one of those, for example: "
        "python3.12 start.py run"
    )


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 9)])
def test_a_supported_python_is_accepted(version: tuple[int, int, int]) -> None:
    assert start.python_refusal(version) == ""


def test_an_old_python_can_read_the_script_up_to_its_refusal() -> None:
    compile((ROOT / "start.py").read_text(), "start.py", "exec", dont_inherit=True)
    head = (ROOT / "start.py").read_text().split("import fcntl")[0]
    assert "sys.exit(too_old_or_new)" in head
    assert "->" not in head.split('"""', 2)[2]


def test_too_little_space_is_named_in_one_sentence(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free // start.MEBIBYTE
    with pytest.raises(start.Refusal) as refusal:
        start.require_space(tmp_path, free + 100_000)
    assert str(refusal.value).startswith(f"There is too little space: {tmp_path} has ")
    assert str(refusal.value).endswith(f" MiB free and needs {free + 100_000} MiB.")


def test_a_python_that_cannot_make_environments_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(start.Refusal) as refusal:
        start.require_venv(lambda name: None if name == "ensurepip" else find_spec(name))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert str(refusal.value) == (
        "This Python cannot make environments; on Debian and Ubuntu install the package: "
        f"apt-get install python{version}-venv"
    )


def test_an_unknown_command_says_how_it_is_used() -> None:
    asked = subprocess.run(
        [sys.executable, str(ROOT / "start.py"), "fly"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2
    assert asked.stderr == f"{start.USAGE}\n"


def test_the_locks_name_no_host_and_the_larger_holds_the_smaller() -> None:
    small, large = (
        (ROOT / name).read_text() for name in ("requirements.lock", "requirements-test.lock")
    )
    assert "://" not in small + large
    assert set(small.splitlines()) <= set(large.splitlines())


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lock, wanted in (
        ("requirements.lock", project["dependencies"]),
        (
            "requirements-test.lock",
            project["dependencies"] + project["optional-dependencies"]["test"],
        ),
    ):
        locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(), re.M))
        names = {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in wanted}
        assert names - locked == set(), f"{lock} is older than pyproject.toml: make lock"


def test_a_long_folder_gets_a_short_socket_path(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    folder = socket_folder(deep)
    try:
        assert len(str(folder / SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        assert folder.stat().st_mode & 0o777 == 0o700
        assert socket_folder(deep) == folder
    finally:
        folder.rmdir()


def test_a_folder_whose_name_needs_quoting_gets_a_plain_socket_path(tmp_path: Path) -> None:
    folder = socket_folder(tmp_path / "算力 中心")
    try:
        assert folder.name.startswith(f"portal-{os.geteuid()}-")
    finally:
        folder.rmdir()


def test_a_kept_secret_stays_and_is_closed_to_others(tmp_path: Path) -> None:
    first = kept_secret(tmp_path, "secret-key")
    assert len(first) >= 64
    assert kept_secret(tmp_path, "secret-key") == first
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0


def test_a_lock_that_is_held_refuses_and_a_released_one_does_not(tmp_path: Path) -> None:
    with (
        only_one(tmp_path),
        pytest.raises(Refusal, match=f"process {os.getpid()}"),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass


@pytest.mark.processes
def test_a_detached_process_that_ignores_the_request_ends_too(tmp_path: Path) -> None:
    marked = str(tmp_path)
    stubborn = (
        "import signal, sys; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", stubborn],
        env={**os.environ, "PORTAL_INSTANCE": marked},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout
    child.stdout.readline()
    assert processes_of(marked) == {child.pid}
    end_all(marked, patience_seconds=0.2)
    assert child.wait(timeout=5) == -9
    assert processes_of(marked) == set()
