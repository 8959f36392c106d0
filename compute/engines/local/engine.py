"""The engine port on processes of this machine."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from compute.engines import (
    EngineDescription,
    EngineRefused,
    EngineUnavailable,
    NodeFact,
    NodeState,
    ProjectSpec,
    ReservationObservation,
    ReservationSpec,
    ServiceClass,
    UsagePage,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from compute.engines.local import journal
from compute.engines.local.board import Board, DeclaredNode, NotNow, allocate, place
from compute.engines.local.folder import NAME, StateFolder, locked, read_json, write_json
from compute.engines.local.processes import inherited_environment
from compute.engines.local.reading import (
    bury,
    bury_orphans,
    read_board,
    supervised,
    usage_records,
)
from compute.engines.local.records import (
    Reservation,
    Run,
    instant,
    live_runs,
    observation,
    read_reservation,
    read_run,
    whole_seconds,
    write_reservation,
    write_run,
)
from compute.engines.local.settings import Settings

VERSION: Final = "1"
CODE_ROOT: Final = Path(__file__).resolve().parents[3]
DEFAULT_GRACE_SECONDS: Final = 30
POLL_SECONDS: Final = 0.05


class LocalEngine:
    """One machine as a cluster: declared nodes and cards, real processes."""

    def __init__(self, connection: Mapping[str, str]) -> None:
        self.settings = Settings.of(connection)
        self.folder = StateFolder(self.settings.state_dir)

    @classmethod
    def service_classes(cls, connection: Mapping[str, str]) -> frozenset[ServiceClass]:
        """Work waits here in no order and gives way to nobody, so there is one class."""
        return frozenset({ServiceClass.ON_DEMAND})

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """A disk that is full or gone is a time to try later, not a refusal."""
        try:
            self.folder.prepare()
            yield
        except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
            raise EngineUnavailable(f"The local engine could not answer: {error}") from error

    def describe(self) -> EngineDescription:
        return EngineDescription("local", VERSION, frozenset({"reservations", "usage", "drain"}))

    # Nodes.

    def inventory(self) -> tuple[NodeFact, ...]:
        with self._answering():
            bury_orphans(self.folder)
            board = read_board(self.folder, self.settings.nodes)
            return tuple(self._node_fact(node, board) for node in self.settings.nodes)

    def _node_fact(self, node: DeclaredNode, board: Board) -> NodeFact:
        allocated = node.cards - len(board.free_cards(node))
        state, reason = NodeState.UP, ""
        if node.name in board.drained:
            state = NodeState.DRAINING if board.holders(node.name) else NodeState.DRAINED
            reason = str((read_json(self.folder.drained(node.name)) or {}).get("reason", ""))
        return NodeFact(
            name=node.name,
            gres=node.gres,
            cards=node.cards,
            cards_allocated=allocated,
            state=state,
            reason=reason,
            cpus=os.cpu_count() or 0,
            memory_mib=_memory_mib(),
        )

    def drain(self, node: str, reason: str) -> None:
        """What runs on the node stays; nothing new begins there."""
        self._refuse_unknown_node(node)
        with self._answering(), locked(self.folder.board_lock, self.settings.timeout_seconds):
            write_json(self.folder.drained(node), {"reason": reason})

    def resume(self, node: str) -> None:
        self._refuse_unknown_node(node)
        with self._answering(), locked(self.folder.board_lock, self.settings.timeout_seconds):
            self.folder.drained(node).unlink(missing_ok=True)

    def _refuse_unknown_node(self, node: str) -> None:
        if node not in {declared.name for declared in self.settings.nodes}:
            raise EngineRefused(f"There is no node {node!r}.")

    # Projects and reservations.

    def ensure_project(self, project: ProjectSpec) -> None:
        record = {"name": project.name, "max_cards": dict(project.max_cards)}
        with self._answering():
            path = self.folder.project(project.key)
            if read_json(path) != record:
                write_json(path, record)

    def ensure_reservation(self, spec: ReservationSpec) -> ReservationObservation:
        now = datetime.now(UTC)
        asked = Reservation(
            key=spec.key,
            project_key=spec.project_key,
            gres=spec.gres,
            generation=spec.generation,
            starts_at=whole_seconds(spec.period.start),
            ends_at=whole_seconds(spec.period.end),
        )
        with self._answering(), locked(self.folder.board_lock, self.settings.timeout_seconds):
            self._refuse_unknown_project(spec.project_key)
            found = read_reservation(self.folder, spec.key)
            if found is not None and found.generation >= spec.generation:
                return found.observed(now)
            board = read_board(self.folder, self.settings.nodes)
            allocation = allocate(asked, spec.cards, spec.nodes, board)
            if not allocation:
                raise EngineRefused(
                    f"{spec.cards} cards of {spec.gres} are not free for the whole period."
                )
            asked = replace(asked, allocation=allocation)
            write_reservation(self.folder, asked)
            return asked.observed(now)

    def drop_reservation(self, key: str) -> None:
        """The right ends at once; what runs in it is told to end and is not waited for."""
        with self._answering():
            with locked(self.folder.board_lock, self.settings.timeout_seconds):
                self.folder.reservation(key).unlink(missing_ok=True)
            inside = [run for run in live_runs(self.folder) if run.reservation_key == key]
        for run in inside:
            self.stop_workload(run.key, DEFAULT_GRACE_SECONDS)

    # Workloads.

    def ensure_workload(self, spec: WorkloadSpec) -> WorkloadObservation:
        """Start it, or find it by its key.

        A newer generation starts anew once the older one is over; until then the older one is
        what is found.
        Locks: the key, so that of two callers at once one starts it and the other finds it.
        """
        with self._answering():
            home = self._prepare_home(spec)
            with locked(home / "ensure.lock", self.settings.timeout_seconds):
                run = bury(self.folder, spec.key)
                if run is None or (run.over and run.generation < spec.generation):
                    self._close_account(run)
                    self._enter(spec)
                    # Even when a lock is still held: it is the last generation's, about to end.
                    self._supervise(spec.key)
                elif self._waits_alone(spec.key):
                    self._supervise(spec.key)
                return self._observe_one(spec.key)

    def _prepare_home(self, spec: WorkloadSpec) -> Path:
        home = self.folder.workload(spec.key)
        if not (home / "run.json").exists():
            self._refuse_impossible(spec)
            home.mkdir(exist_ok=True, mode=0o700)
        return home

    def _refuse_impossible(self, spec: WorkloadSpec) -> None:
        """Refuse what no waiting can make possible. Raises: EngineRefused."""
        self._refuse_unknown_project(spec.project_key)
        if not spec.argv or spec.cards < 1 or any("\0" in word for word in spec.argv):
            raise EngineRefused("A workload needs a program and at least one card.")
        port = spec.env.get("PORT", "0")
        if not (port.isascii() and port.isdigit() and int(port) < 65_536):
            raise EngineRefused(f"{port!r} is not a port.")
        largest = max((n.cards for n in self.settings.nodes if n.gres == spec.gres), default=0)
        if spec.cards > largest:
            raise EngineRefused(
                f"No node has {spec.cards} cards of {spec.gres}; the largest has {largest}."
            )
        if spec.reservation_key is None:
            return
        reservation = read_reservation(self.folder, spec.reservation_key)
        if reservation is None or reservation.project_key != spec.project_key:
            raise EngineRefused("The workload's project has no such reservation.")
        if reservation.gres != spec.gres:
            raise EngineRefused("The reservation is for another type of card.")

    def _refuse_unknown_project(self, key: str) -> None:
        if not self.folder.project(key).exists():
            raise EngineRefused(f"There is no project {key!r}.")

    def _enter(self, spec: WorkloadSpec) -> None:
        """Write down what was asked, before anything is done about it."""
        self._refuse_impossible(spec)
        run = Run.asked(spec, job_id=self._next_job_id(), now=datetime.now(UTC))
        (self.folder.workload(spec.key) / "stop.json").unlink(missing_ok=True)
        self.folder.live(spec.key).touch(mode=0o600)
        write_run(self.folder, run)

    def _close_account(self, run: Run | None) -> None:
        """Before an ended run is forgotten for the next one, its closing line must be there."""
        if run is None or run.started_at is None:
            return
        if journal.closing(self.folder, run.record_key) is None:
            journal.append(self.folder, journal.Entry.of(run))

    def _next_job_id(self) -> str:
        with locked(self.folder.root / "sequence.lock", self.settings.timeout_seconds):
            path = self.folder.root / "numbers" / "sequence"
            number = int((read_json(path) or {"last": 0})["last"]) + 1
            write_json(path, {"last": number})
        return f"local-{number}"

    def _supervise(self, key: str) -> None:
        """Start the workload's supervisor and wait until its first decision is on disk."""
        home = self.folder.workload(key)
        handshake, theirs = os.pipe()
        try:
            with (home / "supervisor.log").open("ab") as output:
                leaving = subprocess.Popen(  # noqa: S603 - our own argv list
                    [
                        sys.executable,
                        "-m",
                        "compute.engines.local.supervisor",
                        str(self.settings.state_dir),
                        key,
                        self.settings.nodes_text,
                        str(theirs),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=CODE_ROOT,
                    env=inherited_environment() | {"PYTHONPATH": str(CODE_ROOT)},
                    pass_fds=(theirs,),
                    start_new_session=True,
                )
            os.close(theirs)
            theirs = -1
            leaving.wait(self.settings.timeout_seconds)
            # End of file: the first decision was written down, or the supervisor died.
            if not select.select([handshake], [], [], self.settings.timeout_seconds)[0]:
                raise EngineUnavailable(f"The supervisor of {key} did not answer in time.")
        finally:
            os.close(handshake)
            if theirs >= 0:
                os.close(theirs)

    def stop_workload(self, key: str, grace_seconds: int = DEFAULT_GRACE_SECONDS) -> None:
        """Leave the request where its supervisor looks for it; the supervisor does the rest."""
        self._stop(key, grace_seconds, "It was told to stop.")

    def _stop(self, key: str, grace_seconds: int, reason: str) -> None:
        if not NAME.fullmatch(key):
            return
        with self._answering():
            home = self.folder.workload(key)
            if not home.exists():
                return
            with locked(home / "ensure.lock", self.settings.timeout_seconds):
                run = bury(self.folder, key)
                if run is None or run.over:
                    return
                request = {"grace_seconds": max(0, grace_seconds), "reason": reason}
                write_json(home / "stop.json", request)
                if run.state is WorkloadState.PENDING and not supervised(self.folder, key):
                    # Nobody is there to read the request, and nothing ever ran.
                    write_run(self.folder, _never_ran(run, reason))
                    self.folder.live(key).unlink(missing_ok=True)

    def observe(self, keys: Sequence[str]) -> tuple[WorkloadObservation, ...]:
        """Also buries what a killed supervisor left, and supervises anew what never ran."""
        with self._answering():
            for key in keys:
                self._revive(key)
            return tuple(self._observe_one(key) for key in keys)

    def _revive(self, key: str) -> None:
        """A workload still waiting when its supervisor or its caller was killed waits on."""
        if not NAME.fullmatch(key) or not self._waits_alone(key):
            return
        with locked(self.folder.workload(key) / "ensure.lock", self.settings.timeout_seconds):
            # Asked again under the lock: another caller may be starting it just now.
            if self._waits_alone(key):
                self._supervise(key)

    def _waits_alone(self, key: str) -> bool:
        run = read_run(self.folder, key)
        waits = run is not None and run.state is WorkloadState.PENDING
        return waits and not supervised(self.folder, key)

    def _observe_one(self, key: str) -> WorkloadObservation:
        run = bury(self.folder, key) if NAME.fullmatch(key) and self._known(key) else None
        if run is None:
            return WorkloadObservation(key=key, state=WorkloadState.LOST)
        return observation(self.folder, run)

    def _known(self, key: str) -> bool:
        return (self.folder.workload(key) / "run.json").exists()

    # Accounting.

    def usage(self, cursor: str) -> UsagePage:
        with self._answering():
            records, end, vouched = usage_records(self.folder, journal.Cursor.parse(cursor))
            return journal.page(records, end, vouched)

    def estimate_start(self, spec: WorkloadSpec) -> datetime | None:
        """Now when it fits, the begin of its reservation when that is ahead, else unknown."""
        now = datetime.now(UTC)
        with self._answering():
            board = read_board(self.folder, self.settings.nodes)
        run = Run.asked(spec, job_id="", now=now)
        if not isinstance(place(run, board, whole_seconds(now)), NotNow):
            return now
        reservation = board.reservation(spec.reservation_key or "")
        if reservation is not None and whole_seconds(now) < reservation.starts_at:
            return instant(reservation.starts_at)
        return None


def _never_ran(run: Run, reason: str) -> Run:
    return run.ended(state=WorkloadState.ENDED, at=None, exit_code=None, reason=reason)


def _memory_mib() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (ValueError, OSError):
        return 0


def _terminate_supervisor(folder: StateFolder, key: str) -> None:
    """Tell a supervisor that holds its lock, and so is alive and the one of its file, to end."""
    if supervised(folder, key):
        process_id = int((folder.workload(key) / "supervisor.pid").read_text())
        os.kill(process_id, signal.SIGTERM)


def shutdown(connection: Mapping[str, str], grace_seconds: int = 5) -> tuple[str, ...]:
    """Stop every workload of a state folder and wait until each has ended; gives their keys.

    Raises: EngineUnavailable when some are still there after the grace and the engine's timeout.
    """
    engine = LocalEngine(connection)
    engine.folder.prepare()
    keys = tuple(run.key for run in live_runs(engine.folder))
    for key in keys:
        try:
            engine._stop(key, grace_seconds, "The machine's portal was shut down.")
        except EngineUnavailable:
            # A full disk takes no request; a signal needs no disk.
            _terminate_supervisor(engine.folder, key)
    limit = time.monotonic() + grace_seconds + engine.settings.timeout_seconds
    pause = threading.Event()
    while any(supervised(engine.folder, key) for key in keys):
        # The supervisors are nobody's children, so the lock each holds is asked again.
        if time.monotonic() > limit:
            raise EngineUnavailable("Some workloads did not end.")
        pause.wait(POLL_SECONDS)
    bury_orphans(engine.folder)
    return keys
