"""How much of a reservation is used, and what a workload has cost so far."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import DurationField, ExpressionWrapper, F, Max, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.queries.currencies import currency_of
from billing.queries.prices import PriceMissing
from compute.models import EngineUsage, Reservation, Workload
from compute.queries.quotes import quote_used
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class ReservationUse:
    """Reserved and used so far. Units: card-seconds; ``seen_until`` is the age of ``used``."""

    reserved: int
    used: int
    whole: int
    seen_until: datetime | None

    @property
    def unused(self) -> int:
        return max(self.reserved - self.used, 0)


def reservation_use(*, actor: Actor, reservation: Reservation, now: datetime) -> ReservationUse:
    """What its cards did, from the engine's own accounting; one statement."""
    require(actor, Permission.RESERVATION_READ, reservation.tenant_id)
    used, seen = _card_seconds(EngineUsage.objects.filter(workload__reservation_id=reservation.pk))
    began = reservation.activated_at
    ended = min(reservation.ended_at or reservation.ends_at, now)
    reserved = int((ended - began).total_seconds()) if began and ended > began else 0
    return ReservationUse(
        reserved=reserved * reservation.cards,
        used=used,
        whole=reservation.period.seconds * reservation.cards,
        seen_until=seen,
    )


@dataclass(frozen=True)
class WorkloadCost:
    """What a workload has cost by the engine's accounting; all zero inside a reservation.

    Units: card-seconds; money as an invoice line would be rounded. ``hourly`` is the net price of
    all its cards for an hour, None where a reservation has paid for them.
    """

    card_seconds: int
    currency: str
    net: Decimal
    gross: Decimal
    hourly: Decimal | None
    seen_until: datetime | None


def workload_cost(*, actor: Actor, workload: Workload, now: datetime) -> WorkloadCost:
    """Its cost so far at today's list, for looking at; the invoice keeps to the quoted price."""
    require(actor, Permission.USAGE_READ, workload.tenant_id)
    used, seen = _card_seconds(EngineUsage.objects.filter(workload_id=workload.pk))
    if workload.reservation_id is not None:
        return _free(workload, used, seen)
    try:
        so_far = quote_used(
            tenant_id=workload.tenant_id,
            pool=workload.pool,
            service_class=workload.service_class,
            cards=1,
            seconds=used,
            at=now,
        )
    except PriceMissing:
        return _free(workload, used, seen)
    line = so_far.lines[0]
    hourly = line.unit_price * workload.cards * 3600 / line.unit_quantity
    return WorkloadCost(used, so_far.currency, so_far.net, so_far.gross, hourly, seen)


def _free(workload: Workload, used: int, seen: datetime | None) -> WorkloadCost:
    currency = currency_of(workload.tenant_id)
    return WorkloadCost(used, currency, Decimal(0), Decimal(0), None, seen)


def _card_seconds(rows: QuerySet[EngineUsage]) -> tuple[int, datetime | None]:
    lasted = ExpressionWrapper(
        (Coalesce(F("ended_at"), F("seen_until")) - F("started_at")) * F("cards"),
        output_field=DurationField(),
    )
    found = rows.aggregate(lasted=Sum(lasted), seen=Max("seen_until"))
    whole = int(found["lasted"].total_seconds()) if found["lasted"] is not None else 0
    return whole, found["seen"]
