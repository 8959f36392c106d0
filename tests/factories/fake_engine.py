"""A scheduler in memory, standing at the engine port, with switches for what goes wrong."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

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
    UsageFact,
    UsagePage,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)


class WorkerKilled(BaseException):
    """Stands for kill -9 at this very line; nothing in the product catches it."""


@dataclass
class World:
    """What one fake scheduler knows, and how it misbehaves."""

    unavailable: bool = False
    refused: str = ""
    lost: set[str] = field(default_factory=set)
    slow_seconds: float = 0
    # Dies after the engine has accepted and before the caller hears of it.
    dies_after_accepting: bool = False
    starts_at_once: bool = True
    nodes: list[NodeFact] = field(default_factory=list)
    projects: dict[str, ProjectSpec] = field(default_factory=dict)
    reservations: dict[str, ReservationSpec] = field(default_factory=dict)
    workloads: dict[str, WorkloadObservation] = field(default_factory=dict)
    specs: dict[str, WorkloadSpec] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    facts: dict[str, UsageFact] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    drained: dict[str, str] = field(default_factory=dict)


WORLDS: dict[str, World] = {}


def world(name: str) -> World:
    return WORLDS.setdefault(name, World())


class FakeEngine:
    """The port, kept by a dictionary."""

    def __init__(self, connection: Mapping[str, str]) -> None:
        self.world = world(connection["world"])

    @classmethod
    def service_classes(cls, connection: Mapping[str, str]) -> frozenset[ServiceClass]:
        return frozenset(map(ServiceClass, connection.get("classes", "on_demand").split()))

    def _called(self, name: str) -> World:
        self.world.calls.append(name)
        if self.world.slow_seconds:
            time.sleep(self.world.slow_seconds)
        if self.world.unavailable:
            raise EngineUnavailable("connection refused")
        return self.world

    def describe(self) -> EngineDescription:
        self._called("describe")
        return EngineDescription(kind="fake", version="1")

    def inventory(self) -> tuple[NodeFact, ...]:
        here = self._called("inventory")
        return tuple(
            replace(one, state=NodeState.DRAINED, reason=here.drained[one.name])
            if one.name in here.drained
            else one
            for one in here.nodes
        )

    def ensure_project(self, project: ProjectSpec) -> None:
        self._called("ensure_project").projects[project.key] = project

    def ensure_reservation(self, spec: ReservationSpec) -> ReservationObservation:
        here = self._called("ensure_reservation")
        if here.refused:
            raise EngineRefused(here.refused)
        here.reservations.setdefault(spec.key, spec)
        self._accepted(here)
        return ReservationObservation(
            key=spec.key, nodes=("n1",), cards=spec.cards, period=spec.period, active=True
        )

    def drop_reservation(self, key: str) -> None:
        here = self._called("drop_reservation")
        here.reservations.pop(key, None)
        here.dropped.append(key)

    def ensure_workload(self, spec: WorkloadSpec) -> WorkloadObservation:
        here = self._called("ensure_workload")
        if here.refused:
            raise EngineRefused(here.refused)
        if spec.key not in here.workloads:
            here.started.append(spec.key)
            here.specs[spec.key] = spec
            here.workloads[spec.key] = _started(spec, running=here.starts_at_once)
        self._accepted(here)
        return here.workloads[spec.key]

    def _accepted(self, here: World) -> None:
        if here.dies_after_accepting:
            here.dies_after_accepting = False
            raise WorkerKilled

    def stop_workload(self, key: str, grace_seconds: int = 30) -> None:
        here = self._called("stop_workload")
        if key in here.workloads:
            here.workloads[key] = replace(
                here.workloads[key], state=WorkloadState.ENDED, ended_at=datetime.now(UTC)
            )

    def observe(self, keys: Sequence[str]) -> tuple[WorkloadObservation, ...]:
        here = self._called("observe")
        absent = [key for key in keys if key in here.lost]
        return tuple(
            WorkloadObservation(key=key, state=WorkloadState.LOST)
            if key in absent or key not in here.workloads
            else here.workloads[key]
            for key in keys
        )

    def usage(self, cursor: str) -> UsagePage:
        here = self._called("usage")
        return UsagePage(facts=tuple(here.facts.values()), cursor=f"{len(here.calls)}")

    def drain(self, node: str, reason: str) -> None:
        here = self._called("drain")
        if here.refused:
            raise EngineRefused(here.refused)
        here.drained[node] = reason
        self._accepted(here)

    def resume(self, node: str) -> None:
        here = self._called("resume")
        if here.refused:
            raise EngineRefused(here.refused)
        here.drained.pop(node, None)
        self._accepted(here)

    def estimate_start(self, spec: WorkloadSpec) -> datetime | None:
        self._called("estimate_start")
        return None


def _started(spec: WorkloadSpec, *, running: bool) -> WorkloadObservation:
    return WorkloadObservation(
        key=spec.key,
        state=WorkloadState.RUNNING if running else WorkloadState.PENDING,
        generation=spec.generation,
        engine_job_id="1",
        node="n1" if running else "",
        cards=("0",) if running else (),
        endpoint="http://127.0.0.1:9" if running else "",
        started_at=datetime.now(UTC) if running else None,
    )


def node(name: str, gres: str = "h20", cards: int = 8) -> NodeFact:
    return NodeFact(name=name, gres=gres, cards=cards, cards_allocated=0, state=NodeState.UP)
