"""The broker with real workers: nudges arrive at once, and survive a worker's death."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from celery.beat import ScheduleEntry
from django.conf import settings
from kombu import Connection

from portal.broker import LONGEST_QUEUE_NAME, install, register
from portal.embedded.ports import free_port
from portal.settings.broker import broker_options, database_conninfo
from portal.settings.schedule import POKES, beat_schedule
from tests.database import database_url, empty_queues_schema

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parents[2]
VISIBILITY_SECONDS = 3


@dataclass
class Bench:
    """One broker, a folder where tasks leave their marks, and the workers started on it."""

    folder: Path
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]]

    def start_worker(self) -> subprocess.Popen[bytes]:
        log = self.folder.parent / f"worker-{len(self.workers)}.log"
        with log.open("wb") as output:
            worker = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "tests.portal.probe", "worker"),
                    *("-Q", "engine", "--concurrency", "2", "--loglevel", "INFO"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.workers.append(worker)
        wait_for(lambda: b" ready." in log.read_bytes(), seconds=60)
        return worker

    def nudge(self, first: int, count: int) -> tuple[float, float]:
        """Send from a process of its own; when it had sent, and how long it then took to end."""
        sent = subprocess.run(
            [sys.executable, "-m", "tests.portal.probe", str(first), str(count)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        sent_at = float(sent.stdout)
        return sent_at, time.time() - sent_at

    def done(self) -> set[int]:
        return {int(note.name) for note in self.folder.iterdir()}

    def held(self) -> set[int]:
        return {int(note.name.removeprefix("held-")) for note in self.folder.parent.glob("held-*")}

    def runs(self, number: int) -> list[float]:
        return [float(line) for line in (self.folder / str(number)).read_text().splitlines()]


def wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    program = shutil.which("redis-server")
    assert program, "redis-server is not on PATH"
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
    server = subprocess.Popen([*argv, str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(params=["pgmq", pytest.param("redis", marks=pytest.mark.redis)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "done"
    folder.mkdir()
    named = {"pgmq": "", "redis": ""}
    if request.param == "redis":
        named["redis"] = request.getfixturevalue("redis_url")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings.dev",
        "DATABASE_URL": database_url(),
        "SECRET_KEY": "only-for-tests",
        "CELERY_BROKER_URL": named[request.param],
        "CELERY_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
        "PROBE_FOLDER": str(folder),
        "PROBE_SECONDS": "0.1",
    }
    bench = Bench(folder, environment, [])
    try:
        yield bench
    finally:
        for worker in bench.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def test_nudges_outlive_the_worker_that_had_taken_them(bench: Bench) -> None:
    bench.nudge(0, 20)
    bench.environment["PROBE_HOLDS_FROM"] = "6"
    first = bench.start_worker()
    # Killed with both hands full: what a broker hands over at that very moment may be lost.
    wait_for(lambda: bench.held() == {6, 7} and bench.done() == set(range(6)), seconds=30)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    del bench.environment["PROBE_HOLDS_FROM"]

    bench.start_worker()
    wait_for(lambda: len(bench.done()) == 20, seconds=60)
    assert bench.done() == set(range(20))
    assert sum(len(bench.runs(number)) for number in range(20)) == 20


def test_an_idle_worker_hears_a_nudge_at_once(bench: Bench) -> None:
    bench.environment["PROBE_SECONDS"] = "0"
    bench.start_worker()
    delays = []
    for number in range(3):
        sent_at, _ = bench.nudge(number, 1)
        wait_for(lambda number=number: number in bench.done(), seconds=20)
        delays.append(bench.runs(number)[0] - sent_at)
    # A poll would take seconds.
    assert min(delays) < 1


def test_a_busy_worker_takes_the_next_nudge_as_soon_as_a_hand_is_free(bench: Bench) -> None:
    bench.environment["PROBE_SECONDS"] = "0"
    bench.start_worker()
    bench.nudge(0, 60)
    wait_for(lambda: len(bench.done()) == 60, seconds=30)
    ends = sorted(time for number in range(60) for time in bench.runs(number))
    assert ends[-1] - ends[0] < 15  # a poll a task would take half a minute


def test_a_command_that_nudged_ends_at_once(bench: Bench) -> None:
    _, seconds_to_end = bench.nudge(0, 1)
    assert seconds_to_end < 20


def _pgmq() -> Connection:
    register()
    options = broker_options(
        "pgmq://", database=settings.DATABASES["default"], visibility_seconds=VISIBILITY_SECONDS
    )
    return Connection("pgmq://", transport_options=options)


def test_queue_names_longer_than_the_tables_allow_stay_apart() -> None:
    names = ["q" * 60 + "a", "q" * 60 + "b"]
    with _pgmq() as connection:
        queues = [connection.SimpleQueue(name) for name in names]
        for name, queue in zip(names, queues, strict=True):
            queue.put({"for": name})
        received = [queue.get(timeout=5) for queue in queues]
        assert [message.payload for message in received] == [{"for": name} for name in names]
        for message in received:
            message.ack()
        channel = connection.default_channel
        assert all(len(channel.entity_name(name)) == LONGEST_QUEUE_NAME for name in names)


def test_the_queues_schema_is_installed_once_and_never_again() -> None:
    conninfo = database_conninfo(settings.DATABASES["default"])
    empty_queues_schema(settings.DATABASES["default"]["NAME"])
    install(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as server:
        server.execute("SELECT pgmq.create('kept')")
    install(conninfo)
    with psycopg.connect(conninfo) as server:
        assert server.execute("SELECT queue_name FROM pgmq.list_queues()").fetchall() == [("kept",)]


def test_every_poke_expires_before_the_next_one() -> None:
    entries = [ScheduleEntry(**entry) for entry in beat_schedule().values()]
    assert [entry.task for entry in entries] == [poke.task for poke in POKES]
    assert [entry.options["expires"] for entry in entries] == [poke.every_seconds for poke in POKES]
