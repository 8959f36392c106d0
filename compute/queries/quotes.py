"""Asking billing what cards cost."""

from datetime import datetime
from uuid import UUID

from billing.queries.prices import Quote, QuoteLine, quote

from compute.meters import CARD_SECONDS, COMMITTED, ON_DEMAND, RESERVED_CARD_SECONDS
from compute.models import Pool


def quote_reserved(*, tenant_id: UUID, pool: Pool, cards: int, seconds: int, at: datetime) -> Quote:
    """The price of cards reserved for a time. Raises: PriceMissing."""
    return quote(
        tenant_id=tenant_id, lines=[_line(pool, RESERVED_CARD_SECONDS, cards * seconds)], at=at
    )


def quote_on_demand(
    *, tenant_id: UUID, pool: Pool, cards: int, seconds: int, at: datetime
) -> Quote:
    """The price of cards used on demand for a time. Raises: PriceMissing."""
    return quote(tenant_id=tenant_id, lines=[_line(pool, CARD_SECONDS, cards * seconds)], at=at)


def _line(pool: Pool, meter: str, quantity: int) -> QuoteLine:
    service_class = COMMITTED if meter == RESERVED_CARD_SECONDS else ON_DEMAND
    return QuoteLine(
        meter=meter,
        dimensions={"chip": pool.chip_id, "pool": pool.code, "service_class": service_class},
        quantity=quantity,
    )
