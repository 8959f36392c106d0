"""Find and end every process of one instance, however it came to be.

Each process of a run, and whatever it starts in turn, carries the instance's name in its
environment. Process groups and parents are not enough: an engine detaches its servers on
purpose, and after a crash their parents are gone.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Collection
from pathlib import Path

MARK = "PORTAL_INSTANCE"
ROUND_SECONDS = 0.1
FORCED_ROUNDS = 50


def processes_of(marked: str) -> set[int]:
    """Process ids that carry this mark, without this process."""
    found = _from_proc(marked) if Path("/proc/self/environ").exists() else _from_ps(marked)
    return found - {os.getpid()}


def _from_proc(marked: str) -> set[int]:
    wanted = f"{MARK}={marked}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        if wanted in variables:
            found.add(int(entry.name))
    return found


def _from_ps(marked: str) -> set[int]:
    wanted = f" {MARK}={marked} "
    listing = subprocess.run(
        ["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    return {
        int(line.split(None, 1)[0]) for line in listing.stdout.splitlines() if wanted in f"{line} "
    }


def mark(instance: str, *, database: bool) -> str:
    """What a process carries; the database has its own, because it must end last."""
    return f"{instance}#database" if database else instance


def end_instance(instance: str, *, patience_seconds: float) -> None:
    """End everything of an instance, its database last."""
    end_all(instance, patience_seconds=patience_seconds)
    end_database(instance)


def end_database(instance: str) -> None:
    """SIGINT is PostgreSQL's fast shutdown; its own children only finish what they do."""
    end_all(mark(instance, database=True), patience_seconds=20, request=signal.SIGINT)


def end_all(
    marked: str, *, patience_seconds: float, request: signal.Signals = signal.SIGTERM
) -> None:
    """Ask every process with this mark to end, then make it."""
    pause = threading.Event()
    asked: set[int] = set()
    for _ in range(max(1, int(patience_seconds / ROUND_SECONDS))):
        alive = processes_of(marked)
        if not alive:
            return
        # Whoever appears late, started by a process that is ending, is asked as well.
        _send(alive - asked, request)
        asked |= alive
        pause.wait(ROUND_SECONDS)
    for _ in range(FORCED_ROUNDS):
        alive = processes_of(marked)
        if not alive:
            return
        _send(alive, signal.SIGKILL)
        pause.wait(ROUND_SECONDS)


def _send(processes: Collection[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except (ProcessLookupError, PermissionError):
            continue
