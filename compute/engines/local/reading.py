"""Readings of the whole folder, and the burial of what a killed supervisor left behind."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from compute.engines import WorkloadState
from compute.engines.local import journal
from compute.engines.local.board import Board, DeclaredNode
from compute.engines.local.folder import StateFolder, read_json, try_lock
from compute.engines.local.processes import kill_orphans
from compute.engines.local.records import Run, all_reservations, live_runs, read_run, write_run

LOST_SUPERVISOR: Final = "Its supervisor was killed."


def read_board(folder: StateFolder, nodes: Sequence[DeclaredNode]) -> Board:
    """Who holds what now; the caller holds the board lock when it goes on to take cards."""
    limits = {}
    for path in sorted((folder.root / "projects").iterdir()):
        limits[path.name] = dict((read_json(path) or {}).get("max_cards", {}))
    return Board(
        nodes=tuple(nodes),
        runs=tuple(live_runs(folder)),
        reservations=tuple(all_reservations(folder)),
        drained=frozenset(path.name for path in (folder.root / "drained").iterdir()),
        max_cards=limits,
    )


def proof_of_life(folder: StateFolder, run: Run) -> int:
    """The last second the run was seen alive, never before its start."""
    try:
        seen = int((folder.workload(run.key) / "heartbeat").stat().st_mtime)
    except FileNotFoundError:
        seen = 0
    return max(seen, run.started_at or 0)


def supervised(folder: StateFolder, key: str) -> bool:
    """Whether the workload's supervisor lives: it holds its lock as long as it does."""
    handle = try_lock(folder.workload(key) / "lock")
    if handle is None:
        return True
    os.close(handle)
    return False


def bury(folder: StateFolder, key: str) -> Run | None:
    """End a run whose supervisor was killed: no process stays, the account is closed.

    The run is billed to the last proof of life and no further. Gives the run as it now is.
    Locks: the supervisor's own, so that only one does this, and nobody while a supervisor lives.
    """
    handle = try_lock(folder.workload(key) / "lock")
    if handle is None:
        return read_run(folder, key)
    try:
        run = read_run(folder, key)
        if run is None or run.state is not WorkloadState.RUNNING:
            return run
        kill_orphans(run.process_id, run.process_identity)
        closed = journal.closing(folder, run.record_key)
        run = run.ended(
            state=WorkloadState.FAILED,
            # The supervisor may have died between its last line and the state: the line is law.
            at=proof_of_life(folder, run) if closed is None else closed.ended_at,
            exit_code=None if closed is None else closed.exit_code,
            reason=LOST_SUPERVISOR if closed is None or not closed.reason else closed.reason,
        )
        if closed is None:
            journal.append(folder, journal.Entry.of(run))
        write_run(folder, run)
    finally:
        os.close(handle)
    folder.live(key).unlink(missing_ok=True)
    return run


def bury_orphans(folder: StateFolder) -> None:
    """Give back the cards of every run whose supervisor was killed."""
    for key in folder.live_keys():
        run = read_run(folder, key)
        if run is not None and run.state is WorkloadState.RUNNING:
            bury(folder, key)


def usage_records(
    folder: StateFolder, cursor: journal.Cursor
) -> tuple[dict[str, tuple[int, journal.Entry]], int, dict[str, datetime]]:
    """Journal rows since the cursor, and how far each open one is vouched for.

    A row that is open while its run is over lost its last line with the disk: it is written again.
    """
    records, end = journal.read_from(folder, cursor)
    vouched: dict[str, datetime] = {}
    mended = False
    for name, (_, entry) in records.items():
        if entry.ended_at is not None:
            continue
        run = bury(folder, entry.workload_key)
        if run is not None and run.record_key == name and not run.over:
            vouched[name] = datetime.fromtimestamp(proof_of_life(folder, run), UTC)
        else:
            vouched[name] = datetime.fromtimestamp(entry.started_at, UTC)
            if run is not None and run.record_key == name and run.ended_at is not None:
                journal.append(folder, journal.Entry.of(run))
                mended = True
    return usage_records(folder, cursor) if mended else (records, end, vouched)
