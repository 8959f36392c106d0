"""What several resources speak of.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """``DeliveryOut`` of the API."""

    id: UUID
    webhook_id: UUID
    # The webhook-id of every attempt.
    message_id: str
    event_type: str
    state: str
    attempts: int
    # When it is tried next.
    due_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_status: int | None
    last_outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """``ForecastOut`` of the API."""

    low: Decimal
    # Spent so far, and the rest of the month at the usual pace.
    expected: Decimal
    high: Decimal
    # How many full days made the pace.
    days: int
    # When the amount is reached at that pace, in this month.
    reaches_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """``TierOut`` of the API."""

    # In base units, of the month's total; null has no end.
    up_to: int | None
    # Net.
    unit_price: Decimal
    # Net, once, when the tier is entered.
    fee: Decimal
