"""A reservation's life as people decide it: hold, submit, approve, reject, cancel, end."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.queries.arrears import refuse_in_arrears
from billing.queries.budgets import refuse_when_reached
from common.errors import DomainError, NotFound
from common.nudge import after_commit
from compute.commands.activation import ending_fields
from compute.commands.holding import hold
from compute.commands.reservation_moves import (
    give_back,
    must_move,
    reservation_of,
    set_money_aside,
)
from compute.metering import early_end_seconds
from compute.models import Reservation, ReservationState
from compute.queries.policy import current_policy
from tenants.permissions import Actor, ActorKind, Permission, require

S = ReservationState


class HoldExpired(DomainError):
    """The ten minutes are over; the cards may belong to somebody else by now."""

    code = "hold_expired"
    status = 409
    message = _("The hold has expired. Search again for free times.")


class StartPassed(DomainError):
    """The period is already over."""

    code = "reservation_over"
    status = 409
    message = _("The reserved period is already over.")


def _own(actor: Actor, permission: Permission, reservation_id: UUID) -> Reservation:
    if actor.kind == ActorKind.OPERATOR:
        permission = Permission.RESERVATION_APPROVE
    require(actor, permission)
    reservation = reservation_of(reservation_id)
    require(actor, permission, reservation.tenant_id)
    if actor.project_id not in {None, reservation.project_id}:
        raise NotFound
    return reservation


@transaction.atomic
def submit(*, actor: Actor, reservation_id: UUID, now: datetime) -> Reservation:
    """Ask for approval of a held reservation; its whole price is set aside.

    Locks: the tenant's account, then the reservation.
    Idempotent: submitting again what waits for approval changes nothing.
    Raises: NotFound, HoldExpired, ArrearsRefused, BudgetReached, InsufficientFunds,
    ReservationMoved.
    """
    reservation = _own(actor, Permission.RESERVATION_CREATE, reservation_id)
    if reservation.state == S.AWAITING_APPROVAL:
        return reservation
    if reservation.state == S.EXPIRED or (
        reservation.state == S.HELD and reservation.hold_expires_at <= now
    ):
        raise HoldExpired
    refuse_in_arrears(reservation.tenant_id, Permission.RESERVATION_CREATE, now)
    refuse_when_reached(reservation.tenant_id, reservation.project_id, now)
    set_money_aside(reservation, reservation.gross, actor=actor, now=now)
    return must_move(reservation, S.AWAITING_APPROVAL, actor=actor, submitted_at=now)


@transaction.atomic
def approve(*, actor: Actor, reservation_id: UUID, now: datetime) -> Reservation:
    """Confirm a submitted reservation; it activates by itself when its period starts.

    Idempotent: approving again what is confirmed changes nothing.
    Raises: NotFound, StartPassed, ArrearsRefused, ReservationMoved.
    """
    require(actor, Permission.RESERVATION_APPROVE)
    reservation = reservation_of(reservation_id)
    if reservation.state == S.CONFIRMED:
        return reservation
    if reservation.ends_at <= now:
        raise StartPassed
    refuse_in_arrears(reservation.tenant_id, Permission.RESERVATION_CREATE, now)
    confirmed = must_move(
        reservation, S.CONFIRMED, actor=actor, decided_at=now, decided_by=actor.id
    )
    if confirmed.starts_at <= now:
        after_commit("compute.drive_reservation", reservation_id=confirmed.pk)
    return confirmed


@transaction.atomic
def reject(*, actor: Actor, reservation_id: UUID, reason: str, now: datetime) -> Reservation:
    """Refuse a submitted reservation, with the reason the tenant will read.

    Idempotent: rejecting again changes nothing.
    Raises: NotFound, ReservationMoved.
    """
    require(actor, Permission.RESERVATION_APPROVE)
    reservation = reservation_of(reservation_id)
    if reservation.state == S.REJECTED:
        return reservation
    give_back(reservation, actor=actor, now=now)
    return must_move(
        reservation,
        S.REJECTED,
        actor=actor,
        detail={"reason": reason},
        decided_at=now,
        decided_by=actor.id,
        reason=reason[:500],
    )


@transaction.atomic
def cancel(*, actor: Actor, reservation_id: UUID, now: datetime) -> Reservation:
    """Give up a reservation that has not started; its cards and money are free at once.

    Idempotent: cancelling again changes nothing.
    Raises: NotFound, ReservationMoved once it is being activated.
    """
    reservation = _own(actor, Permission.RESERVATION_CANCEL, reservation_id)
    if reservation.state == S.CANCELLED:
        return reservation
    give_back(reservation, actor=actor, now=now)
    return must_move(reservation, S.CANCELLED, actor=actor, ended_at=now)


@transaction.atomic
def end_now(*, actor: Actor, reservation_id: UUID, now: datetime) -> Reservation:
    """End an active reservation early; work in it is stopped and its cards are free again.

    Shape: the time given up is charged to the share that the centre's policy says; committed
    means paid for whether used or not, so that is all of it unless operators decided otherwise.
    Idempotent: ending again what is ending or ended changes nothing.
    Raises: NotFound, ReservationMoved.
    """
    reservation = _own(actor, Permission.RESERVATION_CANCEL, reservation_id)
    if reservation.state in {S.ENDING, S.ENDED}:
        return reservation
    ending = must_move(
        reservation,
        S.ENDING,
        actor=actor,
        detail={"early": True},
        end_requested_at=now,
        early_end_seconds=early_end_seconds(
            ends_at=reservation.ends_at, now=now, percent=current_policy().early_end_percent
        ),
        **ending_fields(now),
    )
    after_commit("compute.drive_reservation", reservation_id=ending.pk)
    return ending


__all__ = [
    "HoldExpired",
    "StartPassed",
    "approve",
    "cancel",
    "end_now",
    "hold",
    "reject",
    "submit",
]
