"""Workloads as batch jobs, named by their key."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from compute.engines import (
    EngineRefused,
    ServiceClass,
    WorkloadObservation,
    WorkloadSpec,
    WorkloadState,
)
from compute.engines.slurm.accounts import card_limit
from compute.engines.slurm.commands import Commands
from compute.engines.slurm.jobs import JobRecord, history, live_and_recent
from compute.engines.slurm.parsing import instant
from compute.engines.slurm.script import batch_script, comment
from compute.engines.slurm.settings import Connection, checked_key

LAST_LINES = 20
TAIL_BYTES = 16_384


def ensure_workload(
    commands: Commands, connection: Connection, spec: WorkloadSpec
) -> WorkloadObservation:
    """Submit a job unless one of this name lives, or one of this generation has lived.

    Idempotent: by name and submit time, never by job id alone, which a slurmctld that crashed
    gives out again. Where two callers submitted at once, the first stays and the other is
    cancelled.
    """
    script = batch_script(connection, spec)
    arguments = submission(connection, spec)
    found = _newest(commands, connection, [checked_key(spec.key)]).get(spec.key)
    if found and (found.is_live or found.generation >= spec.generation):
        _cancel_later_twins(commands, connection, spec.key)
        return found.observation(_last_lines(connection, found))
    if spec.reservation_key and card_limit(commands, spec.reservation_key):
        arguments.append(f"--qos={spec.reservation_key}")
    job_id = commands.ask("sbatch", "--parsable", *arguments, stdin=script)
    _cancel_later_twins(commands, connection, spec.key)
    submitted = _newest(commands, connection, [spec.key]).get(spec.key)
    if submitted and submitted.is_live:
        return submitted.observation()
    return WorkloadObservation(
        key=spec.key,
        state=WorkloadState.PENDING,
        generation=spec.generation,
        engine_job_id=job_id.strip().partition(";")[0],
    )


def submission(connection: Connection, spec: WorkloadSpec) -> list[str]:
    """The options of ``sbatch``; the card type is always named.

    Shared work is not queued again: once preempted it is over, whichever PreemptMode the site has.
    Source: a request without a type runs past limits on the type (22.05.8), hence always typed.
    """
    limit = spec.time_limit_seconds
    is_shared = spec.service_class is ServiceClass.SHARED
    arguments = [
        f"--job-name={checked_key(spec.key)}",
        f"--account={checked_key(spec.project_key)}",
        f"--gres=gpu:{checked_key(spec.gres)}:{spec.cards}",
        "--nodes=1",
        "--ntasks=1",
        "--no-requeue" if is_shared else "--requeue",
        "--open-mode=append",
        "--signal=B:TERM@30",
        f"--time={'UNLIMITED' if limit is None else -(-limit // 60)}",
        f"--chdir={connection.work_dir}",
        f"--output={_output(connection, spec.key, spec.generation)}",
        # Only the few variables Commands sets exist to be exported; the other choices make
        # slurmd run a login shell of the user first.
        "--export=ALL",
        f"--comment={comment(spec)}",
    ]
    if spec.reservation_key:
        arguments.append(f"--reservation={checked_key(spec.reservation_key)}")
    elif qos := connection.qos_of(spec.service_class):
        arguments.append(f"--qos={qos}")
    if connection.partition:
        arguments.append(f"--partition={connection.partition}")
    if connection.cpus_per_card:
        arguments.append(f"--cpus-per-task={connection.cpus_per_card * spec.cards}")
    if connection.memory_mib_per_card:
        arguments.append(f"--mem={connection.memory_mib_per_card * spec.cards}M")
    return arguments


def stop_workload(commands: Commands, connection: Connection, key: str) -> None:
    """Cancel every job of this name: TERM, the cluster's KillWait, then KILL.

    Idempotent: Slurm finds nothing wrong with cancelling nothing.
    """
    ours = f"--user={connection.service_user}"
    answer = commands.attempt("scancel", ours, f"--name={checked_key(key)}")
    if answer.refused and not any(
        answer.says(word) for word in ("invalid job id", "already completing", "already completed")
    ):
        raise EngineRefused(answer.complaint)


def observe(
    commands: Commands, connection: Connection, keys: Sequence[str]
) -> tuple[WorkloadObservation, ...]:
    """One call for what lives, and one for what slurmctld has already forgotten."""
    found = _newest(commands, connection, [checked_key(key) for key in keys])
    return tuple(
        found[key].observation(_last_lines(connection, found[key]))
        if key in found
        else WorkloadObservation(key=key, state=WorkloadState.LOST)
        for key in keys
    )


def estimate_start(
    commands: Commands, connection: Connection, spec: WorkloadSpec
) -> datetime | None:
    """When Slurm would start the work as things are; it promises nothing."""
    arguments = submission(connection, spec)
    script = batch_script(connection, spec)
    answer = commands.attempt("sbatch", "--test-only", *arguments, stdin=script)
    if answer.refused:
        raise EngineRefused(answer.complaint)
    _, _, told = answer.complaint.partition(" to start at ")
    return instant(told.split(" ")[0]) if told else None


def _newest(
    commands: Commands, connection: Connection, keys: Sequence[str]
) -> dict[str, JobRecord]:
    """The record that counts for each key that has one: the first that lives, else the last.

    A record that the accounting holds open while slurmctld knows no such job is of a job lost in
    a crash, so it counts for nothing.
    """
    if not keys:
        return {}
    records = live_and_recent(commands, connection, keys)
    known = {record.key for record in records}
    forgotten = [key for key in keys if key not in known]
    if forgotten:
        past = history(commands, connection, forgotten)
        records += [record for record in past if not record.is_live]
    newest: dict[str, JobRecord] = {}
    for record in sorted(records, key=_order):
        best = newest.get(record.key)
        if best is None or not best.is_live:
            newest[record.key] = record
    return newest


def _order(record: JobRecord) -> tuple[datetime, int]:
    return (record.submitted_at, int(record.job_id) if record.job_id.isdigit() else 0)


def _cancel_later_twins(commands: Commands, connection: Connection, key: str) -> None:
    records = live_and_recent(commands, connection, [key])
    live = sorted((record for record in records if record.is_live), key=_order)
    if len(live) > 1:
        commands.attempt("scancel", *(twin.job_id for twin in live[1:]))


def _output(connection: Connection, key: str, generation: int) -> str:
    """Where a job writes; ``%j`` is Slurm's own job id."""
    if not connection.spool_dir:
        return "/dev/null"
    return str(Path(connection.spool_dir, f"{key}.{generation}.%j.out"))


def _last_lines(connection: Connection, record: JobRecord) -> tuple[str, ...]:
    """The end of what failed work wrote; nothing where the folder is not shared."""
    if record.state is not WorkloadState.FAILED or not connection.spool_dir:
        return ()
    name = _output(connection, record.key, record.generation).replace("%j", record.job_id)
    try:
        with Path(name).open("rb") as written:
            size = written.seek(0, 2)
            written.seek(max(0, size - TAIL_BYTES))
            tail = written.read()
    except OSError:
        return ()
    return tuple(tail.decode("utf-8", "replace").splitlines()[-LAST_LINES:])
