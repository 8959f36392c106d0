"""One instance from its first start to its end, with everything killed that can be killed."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.embedded.postgres import embedded_postgres
from portal.embedded.running import answers
from tests.instance import WORKER, Instance, children, own_instance, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with own_instance(tmp_path) as instance:
        yield instance


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
    wait_for(lambda: bool(set(instance.children(WORKER)) - {worker}), run, seconds=60)

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
    for process in {again.pid, *children(again.pid), *instance.processes()}:
        os.kill(process, signal.SIGKILL)
    again.wait()
    last = instance.start()
    assert instance.sql("SELECT n FROM kept") == [(7,)]
    last.terminate()
    assert last.wait(timeout=60) == 0
    assert instance.processes() == set()


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
