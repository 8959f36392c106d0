"""The engine's accounting: one line for each start and each end, written before the state changes.

Each line is whole in itself and flushed to the disk. See docs/adr (the embedded engine's journal).
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from compute.engines import UsageFact, UsagePage
from compute.engines.local.folder import StateFolder, locked
from compute.engines.local.records import Run, instant

log = logging.getLogger(__name__)

LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Entry:
    """One line: a stretch of cards, open while ``ended_at`` is None.

    Units: whole seconds since 1970, truncated; whole cards.
    """

    record_key: str
    workload_key: str
    job_id: str
    node: str
    gres: str
    cards: int
    started_at: int
    ended_at: int | None = None
    reservation_key: str | None = None
    exit_code: int | None = None
    reason: str = ""

    @classmethod
    def of(cls, run: Run) -> "Entry":
        if run.started_at is None:
            raise ValueError("Only a workload that has started is accounted.")
        return cls(
            record_key=run.record_key,
            workload_key=run.key,
            job_id=run.job_id,
            node=run.node,
            gres=run.gres,
            cards=len(run.cards),
            started_at=run.started_at,
            ended_at=run.ended_at,
            reservation_key=run.reservation_key,
            exit_code=run.exit_code,
            reason=run.reason,
        )

    def fact(self, seen_until: datetime) -> UsageFact:
        return UsageFact(
            record_key=self.record_key,
            workload_key=self.workload_key,
            engine_job_id=self.job_id,
            node=self.node,
            gres=self.gres,
            cards=self.cards,
            started_at=instant(self.started_at),
            ended_at=None if self.ended_at is None else instant(self.ended_at),
            seen_until=seen_until,
            reservation_key=self.reservation_key,
        )


@dataclass(frozen=True)
class Cursor:
    """How far the journal was read, and where the lines of the rows still open are."""

    offset: int = 0
    open_offsets: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Anything that is not a cursor reads from the beginning: facts are kept once anyway."""
        head, _, tail = text.partition(":")
        offsets = [head, *(tail.split(",") if tail else [])]
        if not all(part.isascii() and part.isdigit() for part in offsets):
            return cls()
        return cls(int(head), tuple(int(part) for part in offsets[1:]))

    def __str__(self) -> str:
        return f"{self.offset}:{','.join(map(str, self.open_offsets))}"


def append(folder: StateFolder, entry: Entry) -> None:
    """Write one line and wait until the disk has it.

    A last line that a crash tore is closed first, so that it spoils no other line.
    Raises: OSError when the disk refuses, and then the caller must not go on.
    """
    line = json.dumps(vars(entry), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    with locked(folder.root / "journal.lock", LOCK_SECONDS):
        handle = os.open(folder.journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            written = b"\n" + line if torn else line
            if os.write(handle, written) != len(written):
                raise OSError(f"The journal took only part of a line: {folder.journal}")
            os.fsync(handle)
        finally:
            os.close(handle)


def _parse(line: bytes) -> Entry | None:
    """The entry, or None for a line that a crash tore."""
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None


def read_from(folder: StateFolder, cursor: Cursor) -> tuple[dict[str, tuple[int, Entry]], int]:
    """The last line of each record since the cursor with its offset, and where reading stopped.

    A journal that no longer fits the cursor (shortened by a crash of the disk) is read from its
    beginning.
    """
    try:
        content = folder.journal.read_bytes() if cursor.offset == 0 else None
        if content is None:
            with folder.journal.open("rb") as stream:
                return _read_on(stream.fileno(), cursor) or read_from(folder, Cursor())
    except FileNotFoundError:
        return {}, 0
    return _entries(content, 0)


def closing(folder: StateFolder, record_key: str) -> Entry | None:
    """The line that closed a record, None while it is open."""
    records, _ = read_from(folder, Cursor())
    _, entry = records.get(record_key, (0, None))
    return entry if entry is not None and entry.ended_at is not None else None


def _read_on(handle: int, cursor: Cursor) -> tuple[dict[str, tuple[int, Entry]], int] | None:
    size = os.fstat(handle).st_size
    if size < cursor.offset or os.pread(handle, 1, cursor.offset - 1) != b"\n":
        return None
    records: dict[str, tuple[int, Entry]] = {}
    for offset in cursor.open_offsets:
        line = os.pread(handle, 65_536, offset).partition(b"\n")[0]
        entry = _parse(line)
        if entry is None:
            return None
        records[entry.record_key] = (offset, entry)
    news, end = _entries(os.pread(handle, size - cursor.offset, cursor.offset), cursor.offset)
    return records | news, end


def _entries(content: bytes, start: int) -> tuple[dict[str, tuple[int, Entry]], int]:
    records: dict[str, tuple[int, Entry]] = {}
    offset = start
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break  # still being written, or torn: the next reading begins here again
        entry = _parse(line)
        if entry is not None:
            records[entry.record_key] = (offset, entry)
        elif line.strip():
            log.warning("engine.local.journal.torn", extra={"offset": offset})
        offset += len(line)
    return records, offset


def page(
    records: Mapping[str, tuple[int, Entry]], end: int, seen_until: Mapping[str, datetime]
) -> UsagePage:
    """The facts of a reading; ``seen_until`` vouches for each open one."""
    facts = tuple(
        entry.fact(instant(entry.ended_at) if entry.ended_at is not None else seen_until[name])
        for name, (_, entry) in records.items()
    )
    still_open = tuple(offset for offset, entry in records.values() if entry.ended_at is None)
    return UsagePage(facts=facts, cursor=str(Cursor(end, still_open)))
