"""Metered calls on their way to billing: an append-only file of this process, flushed later.

Each process writes into a folder it holds a lock on. A record is in the kernel before the answer
ends, so a killed process loses nothing; it is on the disk a moment later. Segments are sealed,
handed to billing, and deleted only after billing has committed: a process killed in between hands
the same records over again, and their ids make the second time harmless. Folders of dead processes
are found by their free lock and flushed by whoever is alive.
"""

import errno
import fcntl
import json
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

log = logging.getLogger(__name__)

LOCK = "lock"
BATCH = 500


class SpoolUnavailable(Exception):
    """The record could not be written; a call that cannot be metered must not be served."""


@dataclass(frozen=True)
class CallRecord:
    """One metered call; carries counts and ids, and nothing that was said.

    Shape: ``partial`` where the stream ended before the model had finished; ``reported`` is False
    where the count is an estimate. ``tokens_cached`` of ``tokens_in`` are priced apart; a record
    of an older gateway has none.
    """

    id: UUID
    at: datetime
    tenant_id: UUID
    project_id: UUID
    key_id: UUID
    deployment_id: UUID
    model: str
    tokens_in: int
    tokens_out: int
    reported: bool
    partial: bool
    tokens_cached: int = 0

    def line(self) -> bytes:
        return json.dumps(asdict(self), default=_plain, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "CallRecord":
        """Raises: ValueError, KeyError, TypeError for a line that was torn."""
        row = json.loads(line)
        row["at"] = datetime.fromisoformat(row["at"])
        for name in ("id", "tenant_id", "project_id", "key_id", "deployment_id"):
            row[name] = UUID(row[name])
        return cls(**row)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


# Hands records to billing; raises where billing is away, and then they stay where they are.
Deliver = Callable[[Sequence[CallRecord]], None]


class Spool:
    """This process's file of metered calls, and the way of every file here to billing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mutex = threading.Lock()
        self._folder, self._lock = _own_folder(root)
        self._number = 0
        self._size = 0
        self._synced = 0
        self._descriptor = self._open()
        self._unwritten: list[bytes] = []
        self.is_writable = True
        self.pending = 0

    def append(self, record: CallRecord) -> None:
        """Write one record; where the disk takes none it waits in memory until it does.

        Raises: SpoolUnavailable, once the record is kept in memory.
        """
        line = record.line()
        with self._mutex:
            self.pending += 1
            try:
                self._write(line)
            except OSError as error:
                self._unwritten.append(line)
                self.is_writable = False
                raise SpoolUnavailable from error

    def sync(self) -> None:
        """Put on the disk what was appended since the last time."""
        with self._mutex:
            size, number = self._size, self._number
            if size == self._synced:
                return
            descriptor = os.dup(self._descriptor)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with self._mutex:
            if number == self._number:
                self._synced = max(self._synced, size)

    def flush(self, deliver: Deliver) -> int:
        """Hand every sealed record to billing and delete what it took; gives how many.

        Idempotent: records carry their ids, so delivering twice records once.
        Raises: what ``deliver`` raises; nothing is deleted then.
        """
        self._seal()
        delivered = 0
        for segment in self._segments(self._folder)[:-1]:
            records = self._hand_over(segment, deliver)
            delivered += records
            with self._mutex:
                self.pending = max(0, self.pending - records)
        for folder in self._abandoned():
            delivered += self._adopt(folder, deliver)
        return delivered

    def recheck(self) -> None:
        """Write what had to wait in memory, where the disk takes it by now."""
        with self._mutex:
            try:
                while self._unwritten:
                    self._write(self._unwritten[0])
                    del self._unwritten[0]
            except OSError:
                return
            self.is_writable = True

    def close(self) -> None:
        """Leave the files to the next process."""
        self.sync()
        os.close(self._descriptor)
        empty = all(path.stat().st_size == 0 for path in self._segments(self._folder))
        os.close(self._lock)
        if empty:
            shutil.rmtree(self._folder)

    def _write(self, line: bytes) -> None:
        """One whole line or nothing: a part that was written is cut off again."""
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, f"only {written} of {len(line)} bytes were written")
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)

    def _seal(self) -> None:
        with self._mutex:
            if self._size == 0:
                return
            os.fsync(self._descriptor)
            old = self._descriptor
            self._descriptor = self._open()
            os.close(old)

    def _open(self) -> int:
        self._number += 1
        self._size = self._synced = 0
        path = self._folder / f"{self._number:08}.jsonl"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @staticmethod
    def _segments(folder: Path) -> list[Path]:
        return sorted(folder.glob("*.jsonl"))

    def _abandoned(self) -> Iterator[Path]:
        for folder in sorted(self._root.iterdir()):
            if folder.is_dir() and folder != self._folder and not folder.name.startswith("."):
                yield folder

    def _adopt(self, folder: Path, deliver: Deliver) -> int:
        """Flush the folder of a process that has ended; a living one's lock is not to be had."""
        try:
            descriptor = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            return 0
        try:
            delivered = sum(self._hand_over(path, deliver) for path in self._segments(folder))
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
        return delivered

    @staticmethod
    def _hand_over(segment: Path, deliver: Deliver) -> int:
        records = list(_read(segment))
        for start in range(0, len(records), BATCH):
            deliver(records[start : start + BATCH])
        segment.unlink()
        return len(records)


def _own_folder(root: Path) -> tuple[Path, int]:
    """A folder of this process and its lock; it gets its name only when the lock is held."""
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    unnamed = root / f".{name}"
    unnamed.mkdir(parents=True, mode=0o700)
    lock = _lock(unnamed)
    return unnamed.rename(root / name), lock


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def _read(segment: Path) -> Iterator[CallRecord]:
    for line in segment.read_bytes().splitlines():
        try:
            yield CallRecord.from_line(line)
        except (ValueError, KeyError, TypeError):
            # Only a machine that lost power leaves half a line; the rest of the file is whole.
            log.error("gateway.spool.torn_line", extra={"segment": segment.name})
