#!/usr/bin/env python3
"""Run or test the product on a machine that has only Python 3.11 or newer.

    python3 start.py run [--once] [--bare]
    python3 start.py test [--full] [pytest arguments]

``--once`` ends after the main job with its exit code; ``--bare`` leaves out the demonstration
centre and the main job.

Builds an environment in .venv from the locked packages, once, and hands over to it. Only the
standard library is used here, and only syntax that an older Python still reads, so that it can
say in one sentence that it is too old.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def python_refusal(version):  # type: ignore[no-untyped-def]  # an old Python reads this line too
    """Why this Python cannot be used, or nothing."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ""
    return (
        "This needs Python 3.11, 3.12 or 3.13, and "
        f"{sys.executable} is Python {version[0]}.{version[1]}; start it with one of those, "
        "for example: python3.12 start.py run"
    )


too_old_or_new = python_refusal(sys.version_info)  # type: ignore[no-untyped-call]
if too_old_or_new:
    sys.exit(too_old_or_new)

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
STAMP = ENVIRONMENT / "installed.json"
LOCKS = {"run": HERE / "requirements.lock", "test": HERE / "requirements-test.lock"}
MEBIBYTE = 1024 * 1024
# Measured: the installed packages, and a database with its write-ahead log beside them.
INSTALL_MEBIBYTES = {"run": 900, "test": 1400}
STATE_MEBIBYTES = 600
INTERRUPTED = 130
USAGE = "Usage: python3 start.py run [--once] [--bare] | test [--full] [pytest arguments]"


class Refusal(Exception):
    """It cannot start; the message is one sentence saying why and what to do."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in LOCKS:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        build_environment(arguments[0])
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return hand_over(arguments)


def hand_over(arguments: list[str]) -> NoReturn:
    """Become the Python of the environment, so that there is one process to stop."""
    python = str(environment_python())
    os.chdir(HERE)
    os.execv(python, [python, "-m", "portal.embedded", *arguments])


def build_environment(purpose: str) -> None:
    """Install the locked packages unless that was done for this Python and this lock."""
    wanted = fingerprint(LOCKS[purpose])
    if wanted in installed():
        require_space(HERE, STATE_MEBIBYTES)
        return
    require_venv(importlib.util.find_spec)
    require_space(HERE, STATE_MEBIBYTES + INSTALL_MEBIBYTES[purpose])
    with (HERE / ".venv.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a second first start waits for this one
        before = installed()
        if wanted in before:
            return
        # Without the stamp, an installation that was cut short is done again.
        STAMP.unlink(missing_ok=True)
        print("Installing the locked packages into .venv (once) ...", flush=True)
        install(LOCKS[purpose], fresh=not before)
        # The test lock holds every package of the other one, in the same versions.
        done = LOCKS.values() if purpose == "test" else [LOCKS["run"]]
        STAMP.write_text(json.dumps(sorted({fingerprint(lock) for lock in done})))


def install(lock: Path, *, fresh: bool) -> None:
    """Fill the environment from one lock: every archive by its hash, nothing built here.

    uv is quicker where it is present; where it fails, for instance because it does not know the
    certificates this machine trusts, pip does the same.
    """
    if shutil.which("uv") and done(with_uv(lock, fresh=fresh)):
        return
    has_pip = (ENVIRONMENT / "bin" / "pip").exists()
    if not done(with_pip(lock, fresh=fresh or not has_pip)):
        raise Refusal(
            "The packages could not be installed; the reason is above, and starting again "
            "tries again."
        )


def with_uv(lock: Path, *, fresh: bool) -> list[list[str]]:
    make = ["uv", "venv", "--quiet", "--clear", "-p", sys.executable, str(ENVIRONMENT)]
    python = str(environment_python())
    fill = ["uv", "pip", "install", "--quiet", "--python", python, *strictly(lock)]
    return [make, fill] if fresh else [fill]


def with_pip(lock: Path, *, fresh: bool) -> list[list[str]]:
    make = [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)]
    pip = [str(environment_python()), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    calm = ["--quiet", "--no-compile", "--no-warn-script-location"]
    fill = [*pip, "install", *calm, *strictly(lock)]
    return [make, fill] if fresh else [fill]


def strictly(lock: Path) -> list[str]:
    return ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]


def done(steps: list[list[str]]) -> bool:
    return all(subprocess.run(step, check=False).returncode == 0 for step in steps)


def installed() -> list[str]:
    """Fingerprints of what the environment holds; empty where it must be built anew."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return []
    current = isinstance(stamp, list) and environment_python().exists()
    return stamp if current and all(python_name() in str(line) for line in stamp) else []


def fingerprint(lock: Path) -> str:
    return f"{python_name()} {hashlib.sha256(lock.read_bytes()).hexdigest()}"


def python_name() -> str:
    """The exact Python and where this folder lies: a moved environment does not work."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python} {platform.machine()} {HERE}"


def environment_python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def require_venv(find) -> None:  # type: ignore[no-untyped-def]  # importlib's finder, or a test's
    """Debian ships Python without the module that fills a new environment."""
    if shutil.which("uv") or (find("venv") and find("ensurepip")):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    raise Refusal(
        f"This Python cannot make environments; on Debian and Ubuntu install the package: "
        f"apt-get install {package}"
    )


def require_space(folder: Path, mebibytes: int) -> None:
    free = shutil.disk_usage(folder).free // MEBIBYTE
    if free < mebibytes:
        raise Refusal(
            f"There is too little space: {folder} has {free} MiB free and needs {mebibytes} MiB."
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
