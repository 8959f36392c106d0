"""Which service classes work may choose in a pool, and what cards cost in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from billing.pricing.match import best_match
from billing.queries.currencies import currency_of
from billing.queries.prices import PriceMissing, price_book, quote
from common.errors import DomainError, NotFound
from compute.engines import ServiceClass
from compute.engines.registry import classes_of
from compute.meters import SECONDS_PER_HOUR
from compute.models import Pool
from compute.queries.quotes import card_line
from compute.queries.sale import is_sold
from tenants.permissions import Actor, Permission, require


class ServiceClassNotOffered(DomainError):
    """The pool's scheduler cannot honour the class, or the price list has no price for it."""

    code = "service_class_not_offered"
    status = 409
    message = _("Pool %(pool)s does not offer the service class %(service_class)s.")


@dataclass(frozen=True)
class ClassOffer:
    """A class that may be chosen, with the price of so many cards for so long.

    Units: ``card_hour`` is net for one card for an hour; ``net`` and ``gross`` are for everything
    that was asked about, ``gross`` being what is set aside.
    """

    service_class: ServiceClass
    currency: str
    card_hour: Decimal
    net: Decimal
    gross: Decimal


def honoured(pool: Pool) -> tuple[ServiceClass, ...]:
    """The classes that the pool's scheduler can honour, in the order of choosing."""
    able = classes_of(pool.cluster)
    return tuple(one for one in ServiceClass if one in able)


def class_offers(
    *, tenant_id: UUID, asked: Sequence[tuple[Pool, int]], seconds: int, at: datetime
) -> tuple[tuple[ClassOffer, ...], ...]:
    """What may be chosen for so many cards of each pool.

    Shape: one entry for each pool asked about, empty where nothing has a price. Two statements,
    however many pools, and five more where anything honoured has no price.
    """
    wanted = [
        (nth, one, card_line(pool, one, cards * seconds))
        for nth, (pool, cards) in enumerate(asked)
        for one in honoured(pool)
    ]
    try:
        quoted = quote(tenant_id=tenant_id, lines=[line for *_rest, line in wanted], at=at)
    except PriceMissing:
        book = price_book(at, currency_of(tenant_id))
        wanted = [row for row in wanted if best_match(book, row[2].meter, row[2].dimensions)]
        quoted = quote(tenant_id=tenant_id, lines=[line for *_rest, line in wanted], at=at)
    offers: list[list[ClassOffer]] = [[] for _one in asked]
    for (nth, one, _line), line in zip(wanted, quoted.lines, strict=True):
        card_hour = line.unit_price * SECONDS_PER_HOUR / line.unit_quantity
        offers[nth].append(ClassOffer(one, quoted.currency, card_hour, line.net, line.gross))
    return tuple(map(tuple, offers))


def pool_classes(*, actor: Actor, code: str, now: datetime) -> tuple[ClassOffer, ...]:
    """What a tenant may choose in one pool, priced for one card for an hour.

    Shape: nothing in a pool that is not for sale.
    Raises: PermissionRefused, NotFound, also for an actor of no tenant.
    """
    require(actor, Permission.POOL_READ)
    rows = Pool.objects.select_related("chip", "cluster")
    pool = rows.filter(code=code, withdrawn_at=None).first()
    if pool is None or actor.tenant_id is None:
        raise NotFound
    asked = [(pool, 1)] if is_sold(pool) else []
    found = class_offers(tenant_id=actor.tenant_id, asked=asked, seconds=SECONDS_PER_HOUR, at=now)
    return next(iter(found), ())
