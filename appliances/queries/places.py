"""Where an appliance could be deployed now: the tenant's reservations and the pools, with prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from appliances.commands.deployments import DEFAULT_LENGTH
from appliances.models import Appliance, Version
from appliances.queries.fit import PoolVerdict, verdicts
from billing.queries.prices import PriceMissing, QuoteLine, quote
from common.period import Period
from compute.capacity import least_free
from compute.meters import CARD_SECONDS, ON_DEMAND
from compute.models import Reservation, ReservationState
from compute.queries.profiles import steps_of
from compute.queries.sale import is_sold
from tenants.permissions import Actor, Permission, require

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Place:
    """One place an appliance could take its cards from.

    Shape: ``key`` is "reservation:<id>" or "pool:<code>"; ``cards`` is what this appliance takes
    there; ``free`` until ``until``. ``hourly`` is net for all its cards; None where it costs
    nothing more (a reservation) and where ``price_known`` is false.
    """

    key: str
    verdict: PoolVerdict
    version: Version
    cards: int
    free: int
    until: datetime
    project_id: UUID | None
    reservation_id: UUID | None
    hourly: Decimal | None
    hold: Decimal | None
    price_known: bool

    @property
    def has_room(self) -> bool:
        return self.free >= self.cards


def places(*, actor: Actor, appliance: Appliance, now: datetime) -> tuple[Place, ...]:
    """Active reservations first, then pools on sale; only where a version runs. Eight statements.

    Units: money in the price list's currency for the usual length of a run.
    """
    require(actor, Permission.DEPLOYMENT_CREATE, actor.tenant_id)
    found = {
        one.pool.pk: (one, one.version)
        for one in verdicts(appliance)
        if one.version is not None and is_sold(one.pool)
    }
    reservations = Reservation.objects.filter(
        state=ReservationState.ACTIVE, ends_at__gt=now, pool_id__in=found
    )
    if actor.project_id is not None:
        reservations = reservations.filter(project_id=actor.project_id)
    held = list(reservations.order_by("ends_at", "pk")[:20])
    period = Period(now, now + DEFAULT_LENGTH)
    profiles = [one.profile_id for one in held]
    profiles += [one.pool.profile_id for one, _version in found.values()]
    steps = steps_of(profiles, Period(now, now + timedelta(minutes=1)))
    prices = _prices(actor.tenant_id, list(found.values()), period.seconds, now)
    inside = []
    for one in held:
        verdict, version = found[one.pool_id]
        inside.append(
            Place(
                key=f"reservation:{one.pk}",
                verdict=verdict,
                version=version,
                cards=version.min_cards,
                free=least_free(steps[one.profile_id]),
                until=one.ends_at,
                project_id=one.project_id,
                reservation_id=one.pk,
                hourly=None,
                hold=None,
                price_known=True,
            )
        )
    outside = [
        Place(
            key=f"pool:{verdict.pool.code}",
            verdict=verdict,
            version=version,
            cards=version.min_cards,
            free=least_free(steps[verdict.pool.profile_id]),
            until=period.end,
            project_id=None,
            reservation_id=None,
            hourly=None if price is None else price[0],
            hold=None if price is None else price[1],
            price_known=price is not None,
        )
        for (verdict, version), price in zip(found.values(), prices, strict=True)
    ]
    return (*inside, *outside)


def _prices(
    tenant_id: UUID | None,
    asked: Sequence[tuple[PoolVerdict, Version]],
    seconds: int,
    at: datetime,
) -> list[tuple[Decimal, Decimal] | None]:
    """Net for an hour and what a whole run sets aside; None where there is no price."""
    if tenant_id is None or not asked:
        return [None for _one in asked]
    lines = [
        QuoteLine(
            meter=CARD_SECONDS,
            dimensions={
                "chip": verdict.pool.chip_id,
                "pool": verdict.pool.code,
                "service_class": ON_DEMAND,
            },
            quantity=version.min_cards * seconds,
        )
        for verdict, version in asked
    ]
    found: list[tuple[Decimal, Decimal] | None] = []
    try:
        together = quote(tenant_id=tenant_id, lines=lines, at=at)
    except PriceMissing:
        # One pool without a price hides the others' only if they are asked about together.
        for line in lines:
            found += _priced(tenant_id, line, at)
        return found
    for line, priced in zip(lines, together.lines, strict=True):
        hourly = priced.unit_price * line.quantity * HOUR_SECONDS / priced.unit_quantity / seconds
        found.append((hourly, priced.gross))
    return found


def _priced(
    tenant_id: UUID, line: QuoteLine, at: datetime
) -> list[tuple[Decimal, Decimal] | None]:
    try:
        one = quote(tenant_id=tenant_id, lines=[line], at=at)
    except PriceMissing:
        return [None]
    return [(one.net * HOUR_SECONDS / (DEFAULT_LENGTH // timedelta(seconds=1)), one.gross)]
