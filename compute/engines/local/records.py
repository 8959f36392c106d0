"""What the engine remembers of a workload and of a reservation."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from common.period import Period
from compute.engines import (
    ReservationObservation,
    WorkloadKind,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from compute.engines.local.folder import StateFolder, read_json, write_json

HOST: Final = "127.0.0.1"
LAST_LINES: Final = 20
LAST_BYTES: Final = 16_384
OVER: Final = frozenset({WorkloadState.ENDED, WorkloadState.FAILED})


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def whole_seconds(moment: datetime) -> int:
    """Seconds since 1970, truncated: the engine accounts in whole seconds."""
    return int(moment.timestamp())


@dataclass(frozen=True)
class Run:
    """One workload's one generation: what was asked, what it holds, how it went.

    Shape: ``cards`` are indexes on ``node``, held from assignment until the state is over; the
    process is named by id and start. Units: instants in whole seconds since 1970.
    """

    key: str
    generation: int
    job_id: str
    submitted_at: int
    project_key: str
    kind: WorkloadKind
    gres: str
    card_count: int
    argv: tuple[str, ...]
    env: Mapping[str, str]
    reservation_key: str | None
    time_limit_seconds: int | None
    state: WorkloadState = WorkloadState.PENDING
    node: str = ""
    cards: tuple[int, ...] = ()
    port: int = 0
    process_id: int = 0
    process_identity: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    exit_code: int | None = None
    reason: str = ""

    @classmethod
    def asked(cls, spec: WorkloadSpec, *, job_id: str, now: datetime) -> "Run":
        return cls(
            key=spec.key,
            generation=spec.generation,
            job_id=job_id,
            submitted_at=whole_seconds(now),
            project_key=spec.project_key,
            kind=spec.kind,
            gres=spec.gres,
            card_count=spec.cards,
            argv=tuple(spec.argv),
            env=dict(spec.env),
            reservation_key=spec.reservation_key,
            time_limit_seconds=spec.time_limit_seconds,
        )

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def record_key(self) -> str:
        return f"{self.job_id}@{self.submitted_at}"

    def ended(
        self, *, state: WorkloadState, at: int | None, exit_code: int | None, reason: str
    ) -> "Run":
        return replace(self, state=state, ended_at=at, exit_code=exit_code, reason=reason)


def read_run(folder: StateFolder, key: str) -> Run | None:
    record = read_json(folder.workload(key) / "run.json")
    if record is None:
        return None
    record["state"] = WorkloadState(record["state"])
    record["kind"] = WorkloadKind(record["kind"])
    record["argv"] = tuple(record["argv"])
    record["cards"] = tuple(record["cards"])
    return Run(**record)


def write_run(folder: StateFolder, run: Run) -> None:
    write_json(folder.workload(run.key) / "run.json", asdict(run))


def live_runs(folder: StateFolder) -> list[Run]:
    runs = (read_run(folder, key) for key in folder.live_keys())
    return [run for run in runs if run is not None and not run.over]


def last_lines(folder: StateFolder, key: str) -> tuple[str, ...]:
    """The workload's own last words, newest last."""
    try:
        with (folder.workload(key) / "output.log").open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - LAST_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(text.splitlines()[-LAST_LINES:])


def observation(folder: StateFolder, run: Run) -> WorkloadObservation:
    serving = run.state is WorkloadState.RUNNING and run.kind is WorkloadKind.SERVICE
    return WorkloadObservation(
        key=run.key,
        state=run.state,
        generation=run.generation,
        engine_job_id=run.job_id,
        node=run.node,
        cards=tuple(f"{run.node}/{index}" for index in run.cards),
        endpoint=f"http://{HOST}:{run.port}" if serving else "",
        started_at=None if run.started_at is None else instant(run.started_at),
        ended_at=None if run.ended_at is None else instant(run.ended_at),
        exit_code=run.exit_code,
        reason=run.reason,
        last_lines=last_lines(folder, run.key) if run.state is WorkloadState.FAILED else (),
    )


@dataclass(frozen=True)
class Reservation:
    """A right to cards: how many on which node."""

    key: str
    project_key: str
    gres: str
    generation: int
    starts_at: int
    ends_at: int
    allocation: Mapping[str, int] = field(default_factory=dict)

    def covers(self, moment: int) -> bool:
        return self.starts_at <= moment < self.ends_at

    def observed(self, now: datetime) -> ReservationObservation:
        return ReservationObservation(
            key=self.key,
            nodes=tuple(sorted(self.allocation)),
            cards=sum(self.allocation.values()),
            period=Period(instant(self.starts_at), instant(self.ends_at)),
            active=self.covers(whole_seconds(now)),
        )


def read_reservation(folder: StateFolder, key: str) -> Reservation | None:
    return _reservation(folder.reservation(key))


def all_reservations(folder: StateFolder) -> list[Reservation]:
    kept = (_reservation(path) for path in sorted((folder.root / "reservations").iterdir()))
    return [reservation for reservation in kept if reservation is not None]


def _reservation(path: Path) -> Reservation | None:
    record = read_json(path)
    return None if record is None else Reservation(**record)


def write_reservation(folder: StateFolder, reservation: Reservation) -> None:
    write_json(folder.reservation(reservation.key), asdict(reservation))
