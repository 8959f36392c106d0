"""What calls cost, and what they may cost: the money part of a snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.money import CURRENCY


@dataclass(frozen=True)
class CallPrice:
    """What a token of a deployment's calls costs at most; nothing where no price is known."""

    net_in: Decimal = Decimal(0)
    net_out: Decimal = Decimal(0)
    gross_in: Decimal = Decimal(0)
    gross_out: Decimal = Decimal(0)


@dataclass(frozen=True)
class Limit:
    """A budget that stops calls once it is spent; without a subject it is the whole tenant's.

    Units: net, of the month; ``left`` is below zero where more was spent.
    """

    scope: str
    subject_id: UUID | None
    amount: Decimal
    left: Decimal
    currency: str = CURRENCY


@dataclass(frozen=True)
class Funds:
    """What a tenant may still spend, with tax, and when its use was last counted.

    Shape: ``is_carried`` where it is served although it has nothing left; ``read_at`` is by the
    database's clock.
    """

    available: Decimal
    read_at: datetime | None
    is_carried: bool = False


@dataclass(frozen=True)
class Money:
    """What calls cost and what they may cost, by deployment and by tenant."""

    prices: Mapping[UUID, CallPrice] = field(default_factory=dict)
    limits: Mapping[UUID, tuple[Limit, ...]] = field(default_factory=dict)
    funds: Mapping[UUID, Funds] = field(default_factory=dict)
