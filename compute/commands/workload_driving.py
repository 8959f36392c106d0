"""A workload on its engine: placed, observed, stopped.

Each step is claim, call, record, as for reservations. A worker killed between the engine's yes and
its record leaves a lease that runs out; the next one asks for the same name and is given what is
already there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from compute.commands.driving import LEASE, backoff, project_spec, unleased
from compute.commands.giving_way import PREEMPTED, tell_preempted
from compute.commands.workload_moves import ask_to_stop, finish, move, workload_of
from compute.engines import (
    ProjectSpec,
    ServiceClass,
    WorkloadKind,
    WorkloadObservation,
    WorkloadSpec,
)
from compute.engines import WorkloadState as Seen
from compute.models import Cluster, Workload, WorkloadState
from compute.models.workloads import ON_ENGINE
from compute.queries.sweeping import STOPS_BEFORE_END
from tenants.permissions import SYSTEM

S = WorkloadState

# Past these an operator is shown the workload; it is driven on all the same.
PLACING_WITHIN = timedelta(minutes=15)
STARTING_WITHIN = timedelta(minutes=30)
# One observation may be a mistake; so many in a row that agree are believed.
AGREEING_ABSENCES = 2


class Step(StrEnum):
    PLACE = "place"
    STOP = "stop"


@dataclass(frozen=True)
class WorkloadDrive:
    """One claimed step: what to ask of which engine."""

    workload_id: UUID
    step: Step
    cluster: Cluster
    project: ProjectSpec
    spec: WorkloadSpec


@transaction.atomic
def claim_workload(*, workload_id: UUID, now: datetime) -> WorkloadDrive | None:
    """Claim the next step of a workload for one minute; None where there is nothing to do."""
    workload = workload_of(workload_id)
    if workload.state != S.STOPPING and workload.until - STOPS_BEFORE_END <= now:
        ask_to_stop(workload, actor=SYSTEM, reason=_("Its time was up."), now=now)
    claimable = Workload.objects.filter(unleased(now), pk=workload_id)
    move(workload, S.PLACING, actor=SYSTEM, deadline_at=now + PLACING_WITHIN)
    claimed = claimable.filter(state__in={S.PLACING, S.STOPPING}).update(
        lease_until=now + LEASE, attempts=F("attempts") + 1
    )
    if not claimed:
        return None
    workload = workload_of(workload_id)
    return WorkloadDrive(
        workload_id=workload.pk,
        step=Step.STOP if workload.state == S.STOPPING else Step.PLACE,
        cluster=workload.pool.cluster,
        project=project_spec(workload.project),
        spec=_spec(workload, now),
    )


def _spec(workload: Workload, now: datetime) -> WorkloadSpec:
    left = int((workload.until - now).total_seconds())
    # Inside a reservation the scheduler goes by the reservation alone.
    chosen = workload.service_class if workload.reservation is None else ServiceClass.ON_DEMAND
    return WorkloadSpec(
        key=workload.engine_key,
        project_key=project_spec(workload.project).key,
        kind=WorkloadKind(workload.kind),
        gres=workload.pool.gres,
        cards=workload.cards,
        argv=tuple(workload.argv),
        env=dict(workload.env),
        reservation_key=workload.reservation.engine_key if workload.reservation else None,
        health_path=workload.health_path,
        generation=workload.generation,
        time_limit_seconds=max(left, 1),
        service_class=ServiceClass(chosen),
    )


@transaction.atomic
def record_observation(
    *, workload_id: UUID, observation: WorkloadObservation, now: datetime, answered: bool = False
) -> None:
    """Write down what an engine says of a workload.

    Shape: ``answered`` says that this ends a claimed step, so that its lease is over.
    Idempotent: an older generation, or an old state after a newer one, changes nothing.
    """
    workload = workload_of(workload_id)
    if answered:
        Workload.objects.filter(pk=workload_id).update(lease_until=None, next_attempt_at=None)
        workload.lease_until = None
        if workload.state == S.STOPPING:
            _look_again(workload, now)
    if observation.generation < workload.generation or workload.state not in ON_ENGINE:
        return
    if observation.state == Seen.LOST:
        _absent(workload, now)
        return
    Workload.objects.filter(pk=workload_id).update(
        **_seen_fields(workload, observation, now), absences=0
    )
    if observation.state in {Seen.ENDED, Seen.FAILED}:
        _over(workload, observation, now)
    elif observation.state == Seen.PENDING:
        move(
            workload,
            S.STARTING,
            actor=SYSTEM,
            only_from=frozenset({S.PLACING}),
            deadline_at=now + STARTING_WITHIN,
        )
    else:
        move(
            workload,
            S.RUNNING,
            actor=SYSTEM,
            detail={"endpoint": observation.endpoint, "node": observation.node},
            deadline_at=None,
            attention="",
        )


def _seen_fields(
    workload: Workload, observation: WorkloadObservation, now: datetime
) -> dict[str, object]:
    """Empty answers do not wipe what an earlier one said."""
    return {
        "observed_at": now,
        "endpoint": observation.endpoint or workload.endpoint,
        "node": observation.node or workload.node,
        "cards_detail": list(observation.cards) or workload.cards_detail,
        "engine_job_id": observation.engine_job_id or workload.engine_job_id,
        "started_at": observation.started_at or workload.started_at,
        "last_lines": list(observation.last_lines) or workload.last_lines,
    }


def _over(workload: Workload, observation: WorkloadObservation, now: datetime) -> None:
    wanted = workload.stop_requested_at is not None
    preempted = observation.preempted and not wanted
    fell = observation.state == Seen.FAILED or bool(observation.exit_code)
    failed = fell and not (wanted or preempted)
    reason = observation.reason or (_("The work ended by itself.") if not wanted else "")
    if preempted:
        reason = PREEMPTED
    finished = finish(
        workload,
        S.FAILED if failed else S.STOPPED,
        actor=SYSTEM,
        reason=(workload.reason if wanted else reason),
        now=now,
        ended_at=observation.ended_at or now,
    )
    if finished and preempted:
        tell_preempted(workload, now=now)


def _absent(workload: Workload, now: datetime) -> None:
    """The engine does not know it: believed when it says so twice in a row.

    What is being placed is not yet known for good reason, and is asked for again by its driver;
    so is what a worker is speaking to the engine about at this moment.
    """
    spoken_for = workload.lease_until is not None and workload.lease_until > now
    if workload.state == S.PLACING or spoken_for:
        return
    Workload.objects.filter(pk=workload.pk).update(absences=F("absences") + 1)
    workload = workload_of(workload.pk)
    if workload.absences < AGREEING_ABSENCES:
        return
    wanted = workload.stop_requested_at is not None
    finish(
        workload,
        S.STOPPED if wanted else S.LOST,
        actor=SYSTEM,
        reason=workload.reason if wanted else _("The engine no longer knows this work."),
        now=now,
        # Its last proof of life; the meter stops there too.
        ended_at=workload.observed_at or now,
    )


def _look_again(workload: Workload, now: datetime) -> None:
    """Come back soon to what was told to stop, until it has."""
    Workload.objects.filter(pk=workload.pk, state=S.STOPPING).update(
        next_attempt_at=now + backoff(workload.attempts)
    )


@transaction.atomic
def record_refused(*, workload_id: UUID, reason: str, now: datetime) -> None:
    """The engine said no: what was being placed has failed, with the engine's own words."""
    workload = workload_of(workload_id)
    if workload.state == S.STOPPING:
        _postpone(workload, reason, now)
        return
    finish(workload, S.FAILED, actor=SYSTEM, reason=reason, now=now, last_lines=[reason])


@transaction.atomic
def record_unavailable(*, workload_id: UUID, reason: str, now: datetime) -> None:
    """No answer: try again later, and past the deadline show an operator why."""
    _postpone(workload_of(workload_id), reason, now)


def _postpone(workload: Workload, reason: str, now: datetime) -> None:
    late = workload.deadline_at is not None and workload.deadline_at <= now
    Workload.objects.filter(pk=workload.pk).update(
        lease_until=None,
        next_attempt_at=now + backoff(workload.attempts),
        attention=reason[:500] if late else workload.attention,
    )


@transaction.atomic
def record_observations(
    *, observations: Sequence[tuple[UUID, WorkloadObservation]], now: datetime
) -> None:
    """Write down one sweep's answers about the workloads of one cluster."""
    for workload_id, observation in observations:
        record_observation(workload_id=workload_id, observation=observation, now=now)


@transaction.atomic
def mark_overdue(*, now: datetime) -> int:
    """Show operators what should have moved on by now; says how many."""
    return Workload.objects.filter(deadline_at__lte=now, state__in=ON_ENGINE, attention="").update(
        attention=_("It has not moved on within its time.")
    )
