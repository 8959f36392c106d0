"""Reservations as commitments of a contract: what cost exports say about them."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from billing.focus.facts import CommitmentFact
from billing.focus.parts import duration, ratio
from common.period import Period
from compute.meters import SECONDS_PER_HOUR
from compute.models import Reservation, ReservationState

# What is only asked for is no commitment yet, and what was called off is none any more.
LIFECYCLE = {
    ReservationState.CONFIRMED: "Pending",
    ReservationState.ACTIVATING: "Pending",
    ReservationState.ACTIVE: "Active",
    ReservationState.ENDING: "Active",
    ReservationState.ENDED: "Expired",
}
CHUNK = 1000


def reservation_commitments(*, tenant_id: UUID | None, month: Period) -> Iterator[CommitmentFact]:
    """The reservations that were agreed for part of a month; every tenant's where None is given.

    One statement, read in portions.
    """
    rows = Reservation.objects.filter(
        state__in=LIFECYCLE, starts_at__lt=month.end, ends_at__gt=month.start
    )
    if tenant_id is not None:
        rows = rows.filter(tenant_id=tenant_id)
    ordered = rows.select_related("pool").order_by("starts_at", "pk")
    for row in ordered.iterator(chunk_size=CHUNK):
        yield _fact(row)


def _fact(row: Reservation) -> CommitmentFact:
    updated_at = row.ended_at or row.activated_at or row.submitted_at or row.created_at
    return CommitmentFact(
        contract_id=str(row.pk),
        contract_period=row.period,
        id=str(row.pk),
        issuer=settings.INVOICE_SELLER_NAME or settings.INVOICE_ISSUER,
        currency=row.currency,
        category="Usage",
        type="Reserved Capacity",
        description=f"{row.cards} x {row.pool.chip_id}, {row.pool.code}",
        period=row.period,
        created_at=row.created_at,
        updated_at=updated_at,
        status=LIFECYCLE[ReservationState(row.state)],
        duration=duration(row.period, settings.CENTRE_TIME_ZONE),
        unit="Hours",
        quantity=ratio(row.cards * row.period.seconds, SECONDS_PER_HOUR),
        cost=Decimal(row.net),
        applies_to={"x_ChipModel": row.pool.chip_id, "x_Pool": row.pool.code},
    )
