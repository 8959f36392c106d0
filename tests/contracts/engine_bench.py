"""What the engine contract's tests share: fixtures, a usage reader, and conditions to wait for."""

import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import pytest

from common.period import Period
from compute.engines import (
    Engine,
    EngineUnavailable,
    NodeFact,
    NodeState,
    ProjectSpec,
    ReservationSpec,
    UsageFact,
    WorkloadKind,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)

T = TypeVar("T")

SERVICE = """
import http.server, os

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b"well")

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""

LIVE = (WorkloadState.PENDING, WorkloadState.RUNNING)


class WaitUntil(Protocol):
    def __call__(self, condition: Callable[[], T], timeout: float | None = None) -> T: ...


class Launch(Protocol):
    def __call__(self, spec: WorkloadSpec) -> WorkloadObservation: ...


def new_key() -> str:
    return f"acp-{uuid.uuid4().hex[:12]}"


def observed(engine: Engine, key: str) -> WorkloadObservation:
    (observation,) = engine.observe([key])
    return observation


def card_seconds(facts: list[UsageFact]) -> int:
    """Cards held times whole seconds; every fact must be closed."""
    total = 0
    for fact in facts:
        assert fact.ended_at is not None, f"{fact.record_key} is still open"
        total += fact.cards * round((fact.ended_at - fact.started_at).total_seconds())
    return total


class UsageReader:
    """Reads usage page by page, as the portal does, and keeps a fact once by its record key."""

    def __init__(self, engine: Engine, cursor: str = "") -> None:
        self.engine, self.cursor = engine, cursor
        self.facts: dict[str, UsageFact] = {}

    def read(self) -> None:
        page = self.engine.usage(self.cursor)
        self.cursor = page.cursor
        self.facts.update({fact.record_key: fact for fact in page.facts})

    def of(self, key: str) -> list[UsageFact]:
        return [fact for fact in self.facts.values() if fact.workload_key == key]

    def closed(self, key: str) -> list[UsageFact]:
        """The facts of one workload once each of them has an end; reads one page first."""
        self.read()
        facts = self.of(key)
        return facts if all(fact.ended_at is not None for fact in facts) else []


def next_generation(spec: WorkloadSpec) -> WorkloadSpec:
    return replace(spec, generation=spec.generation + 1)


def record(fact: UsageFact) -> str:
    return fact.record_key


def with_endpoint(seen: WorkloadObservation) -> WorkloadObservation | None:
    return seen if seen.endpoint and seen.state is WorkloadState.RUNNING else None


def in_state(seen: WorkloadObservation, state: WorkloadState) -> WorkloadObservation | None:
    final = (WorkloadState.ENDED, WorkloadState.FAILED)
    assert seen.state not in final or seen.state is state, f"{seen} is not {state}"
    return seen if seen.state is state else None


def finished(seen: WorkloadObservation) -> WorkloadObservation | None:
    return None if seen.state in LIVE else seen


def all_in(engine: Engine, names: list[str], state: NodeState) -> list[NodeFact]:
    """The named nodes once all of them are in the state, else nothing."""
    nodes = [node for node in engine.inventory() if node.name in names]
    return nodes if all(node.state is state for node in nodes) else []


def finished_by_key(engine: Engine, key: str) -> WorkloadObservation | None:
    return finished(observed(engine, key))


def ran_for(seen: WorkloadObservation, seconds: float) -> bool:
    if seen.started_at is None or seen.state is not WorkloadState.RUNNING:
        return False
    return datetime.now(UTC) - seen.started_at > timedelta(seconds=seconds)


def started(launch: Launch, spec: WorkloadSpec) -> bool:
    """Whether the work runs; an engine may keep it pending or say that it should try later."""
    try:
        return launch(spec).state is WorkloadState.RUNNING
    except EngineUnavailable:
        return False


def status(url: str) -> int:
    """The HTTP status of an address, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class EngineBench:
    """The fixtures; an adapter overrides the first ones where it must."""

    patience_seconds = 30.0
    unit = 2.0

    # What an adapter's module may override.

    @pytest.fixture
    def wait_until(self) -> WaitUntil:
        def wait(condition: Callable[[], T], timeout: float | None = None) -> T:
            limit = time.monotonic() + (timeout or self.patience_seconds)
            while True:
                value = condition()
                if value:
                    return value
                assert time.monotonic() < limit, "the condition did not come true in time"
                time.sleep(0.2)

        return wait

    @pytest.fixture
    def a_service_argv(self) -> tuple[str, ...]:
        return (sys.executable, "-c", SERVICE)

    # What the tests share.

    @pytest.fixture
    def project(self, engine: Engine) -> ProjectSpec:
        project = ProjectSpec(key="acp-contract", name="Contract suite 契约")
        engine.ensure_project(project)
        return project

    @pytest.fixture
    def launch(self, engine: Engine, wait_until: WaitUntil) -> Iterator[Launch]:
        """Ensure a workload that has ended, whatever happens, when the test is over."""
        keys: set[str] = set()

        def ensure(spec: WorkloadSpec) -> WorkloadObservation:
            keys.add(spec.key)
            return engine.ensure_workload(spec)

        yield ensure
        for key in keys:
            engine.stop_workload(key, grace_seconds=1)
            wait_until(partial(finished_by_key, engine, key))

    @pytest.fixture
    def service(
        self, project: ProjectSpec, gres: str, a_service_argv: tuple[str, ...]
    ) -> WorkloadSpec:
        return WorkloadSpec(
            key=new_key(),
            project_key=project.key,
            kind=WorkloadKind.SERVICE,
            gres=gres,
            cards=2,
            argv=a_service_argv,
        )

    @pytest.fixture
    def reservation(
        self, engine: Engine, project: ProjectSpec, gres: str
    ) -> Iterator[ReservationSpec]:
        now = datetime.now(UTC).replace(microsecond=0)
        spec = ReservationSpec(
            key=new_key(),
            project_key=project.key,
            gres=gres,
            cards=4,
            period=Period(now - timedelta(seconds=5), now + timedelta(hours=2)),
        )
        yield spec
        engine.drop_reservation(spec.key)

    def job(self, project: ProjectSpec, gres: str, code: str, *arguments: str) -> WorkloadSpec:
        return WorkloadSpec(
            key=new_key(),
            project_key=project.key,
            kind=WorkloadKind.JOB,
            gres=gres,
            cards=1,
            argv=(sys.executable, "-c", code, *arguments),
        )

    @staticmethod
    def node_with(engine: Engine, gres: str) -> NodeFact:
        return next(node for node in engine.inventory() if node.gres == gres)
