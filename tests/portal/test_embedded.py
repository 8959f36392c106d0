"""One instance from its first start to its end, with everything killed that can be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from portal.embedded.leftovers import end_instance, mark, processes_of
from portal.embedded.ports import free_port
from portal.embedded.postgres import embedded_postgres
from portal.embedded.running import answers

pytestmark = pytest.mark.processes

WORKER = "-A portal.celery worker"
ROOT = Path(__file__).resolve().parents[2]
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
        found = [
            process
            for process in _children(self.started[0].pid)
            if part in Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        ]
        return found[0] if found else 0

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


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    instance = Instance(tmp_path / "state", free_port(), free_port())
    try:
        yield instance
    finally:
        for run in instance.started:
            if run.poll() is None:
                run.kill()
            run.wait()
        end_instance(str(instance.folder), patience_seconds=1)


def test_a_second_start_a_dead_worker_and_a_dead_database_leave_the_first_run_whole(
    instance: Instance,
) -> None:
    run = instance.start()
    instance.sql("CREATE TABLE kept AS SELECT 7 AS n")

    second = instance.launch()
    assert second.wait(timeout=60) == 1
    assert instance.output() == (
        f"The portal already runs from {instance.folder} (process {run.pid}); "
        "stop it first, or set PORTAL_STATE_DIR to another folder.\n"
    )
    assert run.poll() is None

    worker = instance.child(WORKER)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: "worker ended (signal 9)" in instance.log(0).read_text(), run, seconds=30)
    wait_for(lambda: instance.child(WORKER) not in (0, worker), run, seconds=60)

    os.kill(instance.child("postgres -D"), signal.SIGKILL)
    wait_for(embedded_postgres(instance.folder).is_ready, run, seconds=60)
    assert instance.sql("SELECT n FROM kept") == [(7,)]

    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 0
    assert instance.processes() == set()
    assert not answers(instance.web)


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_has_the_rows(
    instance: Instance,
) -> None:
    run = instance.start()
    instance.sql("CREATE TABLE kept AS SELECT 7 AS n")
    secret = (instance.folder / "secret-key").read_text()
    assert len(instance.processes()) >= 5

    run.kill()
    run.wait()
    wait_for(lambda: instance.processes() == set(), seconds=40)
    wait_for(lambda: not answers(instance.web), seconds=5)

    again = instance.start()
    assert instance.sql("SELECT n FROM kept") == [(7,)]
    assert (instance.folder / "secret-key").read_text() == secret

    # Everything at once, the watcher included, as a machine that loses its power.
    for process in {again.pid, *_children(again.pid), *instance.processes()}:
        os.kill(process, signal.SIGKILL)
    again.wait()
    last = instance.start()
    assert instance.sql("SELECT n FROM kept") == [(7,)]
    last.terminate()
    assert last.wait(timeout=60) == 0
    assert instance.processes() == set()


def _children(parent: int) -> set[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(process) for process in listed}


def test_a_taken_port_is_named_in_one_sentence(instance: Instance) -> None:
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", instance.web))
        taker.listen()
        assert instance.launch().wait(timeout=60) == 1
    assert instance.output() == (
        f"Port {instance.web} is taken by another program; stop that program or set "
        "PORTAL_WEB_PORT to a free port.\n"
    )
    assert instance.processes() == set()


def test_a_malformed_port_is_named_in_one_sentence(instance: Instance) -> None:
    assert instance.launch(PORTAL_WEB_PORT="eighty").wait(timeout=60) == 1
    assert instance.output() == (
        "PORTAL_WEB_PORT must be a port between 1 and 65535, not 'eighty'.\n"
    )


def test_one_run_ends_by_itself_and_leaves_nothing(instance: Instance) -> None:
    run = instance.launch("--once")
    assert run.wait(timeout=240) == 0
    assert "Up after" in instance.output()
    assert instance.processes() == set()


def test_a_stop_in_the_middle_of_a_start_leaves_nothing(instance: Instance) -> None:
    run = instance.launch()
    wait_for(lambda: "Applying migrations." in instance.output(), run, seconds=60)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 0
    assert instance.processes() == set()
