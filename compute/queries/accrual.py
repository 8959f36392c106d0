"""Which reservations have hours to be charged."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q

from common.period import floor_hour
from compute.models import Reservation, ReservationState

ACCRUING = frozenset({ReservationState.ACTIVE, ReservationState.ENDING, ReservationState.ENDED})
BATCH = 1000


def accruing(now: datetime) -> Sequence[UUID]:
    """Reservations with a full hour, or a last piece, that is not yet charged."""
    hour = floor_hour(now)
    running = Q(state__in={ReservationState.ACTIVE, ReservationState.ENDING}) & (
        Q(accrued_until__lt=hour) | Q(accrued_until__isnull=True, activated_at__lt=hour)
    )
    over = Q(state=ReservationState.ENDED) & (
        Q(accrued_until__lt=F("ended_at"))
        | Q(accrued_until__isnull=True, activated_at__lt=F("ended_at"))
    )
    return list(
        Reservation.objects.filter(running | over, activated_at__isnull=False)
        .order_by("accrued_until", "pk")
        .values_list("pk", flat=True)[:BATCH]
    )
