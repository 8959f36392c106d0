"""What an export is made of: plain facts that billing's queries gather, and the rows they become.

Whoever adds a kind of money (vouchers, contracts) gathers these facts and gets the rows for
nothing: a credit is a ``CreditFact``, an agreement a ``CommitmentFact``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.period import Period

Value = str | Decimal | datetime | Mapping[str, object] | None
Row = dict[str, Value]


@dataclass(frozen=True)
class Bill:
    """One invoice, or the draft of the next: what all its rows have in common.

    Shape: ``number`` is None for a draft, which no invoice stands for yet.
    """

    number: str | None
    issuer: str
    account_code: str
    account_name: str
    currency: str
    period: Period
    gross: Decimal
    issued_at: datetime | None = None
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True)
class LineFact:
    """One line of a bill. ``id`` is None in a draft; ``charge`` tells its charge from others."""

    id: str | None
    charge: str
    kind: str
    meter: str
    sku: str
    price_id: str
    title: str
    portion: str
    project_code: str
    project_name: str
    dimensions: Mapping[str, str]
    period: Period
    is_late: bool
    quantity: int
    priced_quantity: int
    list_unit_price: Decimal
    unit_price: Decimal
    unit_quantity: int
    tax_code: str
    tax_rate: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True)
class Draw:
    """What a charge drew on one commitment, in base units, and between which hours."""

    commitment_id: str
    quantity: int
    period: Period


@dataclass(frozen=True)
class Rate:
    """What a commitment costs: net, for so many base units."""

    unit_price: Decimal
    unit_quantity: int


@dataclass(frozen=True)
class CreditFact:
    """Money off a bill: a voucher, a promotional credit. ``amount`` is below zero."""

    id: str
    description: str
    amount: Decimal
    period: Period
    voucher_id: str = ""


@dataclass(frozen=True)
class PeriodFact:
    """A billing period as its issuer states it."""

    issuer: str
    period: Period
    is_closed: bool
    updated_at: datetime


@dataclass(frozen=True)
class CommitmentFact:
    """One thing agreed in a contract: so many units, or so much money, for a time."""

    contract_id: str
    contract_period: Period
    id: str
    issuer: str
    currency: str
    category: str
    type: str
    description: str
    period: Period
    created_at: datetime
    updated_at: datetime
    status: str
    duration: str
    unit: str
    quantity: Decimal | None
    cost: Decimal | None
    applies_to: Mapping[str, object]
    offer: str = "Public"
    benefit: str = "Availability"
    fulfillment: str = "Hourly"
    payment_interval: str = "Monthly"
    payment_model: str = "No Upfront"
    upfront_percentage: Decimal = Decimal(0)
    discount_percentage: Decimal | None = None
