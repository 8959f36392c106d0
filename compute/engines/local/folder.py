"""The engine's folder on disk: names, whole-file writes and locks."""

import fcntl
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from compute.engines import EngineRefused, EngineUnavailable

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOCK_RETRY_SECONDS: Final = 0.01


def safe_name(name: str) -> str:
    """The name itself, when it may be a file's name. Raises: EngineRefused."""
    if not NAME.fullmatch(name):
        raise EngineRefused(f"{name!r} is not a name: letters, digits, dots and dashes only.")
    return name


class StateFolder:
    """Where everything is kept; readable by nobody but the user the portal runs as."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / "journal.jsonl"
        self.board_lock = root / "board.lock"

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("workloads", "live", "reservations", "projects", "drained", "numbers"):
            (self.root / name).mkdir(exist_ok=True, mode=0o700)

    def workload(self, key: str) -> Path:
        return self.root / "workloads" / safe_name(key)

    def live(self, key: str) -> Path:
        """A marker that the workload may hold or want cards, so that nobody reads ended ones."""
        return self.root / "live" / safe_name(key)

    def live_keys(self) -> list[str]:
        return sorted(path.name for path in (self.root / "live").iterdir())

    def reservation(self, key: str) -> Path:
        return self.root / "reservations" / safe_name(key)

    def project(self, key: str) -> Path:
        return self.root / "projects" / safe_name(key)

    def drained(self, node: str) -> Path:
        return self.root / "drained" / safe_name(node)


# Any: what JSON holds is only known to the record that reads it.
def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Replace a file whole: a reader sees the old record or the new one, also after a crash."""
    handle, name = tempfile.mkstemp(dir=path.parent.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(record, stream, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The record, or None where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    record: dict[str, Any] = json.loads(text)
    return record


def try_lock(path: Path) -> int | None:
    """An open file that holds the lock until it is closed, or None while another holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold a lock; the kernel gives it back when its holder dies.

    Raises: EngineUnavailable when another held it all the time.
    """
    limit = time.monotonic() + timeout_seconds
    pause = threading.Event()
    while (handle := try_lock(path)) is None:
        # There is no blocking lock with a time limit, so the lock itself is asked again.
        if time.monotonic() > limit:
            raise EngineUnavailable(f"{path.name} stayed locked for {timeout_seconds:g} seconds.")
        pause.wait(LOCK_RETRY_SECONDS)
    try:
        yield
    finally:
        os.close(handle)
