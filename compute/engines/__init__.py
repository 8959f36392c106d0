"""The engine port: what the portal asks of a scheduler, and nothing more.

Every call is idempotent by key, has a timeout, and may be repeated after a crash: the same key
always names the same project, reservation or workload. The portal owns contracts, calendars and
money; the engine places and runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from common.period import Period


class EngineUnavailable(Exception):
    """Transient: no answer, or an answer that says try later. The caller retries."""


class EngineRefused(Exception):
    """Permanent: the engine understood and said no. The caller records the reason."""


class NodeState(StrEnum):
    UP = "up"
    DRAINING = "draining"
    DRAINED = "drained"
    DOWN = "down"


class WorkloadState(StrEnum):
    """Where a workload stands on the engine; ``LOST`` is a key the engine does not know."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"
    LOST = "lost"


class WorkloadKind(StrEnum):
    SERVICE = "service"
    JOB = "job"


class ServiceClass(StrEnum):
    """What work outside a reservation is to the scheduler; the order is that of choosing."""

    ON_DEMAND = "on_demand"
    SHARED = "shared"
    URGENT = "urgent"


@dataclass(frozen=True)
class EngineDescription:
    """Which engine answers: its kind, version and what this version can do."""

    kind: str
    version: str
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NodeFact:
    """One node as the engine sees it now.

    Units: whole cards; memory in MiB. ``gres`` is the engine's own name of the card type.
    """

    name: str
    gres: str
    cards: int
    cards_allocated: int
    state: NodeState
    reason: str = ""
    cpus: int = 0
    memory_mib: int = 0


@dataclass(frozen=True)
class ProjectSpec:
    """A tenant's project as the engine must know it (an account, a namespace, a folder)."""

    key: str
    name: str
    max_cards: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ReservationSpec:
    """A right to cards of one kind for a period; ``nodes`` are named where the engine needs it."""

    key: str
    project_key: str
    gres: str
    cards: int
    period: Period
    generation: int = 1
    nodes: Sequence[str] = ()


@dataclass(frozen=True)
class ReservationObservation:
    key: str
    nodes: tuple[str, ...]
    cards: int
    period: Period
    active: bool


@dataclass(frozen=True)
class WorkloadSpec:
    """What to run and on how many cards.

    Shape: ``argv`` is a list, never a shell string; a service reads its port from ``PORT`` in its
    environment or publishes another, and answers ``health_path`` with 200 when ready.
    ``time_limit_seconds`` is None for work that ends only when told to. ``service_class`` has no
    say inside a reservation.
    """

    key: str
    project_key: str
    kind: WorkloadKind
    gres: str
    cards: int
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    reservation_key: str | None = None
    health_path: str = "/health"
    generation: int = 1
    time_limit_seconds: int | None = None
    service_class: ServiceClass = ServiceClass.ON_DEMAND


@dataclass(frozen=True)
class WorkloadObservation:
    """A workload as the engine sees it now.

    Shape: ``endpoint`` is "http://host:port" once a service has published it; ``last_lines`` are
    the engine's own last words of a workload that failed, newest last; ``preempted`` says of an
    ended one that the engine gave its cards to work of a higher class.
    """

    key: str
    state: WorkloadState
    generation: int = 1
    engine_job_id: str = ""
    node: str = ""
    cards: tuple[str, ...] = ()
    endpoint: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    last_lines: tuple[str, ...] = ()
    preempted: bool = False


@dataclass(frozen=True)
class UsageFact:
    """One stretch of cards held by one workload, from the engine's own accounting.

    Shape: ``record_key`` names the accounting row for ever (engine job id and submit time), however
    often it is read; ``ended_at`` is None while the row is open, and ``seen_until`` is how far the
    engine vouches for it. Units: whole cards, instants in UTC with whole seconds.
    """

    record_key: str
    workload_key: str
    engine_job_id: str
    node: str
    gres: str
    cards: int
    started_at: datetime
    ended_at: datetime | None
    seen_until: datetime
    reservation_key: str | None = None


@dataclass(frozen=True)
class UsagePage:
    """Facts that may have changed since a cursor, and the cursor to ask with next time.

    Pages overlap on purpose: the reader keeps a fact once by its ``record_key``.
    """

    facts: tuple[UsageFact, ...]
    cursor: str


class Engine(Protocol):
    """One cluster's scheduler. Built from the cluster's connection settings, without any call.

    Raises: EngineUnavailable, EngineRefused, from every method, within ``timeout_seconds`` of the
    connection settings (10 by default).
    """

    def __init__(self, connection: Mapping[str, str]) -> None: ...

    @classmethod
    def service_classes(cls, connection: Mapping[str, str]) -> frozenset[ServiceClass]:
        """The classes that a cluster with these settings can honour; calls and refuses nothing."""

    def describe(self) -> EngineDescription: ...

    def inventory(self) -> tuple[NodeFact, ...]: ...

    def ensure_project(self, project: ProjectSpec) -> None: ...

    def ensure_reservation(self, spec: ReservationSpec) -> ReservationObservation:
        """Make or find the reservation; refuse, leaving nothing, when less than asked was given."""

    def drop_reservation(self, key: str) -> None:
        """End the reservation and what runs in it; a missing one is done already."""

    def ensure_workload(self, spec: WorkloadSpec) -> WorkloadObservation:
        """Start the workload, or find it by its key; never a second one."""

    def stop_workload(self, key: str, grace_seconds: int = 30) -> None:
        """Ask the workload to end, then end it; a missing one is done already."""

    def observe(self, keys: Sequence[str]) -> tuple[WorkloadObservation, ...]:
        """One observation a key, in the order asked; unknown keys are ``LOST``."""

    def usage(self, cursor: str) -> UsagePage:
        """Accounting rows since ``cursor`` ("" from the beginning), open rows included."""

    def drain(self, node: str, reason: str) -> None:
        """Take no new work on a node; ``reason`` carries the portal's own id."""

    def resume(self, node: str) -> None: ...

    def estimate_start(self, spec: WorkloadSpec) -> datetime | None:
        """When the workload would start; None where the engine cannot say."""
