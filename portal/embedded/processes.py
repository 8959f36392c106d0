"""The supervisor: starts the product's processes, keeps them alive, and leaves none behind."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO

from portal.embedded import leftovers
from portal.embedded.refusal import Refusal, StopAsked

DATABASE = "postgres"
HERE = Path(__file__).resolve().parent
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A process that lived this long is healthy again, and its next death is its first.
HEALTHY_SECONDS = 60
LONGEST_DELAY_SECONDS = 30.0
DEATHS_BEFORE_READY = 5
LARGEST_LOG_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """How one process is started, known to be ready, and ended."""

    name: str
    argv: Sequence[str]
    is_ready: Callable[[], bool] | None = None
    ready_line: bytes = b""
    stop_signal: signal.Signals = signal.SIGTERM
    patience_seconds: float = 10
    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None
    folder: Path | None = None


@dataclass
class Running:
    """One started process and the history of its deaths."""

    plan: Plan
    log: Path
    child: subprocess.Popen[bytes]
    started_at: float
    log_start: int
    ready: bool = False
    deaths: int = 0
    again_at: float | None = None


@dataclass
class Supervisor:
    """Everything one instance runs, from ``with`` to its end.

    Idempotent: whatever an earlier supervisor of the same instance left behind is ended first,
    which is safe because the caller holds the instance's lock.
    """

    instance: str
    environment: Mapping[str, str]
    logs: Path
    say: Callable[[str], None]
    processes: dict[str, Running] = field(default_factory=dict)
    stopping: bool = False

    def __enter__(self) -> "Supervisor":
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        leftovers.end_instance(self.instance, patience_seconds=5)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._ask_to_stop)
        # Without a handler a child's death would not wake the loop.
        signal.signal(signal.SIGCHLD, _noted)
        self._watcher = self._start_watcher()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self._stop_all()
        if self._watcher.stdin:
            self._watcher.stdin.close()
        self._watcher.wait()
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def start(self, plan: Plan) -> None:
        log = self.logs / f"{plan.name}.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        size = log.stat().st_size if log.exists() else 0
        child = self._spawn(plan, log)
        self.processes[plan.name] = Running(plan, log, child, time.monotonic(), log_start=size)

    def wait_ready(self, *names: str, seconds: float) -> None:
        """Return once all the named processes answer. Raises Refusal with where to look."""
        until = time.monotonic() + seconds
        for name in names:
            while not self._is_ready(self.processes[name]):
                running = self.processes[name]
                if running.deaths >= DEATHS_BEFORE_READY or time.monotonic() > until:
                    raise Refusal(
                        f"The {name} process did not become ready; its log is {running.log} and "
                        f"ends with: {_last_line(running.log)}"
                    )
                self.pause(0.1)

    def once(self, argv: Sequence[str], *, extra: Mapping[str, str] | None = None) -> int:
        """Run one command to its end, with its output on this terminal."""
        plan = Plan(name="command", argv=argv)
        child = self._spawn(plan, None, extra)
        try:
            while child.poll() is None:
                self.pause(0.5)
        finally:
            _end(child, signal.SIGTERM, 10)
        return int(child.returncode)

    def stay(self) -> None:
        """Keep everything running until somebody asks to stop."""
        while True:
            self.pause(1)

    def pause(self, seconds: float) -> None:
        """Wait, sooner awake when a child dies. Raises StopAsked."""
        readable, _, _ = select.select([self._wake_read], [], [], seconds)
        if readable:
            os.read(self._wake_read, 4096)
        if self.stopping:
            raise StopAsked
        for running in self.processes.values():
            self._tend(running)

    def _tend(self, running: Running) -> None:
        """Start a dead process again, each time a little later."""
        now = time.monotonic()
        if running.again_at is None:
            code = running.child.poll()
            if code is None:
                return
            if now - running.started_at > HEALTHY_SECONDS:
                running.deaths = 0
            delay = min(0.25 * 2**running.deaths, LONGEST_DELAY_SECONDS)
            running.deaths += 1
            running.again_at = now + delay
            self.say(f"{running.plan.name} ended ({_how(code)}); it starts again.")
            return
        if now >= running.again_at:
            running.again_at = None
            running.ready = False
            running.log_start = running.log.stat().st_size
            running.started_at = now
            running.child = self._spawn(running.plan, running.log)

    def _is_ready(self, running: Running) -> bool:
        if running.ready:
            return True
        if running.again_at is not None or running.child.poll() is not None:
            return False
        plan = running.plan
        if plan.ready_line:
            with running.log.open("rb") as log:
                log.seek(running.log_start)
                running.ready = plan.ready_line in log.read()
        else:
            running.ready = plan.is_ready is None or plan.is_ready()
        return running.ready

    def _spawn(
        self, plan: Plan, log: Path | None, extra: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        # As another user this Python may be out of reach; the watcher still clears up.
        launch = () if plan.user is not None else _launcher(plan.stop_signal)
        mark = leftovers.mark(self.instance, database=plan.name == DATABASE)
        output: BinaryIO | None = log.open("ab") if log else None
        try:
            return subprocess.Popen(
                [*plan.prefix, *launch, *plan.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env={**self.environment, **(extra or {}), leftovers.MARK: mark},
                cwd=plan.folder,
                user=plan.user,
                group=plan.group,
                extra_groups=None if plan.user is None else [],
                start_new_session=True,
            )
        finally:
            if output:
                output.close()

    def _start_watcher(self) -> subprocess.Popen[bytes]:
        # It does not carry the mark, so that it never ends itself.
        return subprocess.Popen(
            [sys.executable, "-S", "-E", str(HERE / "watch.py"), self.instance],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _stop_all(self) -> None:
        """End the youngest first: the database outlives everything that writes to it."""
        running = [item for item in self.processes.values() if item.child.poll() is None]
        database = [item for item in running if item.plan.name == DATABASE]
        others = [item for item in running if item.plan.name != DATABASE]
        for item in others:
            _signal(item.child, item.plan.stop_signal)
        for item in others:
            _end(item.child, None, item.plan.patience_seconds)
        leftovers.end_all(self.instance, patience_seconds=5)
        for item in database:
            _end(item.child, item.plan.stop_signal, item.plan.patience_seconds)
        leftovers.end_database(self.instance)
        self.processes.clear()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def _noted(number: int, frame: FrameType | None) -> None:
    return


def _launcher(stop_signal: signal.Signals) -> tuple[str, ...]:
    script = str(HERE / "launch.py")
    return (sys.executable, "-S", "-E", script, str(os.getpid()), str(int(stop_signal)))


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        child.send_signal(number)


def _end(child: subprocess.Popen[bytes], number: signal.Signals | None, patience: float) -> None:
    """Wait for an end, after a last request where one is given, and force it at last."""
    if number is not None:
        _signal(child, number)
    try:
        child.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else "(nothing was written)"
