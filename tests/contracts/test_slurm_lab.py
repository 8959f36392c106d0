"""The laboratory leaves nothing behind, even when its owner is killed."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.slurmlab import ADMIN_PATH
from tests.slurmlab_reaper import strays

pytestmark = pytest.mark.slurm


def test_killing_the_owner_ends_daemons_and_jobs() -> None:
    with TemporaryDirectory(prefix="slurmlab-") as folder:
        base = Path(folder)
        conf = str(base / "etc/slurm.conf")
        owner = subprocess.Popen(
            [sys.executable, "-m", "tests.slurmlab", folder, "small"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert owner.stdout is not None
        try:
            assert owner.stdout.readline().startswith(b"up after")
            environment = {"PATH": ADMIN_PATH, "SLURM_CONF": conf}
            # root has its association from the start, and is told so with an error.
            user = ("sacctmgr", "-i", "add", "user", _own_name(), "account=root")
            subprocess.run(user, env=environment, check=False)
            job = ("sbatch", "--output=/dev/null", "--chdir=/", "--wrap=exec sleep 600")
            subprocess.run(job, env=environment, check=True)
            _until(lambda: any(_is_sleep(pid) for pid in strays(conf)))
        finally:
            owner.kill()
            owner.wait()

        _until(lambda: not strays(conf))


def _own_name() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def _is_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\x00600")
    except OSError:
        return False


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)
