"""Where an appliance could be deployed now: reservations and pools, with prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from appliances.commands.deployments import DEFAULT_LENGTH
from appliances.models import Appliance, ListingState, Version
from appliances.queries.catalogue import one_on_sale
from appliances.queries.fit import PoolVerdict, verdicts
from common.period import Period
from compute.capacity import least_free
from compute.models import Reservation, ReservationState
from compute.queries.classes import ClassOffer, class_offers
from compute.queries.profiles import steps_of
from compute.queries.sale import is_sold
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class Place:
    """One place an appliance could take its cards from.

    Shape: ``key`` is "reservation:<id>" or "pool:<code>"; ``cards`` is what this appliance takes
    there; ``free`` until ``until``. ``offers`` are the service classes that may be chosen, with
    what all its cards cost for the usual length; none in a reservation, which costs nothing more.
    """

    key: str
    verdict: PoolVerdict
    version: Version
    cards: int
    free: int
    until: datetime
    project_id: UUID | None
    reservation_id: UUID | None
    offers: tuple[ClassOffer, ...] = ()

    @property
    def has_room(self) -> bool:
        return self.free >= self.cards

    def offer(self, service_class: str) -> ClassOffer | None:
        """None where the class is not offered here."""
        return next((one for one in self.offers if one.service_class == service_class), None)

    def hourly(self, service_class: str) -> Decimal | None:
        """Net for all its cards for an hour; None where the class is not offered."""
        offer = self.offer(service_class)
        return None if offer is None else offer.card_hour * self.cards


@dataclass(frozen=True)
class Offered:
    """An appliance on sale and where it could run."""

    appliance: Appliance
    places: tuple[Place, ...]


def places(*, actor: Actor, code: str, now: datetime) -> Offered:
    """Active reservations first, then pools on sale; only where a version runs. Seven statements.

    Units: money in the price list's currency for the usual length of a run.
    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.DEPLOYMENT_CREATE, actor.tenant_id)
    versions = list(
        Version.objects.filter(
            appliance__code=code, appliance__listing=ListingState.LISTED, withdrawn_at=None
        )
        .select_related("appliance")
        .order_by("min_cards", "pk")
    )
    if not versions:
        return Offered(one_on_sale(actor=actor, code=code), ())
    return Offered(versions[0].appliance, _places(actor, versions, now))


def _places(actor: Actor, versions: Sequence[Version], now: datetime) -> tuple[Place, ...]:
    found = {
        one.pool.pk: (one, one.version)
        for one in verdicts(versions[0].appliance, versions)
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
    offers = _offers(actor.tenant_id, list(found.values()), period.seconds, now)
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
            offers=offered,
        )
        for (verdict, version), offered in zip(found.values(), offers, strict=True)
    ]
    return (*inside, *outside)


def _offers(
    tenant_id: UUID | None,
    asked: Sequence[tuple[PoolVerdict, Version]],
    seconds: int,
    at: datetime,
) -> tuple[tuple[ClassOffer, ...], ...]:
    """What each pool offers for all the cards a version takes there; nothing to no tenant."""
    if tenant_id is None:
        return tuple(() for _one in asked)
    wanted = [(verdict.pool, version.min_cards) for verdict, version in asked]
    return class_offers(tenant_id=tenant_id, asked=wanted, seconds=seconds, at=at)
