"""Job records of ``squeue`` (what is live) and ``sacct`` (what was), in one shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from compute.engines import WorkloadObservation, WorkloadState
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.parsing import (
    exit_code,
    hosts,
    instant,
    present,
    published,
    workload_state,
)
from compute.engines.slurm.settings import Connection

# Name and width; squeue cuts at the width. The comment comes last: it may hold the separator.
QUEUE_FIELDS = (
    ("JobID", 16),
    ("Name", 70),
    ("State", 20),
    ("SubmitTime", 14),
    ("StartTime", 14),
    ("EndTime", 14),
    ("RestartCnt", 8),
    ("exit_code", 10),
    ("NodeList", 200),
    ("Reason", 80),
    ("Comment", 1000),
)
QUEUE_FORMAT = ",".join(f"{name}:{width}|" for name, width in QUEUE_FIELDS)
HISTORY_FORMAT = "JobIDRaw,JobName,State,Submit,Start,End,ExitCode,NodeList,Comment"


@dataclass(frozen=True)
class JobRecord:
    """One submission of a job; ``state_word`` is Slurm's own, such as ``NODE_FAIL``."""

    job_id: str
    key: str
    state: WorkloadState
    state_word: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    node: str
    reason: str = ""
    restarts: int | None = None
    published: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        return self.state in (WorkloadState.PENDING, WorkloadState.RUNNING)

    @property
    def was_accepted(self) -> bool:
        """Slurm keeps a record, FAILED and without a node, of what it refused at submission."""
        return self.is_live or self.state is not WorkloadState.FAILED or bool(self.node)

    @property
    def generation(self) -> int:
        value = self.published.get("generation", 1)
        return value if isinstance(value, int) else 1

    def observation(self, last_lines: tuple[str, ...] = ()) -> WorkloadObservation:
        running = self.state is WorkloadState.RUNNING
        # What a start before the requeue published is not where this one answers.
        current = running and self.published.get("restart") == (self.restarts or 0)
        shown = current or not self.is_live
        cards = str(self.published.get("cards", "")) if shown else ""
        return WorkloadObservation(
            key=self.key,
            state=self.state,
            generation=self.generation,
            engine_job_id=self.job_id,
            node=self.node,
            cards=tuple(card for card in cards.split(",") if card),
            endpoint=str(self.published.get("endpoint", "")) if current else "",
            # Slurm tells when a pending job is expected to start; that is not a start.
            started_at=None if self.state is WorkloadState.PENDING else self.started_at,
            ended_at=None if self.is_live else self.ended_at,
            exit_code=None if self.is_live else self.exit_code,
            reason=self.reason,
            last_lines=last_lines,
            preempted=self.state_word == "PREEMPTED",
        )


def queue_record(line: str) -> JobRecord | None:
    """A record of one line of ``squeue -O`` in QUEUE_FORMAT; None for a line that is none."""
    parts = [part.strip() for part in line.split("|", len(QUEUE_FIELDS) - 1)]
    submitted = instant(parts[3]) if len(parts) == len(QUEUE_FIELDS) else None
    if submitted is None:
        return None
    job_id, key, word, _, start, end, restarts, status, nodes, reason, comment = parts
    state = workload_state(word)
    return JobRecord(
        job_id=job_id,
        key=key,
        state=state,
        state_word=word,
        submitted_at=submitted,
        started_at=instant(start),
        ended_at=instant(end),
        exit_code=_waited(status),
        node=next(iter(hosts(nodes)), ""),
        reason=_reason(state, word, present(reason)),
        restarts=int(restarts) if restarts.isdigit() else 0,
        published=published(comment.rstrip("| ")),
    )


def history_record(line: str) -> JobRecord | None:
    """A record of one line of ``sacct -P`` in HISTORY_FORMAT; None for a line that is none."""
    parts = line.split("|", HISTORY_FORMAT.count(","))
    submitted = instant(parts[3]) if len(parts) == HISTORY_FORMAT.count(",") + 1 else None
    if submitted is None:
        return None
    job_id, key, word, _, start, end, status, nodes, comment = parts
    state = workload_state(word)
    return JobRecord(
        job_id=job_id,
        key=key,
        state=state,
        state_word=word,
        submitted_at=submitted,
        started_at=instant(start),
        ended_at=instant(end),
        exit_code=exit_code(status),
        node=next(iter(hosts(nodes)), ""),
        reason=_reason(state, word, ""),
        published=published(comment),
    )


def live_and_recent(
    commands: Commands, connection: Connection, keys: Sequence[str]
) -> list[JobRecord]:
    """What slurmctld knows of our jobs of these names, ended ones for a few minutes included."""
    output = commands.ask(
        "squeue",
        "--noheader",
        "--states=all",
        f"--user={connection.service_user}",
        f"--name={','.join(keys)}",
        f"--Format={QUEUE_FORMAT}",
    )
    return _ours(map(queue_record, output.splitlines()), keys)


def history(commands: Commands, connection: Connection, keys: Sequence[str]) -> list[JobRecord]:
    """What the accounting knows of our jobs of these names, every requeue as its own record."""
    output = commands.ask(
        "sacct",
        "-D",
        "-X",
        "-P",
        "-n",
        f"--user={connection.service_user}",
        f"--name={','.join(keys)}",
        f"--starttime=now-{connection.history_days}days",
        f"--format={HISTORY_FORMAT}",
    )
    return _ours(map(history_record, output.splitlines()), keys)


def _ours(records: "map[JobRecord | None]", keys: Sequence[str]) -> list[JobRecord]:
    asked = set(keys)
    return [one for one in records if one and one.key in asked and one.was_accepted]


def _waited(status: str) -> int | None:
    """squeue prints what wait() gave: the code in the high byte, the signal in the low one."""
    if not status.isdigit():
        return None
    value = int(status)
    return 128 + (value & 0x7F) if value & 0x7F else value >> 8


def _reason(state: WorkloadState, word: str, reason: str) -> str:
    if state in (WorkloadState.ENDED, WorkloadState.FAILED):
        return f"{word}: {reason}" if reason and reason.upper() != word else word
    return reason
