"""One workload's own process: waits for cards, starts it, watches it, records how it ended.

``python -m compute.engines.local.supervisor STATE_DIR KEY BOARD HANDSHAKE_FD``. It belongs to no
session and no parent, so the portal may be killed at any moment. It restarts nothing.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from compute.engines import EngineUnavailable, WorkloadState
from compute.engines.local import journal
from compute.engines.local.board import NotNow, Placement, place
from compute.engines.local.folder import StateFolder, locked, read_json, try_lock
from compute.engines.local.launch import Launched, launch
from compute.engines.local.processes import VISIBLE_CARDS, inherited_environment, signal_group
from compute.engines.local.reading import bury_orphans, read_board
from compute.engines.local.records import (
    HOST,
    Run,
    last_lines,
    read_reservation,
    read_run,
    whole_seconds,
    write_run,
)
from compute.engines.local.settings import Settings

TICK_SECONDS: Final = 0.2
HEARTBEAT_SECONDS: Final = 1.0
LOCK_SECONDS: Final = 30.0
TAKEOVER_SECONDS: Final = 5.0
DEFAULT_GRACE_SECONDS: Final = 10
ORPHANS_EVERY_TICKS: Final = 10
OUTPUT_LIMIT_BYTES: Final = 16 * 2**20


@dataclass(frozen=True)
class Stop:
    """Why the workload is to end, and how it is then recorded."""

    reason: str
    state: WorkloadState = WorkloadState.ENDED
    grace_seconds: int = DEFAULT_GRACE_SECONDS


class Supervisor:
    """Watches one run from waiting to its end."""

    def __init__(self, settings: Settings, key: str) -> None:
        self.settings = settings
        self.folder = StateFolder(settings.state_dir)
        self.key = key
        self.home = self.folder.workload(key)
        self.told_to_end = False
        self.beat_at = 0.0
        self.wakeup, wakeup_write = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(wakeup_write, False)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGINT, self._on_terminate)
        # Without a handler the wake-up would not happen when the workload ends.
        signal.signal(signal.SIGCHLD, self._on_child)

    def _on_terminate(self, _number: int, _frame: object) -> None:
        self.told_to_end = True

    def _on_child(self, _number: int, _frame: object) -> None:
        """The wake-up itself is what is wanted."""

    def pause(self, seconds: float = TICK_SECONDS) -> None:
        """Wait for a signal, a stop request's signal included, but no longer than a tick."""
        if select.select([self.wakeup], [], [], seconds)[0]:
            os.read(self.wakeup, 4096)

    def supervise(self, handshake: int) -> None:
        """The whole life of one run. ``handshake`` is closed once the first decision is on disk."""
        run = read_run(self.folder, self.key)
        if run is None or run.state is not WorkloadState.PENDING:
            os.close(handshake)
            return
        # Cards of a supervisor that died between assigning them and starting anything.
        run = replace(run, node="", cards=(), port=0)
        ticks = 0
        while not run.over:
            run = self._decide(run, ticks)
            if run.node:
                self._start(run, handshake)
                return
            if ticks == 0:
                os.close(handshake)
                handshake = -1
            ticks += 1
            if not run.over:
                self.pause()
        self.folder.live(self.key).unlink(missing_ok=True)

    def _decide(self, run: Run, ticks: int) -> Run:
        """Take cards when they are free; else the run with the reason why it waits."""
        stop = self._stop_request()
        if stop is not None:
            return self._never_ran(run, stop.reason)
        if ticks % ORPHANS_EVERY_TICKS == 1:
            bury_orphans(self.folder)
        now = whole_seconds(datetime.now(UTC))
        with locked(self.folder.board_lock, LOCK_SECONDS):
            found = place(run, read_board(self.folder, self.settings.nodes), now)
            if isinstance(found, Placement):
                port = int(run.env.get("PORT", "0")) or self._free_port()
                return self._write(
                    replace(run, node=found.node, cards=found.cards, port=port, reason="")
                )
        return self._wait(run, found)

    def _wait(self, run: Run, found: NotNow) -> Run:
        if found.final:
            return self._never_ran(run, found.reason)
        return run if run.reason == found.reason else self._write(replace(run, reason=found.reason))

    def _never_ran(self, run: Run, reason: str) -> Run:
        return self._write(
            run.ended(state=WorkloadState.ENDED, at=None, exit_code=None, reason=reason)
        )

    def _write(self, run: Run) -> Run:
        write_run(self.folder, run)
        return run

    def _free_port(self) -> int:
        """A port nobody listens on and no other workload was given; asked under the board lock."""
        given = {
            other.port
            for other in read_board(self.folder, self.settings.nodes).runs
            if other.key != self.key
        }
        while True:
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                return port

    def _environment(self, run: Run) -> dict[str, str]:
        cards = ",".join(map(str, run.cards))
        return {
            **inherited_environment(),
            **run.env,
            "PORT": str(run.port),
            "ACP_CARDS": cards,
            "ACP_NODE": run.node,
            "ACP_WORKLOAD": run.key,
            **dict.fromkeys(VISIBLE_CARDS, cards),
        }

    def _start(self, run: Run, handshake: int) -> None:
        """Fork, record, and only then let the workload run: nothing ever runs unrecorded."""
        launched = launch(run.argv, self._environment(run), self.home)
        run = replace(
            run,
            state=WorkloadState.RUNNING,
            started_at=whole_seconds(datetime.now(UTC)),
            process_id=launched.process_id,
            process_identity=launched.identity,
        )
        self._beat()
        journal.append(self.folder, journal.Entry.of(run))
        self._write(run)
        launched.go()
        if handshake >= 0:
            os.close(handshake)
        exit_code, stop = self._watch(run, launched)
        # Children the workload left behind end with it.
        signal_group(launched.process_id, signal.SIGKILL)
        self._record_end(run, exit_code, stop)

    def _watch(self, run: Run, launched: Launched) -> tuple[int, Stop | None]:
        """Wait for the end; TERM first when it is to stop, then KILL after the grace."""
        stop: Stop | None = None
        kill_at = 0.0
        while (exit_code := launched.poll()) is None:
            if stop is None:
                stop = self._stop_wanted(run)
                if stop is not None:
                    signal_group(launched.process_id, signal.SIGTERM)
                    kill_at = time.monotonic() + stop.grace_seconds
            elif time.monotonic() >= kill_at:
                signal_group(launched.process_id, signal.SIGKILL)
            self._beat()
            self.pause()
        return exit_code, stop

    def _stop_wanted(self, run: Run) -> Stop | None:
        now = whole_seconds(datetime.now(UTC))
        limit = run.time_limit_seconds
        if limit is not None and run.started_at is not None and now >= run.started_at + limit:
            return Stop("Its time limit has passed.", WorkloadState.FAILED)
        if run.reservation_key is not None:
            reservation = read_reservation(self.folder, run.reservation_key)
            if reservation is None or now >= reservation.ends_at:
                return Stop("Its reservation has ended.")
        return self._stop_request()

    def _stop_request(self) -> Stop | None:
        asked = read_json(self.home / "stop.json")
        if asked is not None:
            return Stop(str(asked["reason"]), grace_seconds=int(asked["grace_seconds"]))
        if self.told_to_end:
            return Stop("The machine told it to end.")
        return None

    def _beat(self) -> None:
        """Prove that the workload lives: it is never billed past the last proof."""
        if time.monotonic() - self.beat_at < HEARTBEAT_SECONDS:
            return
        self.beat_at = time.monotonic()
        # A disk that refuses must not end the work; what is then not proved is not billed.
        with suppress(OSError):
            (self.home / "heartbeat").touch()
            self._trim_output()

    def _trim_output(self) -> None:
        """Keep the last lines of an output that has grown too long."""
        output = self.home / "output.log"
        if output.stat().st_size > OUTPUT_LIMIT_BYTES:
            kept = "\n".join(last_lines(self.folder, self.key))
            os.truncate(output, 0)
            with output.open("a", encoding="utf-8") as stream:
                stream.write(f"{kept}\n")

    def _record_end(self, run: Run, exit_code: int, stop: Stop | None) -> None:
        """Journal, then state, then the cards are free; a full disk is waited for."""
        if stop is not None:
            state, reason = stop.state, stop.reason
        elif exit_code == 0:
            state, reason = WorkloadState.ENDED, ""
        else:
            state, reason = WorkloadState.FAILED, _reason(exit_code)
        ended_at = max(run.started_at or 0, whole_seconds(datetime.now(UTC)))
        run = run.ended(state=state, at=ended_at, exit_code=exit_code, reason=reason)
        while True:
            try:
                journal.append(self.folder, journal.Entry.of(run))
                self._write(run)
                break
            except (OSError, EngineUnavailable):
                self.pause(HEARTBEAT_SECONDS)
        self.folder.live(self.key).unlink(missing_ok=True)


def _reason(exit_code: int) -> str:
    if exit_code < 0:
        return f"Ended by signal {signal.Signals(-exit_code).name}."
    return f"Ended with exit code {exit_code}."


def main(arguments: Sequence[str]) -> int:
    """Leave the parent, take the workload's lock for life, and supervise."""
    state_dir, key, nodes, handshake = arguments[0], arguments[1], arguments[2], int(arguments[3])
    os.set_inheritable(handshake, False)  # noqa: FBT003 - the library's own signature
    if os.fork():
        return 0
    os.setsid()
    settings = Settings.of({"state_dir": state_dir, "nodes": nodes})
    supervisor = Supervisor(settings, key)
    limit = time.monotonic() + TAKEOVER_SECONDS
    # The lock is kept open until the process ends, whichever way it ends. A predecessor that has
    # just recorded its end may still hold it for a moment.
    while try_lock(supervisor.home / "lock") is None:
        if time.monotonic() > limit:
            return 1
        supervisor.pause()
    (supervisor.home / "supervisor.pid").write_text(json.dumps(os.getpid()))
    supervisor.supervise(handshake)
    return 0


if __name__ == "__main__":
    os.chdir(Path("/"))
    sys.exit(main(sys.argv[1:]))
