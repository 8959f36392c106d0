"""Reading Slurm's accounting without losing a row.

slurmdbd learns of a job late: slurmctld queues what it cannot deliver, and holds starts back for
some seconds outside that queue. A cursor that follows the clock therefore loses rows. The five
rules here are explained in docs/algorithms/slurm-usage.md.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from compute.engines import (
    EngineRefused,
    EngineUnavailable,
    UsageFact,
    UsagePage,
)
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.parsing import hosts, instant, one_kind, present, published
from compute.engines.slurm.settings import Connection

# Slurm reads "uts" times from this second on.
EARLIEST = 1_000_000
FORMAT = "JobIDRaw,Submit,State,Start,End,ElapsedRaw,AllocTRES,NodeList,Reservation,Comment,JobName"
IDS_IN_ONE_CALL = 1000


@dataclass(frozen=True)
class Cursor:
    """What the next reading must know; opaque to the caller, who keeps it as text.

    Shape: ``open`` maps the record key of every row last seen open to how far it was vouched for.
    Units: epoch seconds.
    """

    since: int = EARLIEST
    polled_at: int = 0
    hold_until: int = 0
    open: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises: EngineRefused, for a text that no reading gave."""
        if not text:
            return cls()
        try:
            cursor = cls(**json.loads(text))
            return replace(cursor, open={str(key): int(at) for key, at in cursor.open.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise EngineRefused("The usage cursor is not one of ours.") from error

    def text(self) -> str:
        return json.dumps(vars(self), separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class Row:
    """One row of the accounting: one submission, or one requeue, of one job."""

    job_id: str
    submitted: int
    has_started: bool
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_seconds: int
    gres: str
    cards: int
    node: str
    reservation_key: str
    key: str

    @property
    def record_key(self) -> str:
        return f"{self.job_id}:{self.submitted}"


def usage_row(line: str) -> Row | None:
    """A row of one line of ``sacct -P`` in FORMAT; None for a line that is none."""
    parts = line.split("|", FORMAT.count(","))
    if len(parts) <= FORMAT.count(",") or not parts[1].isdigit():
        return None
    job_id, submitted, state, start, end, elapsed, tres, nodes, reservation, comment, key = parts
    gres, cards = one_kind(tres)
    return Row(
        job_id=job_id,
        submitted=int(submitted),
        has_started=state != "PENDING",
        started_at=instant(start),
        ended_at=instant(end),
        elapsed_seconds=int(elapsed) if elapsed.isdigit() else 0,
        gres=gres,
        cards=cards,
        node=next(iter(hosts(nodes)), ""),
        reservation_key=present(reservation) or str(published(comment).get("reservation", "")),
        key=key,
    )


def usage(commands: Commands, connection: Connection, text: str, failed_at: int) -> UsagePage:
    """Rows that may have changed since the cursor, and every row last seen open.

    ``failed_at`` is the epoch second of the last reading that got no answer, 0 for none.
    """
    cursor = Cursor.read(text)
    now, queued = _controller(commands)
    rows = {row.record_key: row for row in _read(commands, connection, cursor)}
    has_open = any(row.ended_at is None for row in rows.values())
    alive = _running(commands, connection) if has_open else {}
    seen = {
        key: now if key in alive else cursor.open.get(key, 0)
        for key, row in rows.items()
        if row.ended_at is None
    }
    facts = (fact_of(row, seen.get(key, 0), alive.get(key, "")) for key, row in rows.items())
    following = advance(
        cursor, connection, now=now, is_disturbed=queued > 0, failed_at=failed_at, seen=seen
    )
    return UsagePage(facts=tuple(fact for fact in facts if fact), cursor=following.text())


def advance(
    cursor: Cursor,
    connection: Connection,
    *,
    now: int,
    is_disturbed: bool,
    failed_at: int,
    seen: dict[str, int],
) -> Cursor:
    """The next cursor: it trails the clock, and stands still for a while after any disturbance.

    A disturbance is a queue in slurmctld, a reading without an answer, or a pause long enough to
    have hidden one.
    """
    hold = connection.usage_hold_seconds
    paused = bool(cursor.polled_at) and now - cursor.polled_at > hold // 3
    hold_until = max(cursor.hold_until, failed_at + hold if failed_at else 0)
    if is_disturbed or paused:
        hold_until = max(hold_until, now + hold)
    since = cursor.since
    if now >= hold_until:
        since = max(since, now - hold - connection.usage_overlap_seconds)
    return Cursor(since=since, polled_at=now, hold_until=hold_until, open=seen)


def fact_of(row: Row, seen_until: int, reservation_key: str) -> UsageFact | None:
    """The fact of a row; None for a row that has no cards, or none yet.

    Until slurmdbd has been told of the start, a row is PENDING and may already have a start and
    cards. A row may also come before its reservation does, so ``reservation_key`` is what slurmctld
    says of a running job, and the comment of an ended one carries the name: a fact without it
    would be billed as if it were outside the contract.
    The period is as long as Slurm's own elapsed time, which leaves out suspension.
    """
    if row.started_at is None or not row.has_started or not row.cards:
        return None
    ended_at = None
    until = max(row.started_at, datetime.fromtimestamp(seen_until, UTC))
    if row.ended_at is not None:
        ended_at = until = row.started_at + timedelta(seconds=row.elapsed_seconds)
    return UsageFact(
        record_key=row.record_key,
        workload_key=row.key,
        engine_job_id=row.job_id,
        node=row.node,
        gres=row.gres,
        cards=row.cards,
        started_at=row.started_at,
        ended_at=ended_at,
        seen_until=until,
        reservation_key=row.reservation_key or reservation_key or None,
    )


def _read(commands: Commands, connection: Connection, cursor: Cursor) -> Iterator[Row]:
    """Rows of the window, then the open ones by id: later readings of a row replace earlier."""
    shape = ("-D", "-X", "-P", "-n", f"--user={connection.service_user}", f"--format={FORMAT}")
    window = (f"--starttime=uts{cursor.since}", "--endtime=now")
    yield from _rows(commands.ask("sacct", *shape, *window))
    ids = iter(sorted({key.partition(":")[0] for key in cursor.open}))
    while batch := list(islice(ids, IDS_IN_ONE_CALL)):
        output = commands.ask("sacct", *shape, f"--jobs={','.join(batch)}")
        # Ids are given out again after a crash, so an id brings rows that were never open.
        yield from _rows(output)


def _rows(output: str) -> Iterator[Row]:
    return (row for row in map(usage_row, output.splitlines()) if row)


def _controller(commands: Commands) -> tuple[int, int]:
    """slurmctld's own clock, and how much it has not yet told slurmdbd."""
    clock = queued = -1
    for line in commands.ask("sdiag").splitlines():
        name, _, value = line.partition(":")
        if line.startswith("sdiag output at"):
            clock = int(line[line.rindex("(") + 1 : line.rindex(")")])
        elif name == "DBD Agent queue size":
            queued = int(value)
    if clock < 0 or queued < 0:
        raise EngineUnavailable("sdiag told neither its clock nor its queue.")
    return clock, queued


def _running(commands: Commands, connection: Connection) -> dict[str, str]:
    """Record keys that slurmctld vouches for now, each with its reservation.

    A row that stays open for a job that nobody knows is of a crash; it is billed no further.
    """
    states = "--states=RUNNING,COMPLETING,SUSPENDED,STOPPED,SIGNALING,STAGE_OUT,RESIZING"
    output = commands.ask(
        "squeue", "--noheader", states, f"--user={connection.service_user}", "--format=%A:%V|%v"
    )
    rows = (line.partition("|") for line in output.splitlines())
    return {record_key.strip(): present(name) for record_key, _, name in rows}
