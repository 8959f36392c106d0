"""An instance of the product in a folder of its own, with all its processes real."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from portal.embedded.leftovers import end_instance, mark, processes_of
from portal.embedded.ports import free_port
from portal.embedded.postgres import embedded_postgres

WORKER = "-A portal.celery worker"
ROOT = Path(__file__).resolve().parents[1]
OURS = ("DATABASE_", "CELERY_", "PORTAL_", "REDIS_", "SECRET_KEY", "DJANGO_", "PUBLIC_", "GATEWAY_")


@dataclass
class Instance:
    """A run of the product in a folder of its own."""

    folder: Path
    web: int
    gateway: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        run = self.launch()
        wait_for(lambda: "Up after" in self.output(), run, seconds=240)
        return run

    def launch(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        kept = {key: text for key, text in os.environ.items() if not key.startswith(OURS)}
        own = {
            "PORTAL_STATE_DIR": str(self.folder),
            "PORTAL_WEB_PORT": str(self.web),
            "PORTAL_GATEWAY_PORT": str(self.gateway),
        }
        with self.log(len(self.started)).open("wb") as output:
            run = subprocess.Popen(
                [sys.executable, "-m", "portal.embedded", "run", "--bare", *arguments],
                cwd=ROOT,
                env={**kept, **own, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(run)
        return run

    def log(self, number: int) -> Path:
        return self.folder.parent / f"run-{number}.log"

    def output(self) -> str:
        return self.log(len(self.started) - 1).read_text()

    def processes(self) -> set[int]:
        both = (str(self.folder), mark(str(self.folder), database=True))
        return set().union(*(processes_of(marked) for marked in both))

    def child(self, part: str) -> int:
        """The process that the first run started itself and whose command line has ``part``."""
        # One that was killed comes again in a moment.
        wait_for(lambda: bool(self.children(part)), seconds=30)
        return self.children(part)[0]

    def children(self, part: str) -> list[int]:
        """All such processes, also none."""
        found = []
        for process in children(self.started[0].pid):
            try:
                line = Path(f"/proc/{process}/cmdline").read_bytes()
            except OSError:
                continue
            if part in line.replace(b"\0", b" ").decode():
                found.append(process)
        return found

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(embedded_postgres(self.folder).url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


def wait_for(
    condition: Callable[[], bool], run: subprocess.Popen[bytes] | None = None, *, seconds: float
) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert run is None or run.poll() is None, "the run ended"
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def own_instance(folder: Path) -> Iterator[Instance]:
    """An instance with its state in ``folder``; nothing of it outlives the block."""
    instance = Instance(folder / "state", free_port(), free_port())
    try:
        yield instance
    finally:
        for run in instance.started:
            if run.poll() is None:
                run.kill()
            run.wait()
        end_instance(str(instance.folder), patience_seconds=2)


def children(parent: int) -> set[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(process) for process in listed}
