"""A reservation on its engine: activated when its period starts, ended when it is over.

Each step is claim, call, record: the worker claims a row here, calls the engine outside any
transaction, and records the answer here. A worker killed between two of them leaves a lease that
runs out; the next one does the same under the same name.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from billing.commands.holds import release_hold
from common.nudge import after_commit
from compute.commands.claims import release
from compute.commands.driving import LEASE, backoff, project_spec, unleased
from compute.commands.reservation_moves import give_back, move, reservation_of
from compute.commands.workload_moves import LIVE, ask_to_stop
from compute.engines import ProjectSpec, ReservationObservation, ReservationSpec
from compute.models import Cluster, Reservation, ReservationState, Workload
from compute.queries.freezes import is_blocked
from tenants.permissions import SYSTEM

S = ReservationState

# Past these an operator is shown the reservation; it is driven on all the same.
ACTIVATING_WITHIN = timedelta(minutes=15)
ENDING_WITHIN = timedelta(minutes=2)
# How long work inside may take to stop before the engine's reservation is dropped under it.
STOPPING_WITHIN = timedelta(seconds=60)


class Step(StrEnum):
    ACTIVATE = "activate"
    END = "end"


@dataclass(frozen=True)
class ReservationDrive:
    """One claimed step: what to ask of which engine."""

    reservation_id: UUID
    step: Step
    cluster: Cluster
    project: ProjectSpec
    spec: ReservationSpec


# Any: spread into a move's keyword arguments, where each field has a type of its own.
def ending_fields(now: datetime) -> dict[str, Any]:
    """How a reservation starts to end, with its deadline."""
    return {
        "deadline_at": now + ENDING_WITHIN,
        "lease_until": None,
        "next_attempt_at": None,
        "attempts": 0,
        "attention": "",
    }


@transaction.atomic
def claim_reservation(*, reservation_id: UUID, now: datetime) -> ReservationDrive | None:
    """Claim the next step of a reservation for one minute; None where there is nothing to do."""
    reservation = reservation_of(reservation_id)
    if not _due(reservation, now):
        return None
    if reservation.state == S.ENDING and _work_goes_on(reservation, now):
        return None
    claimed = (
        Reservation.objects.filter(unleased(now), pk=reservation_id)
        .filter(state__in={S.ACTIVATING, S.ENDING})
        .update(lease_until=now + LEASE, attempts=F("attempts") + 1)
    )
    if not claimed:
        return None
    reservation = reservation_of(reservation_id)
    return ReservationDrive(
        reservation_id=reservation.pk,
        step=Step.END if reservation.state == S.ENDING else Step.ACTIVATE,
        cluster=reservation.pool.cluster,
        project=project_spec(reservation.project),
        spec=_spec(reservation),
    )


def _due(reservation: Reservation, now: datetime) -> bool:
    """Bring the row to where it must be by now; says whether its engine has to be called."""
    if reservation.state in {S.CONFIRMED, S.ACTIVATING} and reservation.ends_at <= now:
        _fail(reservation, _("The period ended before the engine could activate it."), now)
        return False
    if reservation.state == S.CONFIRMED and reservation.starts_at <= now:
        if is_blocked(reservation.tenant_id, now):
            return False
        move(
            reservation,
            S.ACTIVATING,
            actor=SYSTEM,
            deadline_at=now + ACTIVATING_WITHIN,
            attempts=0,
        )
        return True
    if reservation.state == S.ACTIVE and reservation.ends_at <= now:
        move(reservation, S.ENDING, actor=SYSTEM, **ending_fields(now))
        reservation.state = S.ENDING
        return True
    return reservation.state in {S.ACTIVATING, S.ENDING}


def _work_goes_on(reservation: Reservation, now: datetime) -> bool:
    """Ask what runs inside to stop; says whether to wait for it a little longer."""
    live = list(Workload.objects.filter(reservation=reservation, state__in=LIVE))
    for workload in live:
        ask_to_stop(workload, actor=SYSTEM, reason=_("The reservation ended."), now=now)
    since = reservation.end_requested_at or reservation.ends_at
    return bool(live) and now < since + STOPPING_WITHIN


def _spec(reservation: Reservation) -> ReservationSpec:
    return ReservationSpec(
        key=reservation.engine_key,
        project_key=project_spec(reservation.project).key,
        gres=reservation.pool.gres,
        cards=reservation.cards,
        period=reservation.period,
        generation=reservation.generation,
        nodes=tuple(reservation.engine_nodes),
    )


@transaction.atomic
def record_activated(
    *, reservation_id: UUID, observation: ReservationObservation, now: datetime
) -> bool:
    """The engine has the reservation: it is active, and charged, from this second on."""
    reservation = reservation_of(reservation_id)
    return move(
        reservation,
        S.ACTIVE,
        actor=SYSTEM,
        detail={"nodes": list(observation.nodes)},
        activated_at=max(reservation.starts_at, now.replace(microsecond=0)),
        engine_nodes=list(observation.nodes),
        lease_until=None,
        next_attempt_at=None,
        deadline_at=None,
        attention="",
    )


@transaction.atomic
def record_ended(*, reservation_id: UUID, now: datetime) -> bool:
    """The engine has dropped the reservation; what it had not used is free again.

    Shape: charged to the end of the period, or to the instant its early end was asked for, however
    late the engine answered.
    """
    reservation = reservation_of(reservation_id)
    ended_at = min(reservation.end_requested_at or reservation.ends_at, reservation.ends_at)
    ended_at = max(ended_at.replace(microsecond=0), reservation.activated_at or ended_at)
    # The work inside first: the database refuses to take the ground from under it.
    for claim_id in Workload.objects.filter(reservation=reservation).values_list(
        "claim_id", flat=True
    ):
        release(claim_id, at=now)
    release(reservation.claim_id, at=now)
    ended = move(
        reservation,
        S.ENDED,
        actor=SYSTEM,
        ended_at=ended_at,
        lease_until=None,
        next_attempt_at=None,
        deadline_at=None,
        attention="",
    )
    if reservation.activated_at is None or reservation.activated_at >= ended_at:
        release_hold(
            actor=SYSTEM, tenant_id=reservation.tenant_id, key=reservation.money_key, now=now
        )
    else:
        # The last piece is charged first; only then is the money let go.
        after_commit("compute.accrue_reserved")
    return ended


@transaction.atomic
def record_refused(*, reservation_id: UUID, reason: str, now: datetime) -> None:
    """The engine said no: the reservation has failed, and nothing of it is charged.

    An engine that refuses to end one is an operator's case; the step is tried again.
    """
    reservation = reservation_of(reservation_id)
    if reservation.state == S.ACTIVATING:
        _fail(reservation, reason, now)
        return
    _postpone(reservation, reason, now)


@transaction.atomic
def record_unavailable(*, reservation_id: UUID, reason: str, now: datetime) -> None:
    """No answer: try again later, and past the deadline show an operator why."""
    _postpone(reservation_of(reservation_id), reason, now)


def _postpone(reservation: Reservation, reason: str, now: datetime) -> None:
    late = reservation.deadline_at is not None and reservation.deadline_at <= now
    Reservation.objects.filter(pk=reservation.pk, state=reservation.state).update(
        lease_until=None,
        next_attempt_at=now + backoff(reservation.attempts),
        attention=reason[:500] if late else reservation.attention,
    )


def _fail(reservation: Reservation, reason: str, now: datetime) -> None:
    give_back(reservation, actor=SYSTEM, now=now)
    move(
        reservation,
        S.FAILED,
        actor=SYSTEM,
        detail={"reason": reason},
        reason=reason[:500],
        ended_at=now,
        lease_until=None,
        next_attempt_at=None,
        deadline_at=None,
        attention=reason[:500],
    )


@transaction.atomic
def expire_unanswered(*, reservation_id: UUID, now: datetime) -> None:
    """Let a request lapse that nobody answered before its period was over."""
    reservation = reservation_of(reservation_id)
    if reservation.state == S.AWAITING_APPROVAL and reservation.ends_at <= now:
        give_back(reservation, actor=SYSTEM, now=now)
        move(reservation, S.EXPIRED, actor=SYSTEM)
