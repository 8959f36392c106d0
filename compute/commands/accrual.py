"""Charging reserved cards by the hour, used or not."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.commands.usage import EventStatus, UsageEvent, record_usage
from common.period import Period, floor_hour
from compute.commands.reservation_moves import set_money_aside
from compute.metering import chargeable, remaining_money
from compute.meters import RESERVED_CARD_SECONDS
from compute.models import Reservation, ReservationState
from compute.queries.accrual import ACCRUING
from tenants.permissions import SYSTEM

SOURCE = "compute.reservation"


@transaction.atomic
def accrue_reservation(*, reservation_id: UUID, now: datetime) -> int:
    """Charge one reservation up to the last full hour, or to its end once it has ended.

    Shape: one event a clock hour, named by the reservation and that hour, at the quoted price.
    Says how many were accepted.
    Locks: the reservation, so that two workers charge one after the other.
    Idempotent: what has been charged is not charged again.
    """
    reservation = (
        Reservation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("pool")
        .filter(pk=reservation_id, state__in=ACCRUING, activated_at__isnull=False)
        .first()
    )
    if reservation is None or reservation.activated_at is None:
        return 0
    ended = reservation.state == ReservationState.ENDED
    pieces = chargeable(
        started_at=reservation.activated_at,
        ended_at=reservation.ended_at if ended else reservation.ends_at,
        # Nothing is certain of a running hour but that it is running.
        vouched_until=now if ended else floor_hour(now),
        charged_until=reservation.accrued_until,
    )
    events = [_event(reservation, piece) for piece in pieces]
    if ended and reservation.early_end_seconds:
        events.append(_early_end(reservation))
    accepted = _charge(reservation, events, now) if events else 0
    if pieces:
        Reservation.objects.filter(pk=reservation.pk).update(accrued_until=pieces[-1].end)
        reservation.accrued_until = pieces[-1].end
    _lower_money(reservation, ended=ended, now=now)
    return accepted


def _charge(reservation: Reservation, events: Sequence[UsageEvent], now: datetime) -> int:
    results = record_usage(actor=SYSTEM, tenant_id=reservation.tenant_id, events=events, now=now)
    refused = [
        result.code
        for result in results
        if result.status not in {EventStatus.ACCEPTED, EventStatus.DUPLICATE}
    ]
    if refused:
        Reservation.objects.filter(pk=reservation.pk).update(
            attention=f"usage refused: {refused[0]}"[:500]
        )
    return sum(result.status == EventStatus.ACCEPTED for result in results)


def _event(reservation: Reservation, piece: Period) -> UsageEvent:
    name = floor_hour(piece.start).isoformat()
    return _usage(reservation, name, at=piece.start, seconds=piece.seconds)


def _early_end(reservation: Reservation) -> UsageEvent:
    """The time given up, charged in the hour in which it was given up."""
    at = reservation.ended_at or reservation.ends_at
    return _usage(reservation, "early-end", at=at, seconds=reservation.early_end_seconds)


def _usage(reservation: Reservation, name: str, *, at: datetime, seconds: int) -> UsageEvent:
    return UsageEvent(
        source=SOURCE,
        id=f"reservation:{reservation.pk}:{name}",
        meter=RESERVED_CARD_SECONDS,
        subject=reservation.subject,
        at=at,
        quantity=reservation.cards * seconds,
        dimensions={
            "chip": reservation.pool.chip_id,
            "pool": reservation.pool.code,
            "service_class": reservation.service_class,
            "reservation": str(reservation.pk),
        },
        project_id=reservation.project_id,
        price_id=reservation.price_id,
    )


def _lower_money(reservation: Reservation, *, ended: bool, now: datetime) -> None:
    """What has been charged need not be set aside any more; after the end nothing need be."""
    if reservation.accrued_until is None or reservation.activated_at is None:
        return
    charged = int((reservation.accrued_until - reservation.activated_at).total_seconds())
    left = remaining_money(reservation.gross, total=reservation.period.seconds, charged=charged)
    if ended:
        left = left * 0
    set_money_aside(reservation, left, actor=SYSTEM, now=now)
