"""What calls cost, and what they may cost: the money part of a snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.money import CURRENCY


@dataclass(frozen=True)
class CallPrice:
    """What a token of a deployment's calls costs at most; nothing where no price is known.

    Shape: without a price of their own, tokens from the cache are tokens in like others.
    """

    net_in: Decimal = Decimal(0)
    net_out: Decimal = Decimal(0)
    gross_in: Decimal = Decimal(0)
    gross_out: Decimal = Decimal(0)
    net_cached: Decimal | None = None
    gross_cached: Decimal | None = None

    def of(
        self, tokens_in: int, tokens_out: int, tokens_cached: int = 0
    ) -> tuple[Decimal, Decimal]:
        """Net and with tax; ``tokens_cached`` are of ``tokens_in``."""
        fresh = tokens_in - tokens_cached
        net, gross = (
            (self.net_in, self.gross_in)
            if self.net_cached is None or self.gross_cached is None
            else (self.net_cached, self.gross_cached)
        )
        return (
            self.net_in * fresh + net * tokens_cached + self.net_out * tokens_out,
            self.gross_in * fresh + gross * tokens_cached + self.gross_out * tokens_out,
        )

    @property
    def prices_cached(self) -> bool:
        return self.net_cached is not None


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
