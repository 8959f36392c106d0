"""Asking billing what cards cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.queries.prices import PriceMissing, Quote, QuoteLine, quote
from compute.meters import CARD_SECONDS, COMMITTED, RESERVED_CARD_SECONDS
from compute.models import Pool


@dataclass(frozen=True)
class PoolPrice:
    """What cards of one pool cost for the time asked about."""

    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal


def quote_pools(
    *, tenant_id: UUID, asked: Sequence[tuple[Pool, int]], seconds: int, at: datetime
) -> tuple[PoolPrice | None, ...]:
    """The price of so many reserved cards of each pool; None where a pool has no price.

    Shape: one quote for all; only where one of them has no price is each asked about alone.
    """
    lines = [_reserved_line(pool, cards * seconds) for pool, cards in asked]
    try:
        together = quote(tenant_id=tenant_id, lines=lines, at=at)
    except PriceMissing:
        return tuple(_alone(tenant_id, line, at) for line in lines)
    return tuple(
        PoolPrice(together.currency, line.net, line.tax, line.gross) for line in together.lines
    )


def _alone(tenant_id: UUID, line: QuoteLine, at: datetime) -> PoolPrice | None:
    try:
        one = quote(tenant_id=tenant_id, lines=[line], at=at)
    except PriceMissing:
        return None
    return PoolPrice(one.currency, one.net, one.tax, one.gross)


def quote_reserved(*, tenant_id: UUID, pool: Pool, cards: int, seconds: int, at: datetime) -> Quote:
    """The price of cards reserved for a time. Raises: PriceMissing."""
    return quote(tenant_id=tenant_id, lines=[_reserved_line(pool, cards * seconds)], at=at)


def quote_used(
    *, tenant_id: UUID, pool: Pool, service_class: str, cards: int, seconds: int, at: datetime
) -> Quote:
    """The price of cards used outside a reservation for a time. Raises: PriceMissing."""
    line = card_line(pool, service_class, cards * seconds)
    return quote(tenant_id=tenant_id, lines=[line], at=at)


def card_line(pool: Pool, service_class: str, card_seconds: int) -> QuoteLine:
    """What is asked of billing about cards used in a pool as a service class."""
    return _line(pool, CARD_SECONDS, service_class, card_seconds)


def _reserved_line(pool: Pool, card_seconds: int) -> QuoteLine:
    return _line(pool, RESERVED_CARD_SECONDS, COMMITTED, card_seconds)


def _line(pool: Pool, meter: str, service_class: str, quantity: int) -> QuoteLine:
    return QuoteLine(
        meter=meter,
        dimensions={"chip": pool.chip_id, "pool": pool.code, "service_class": service_class},
        quantity=quantity,
    )
