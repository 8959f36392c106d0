"""What an export is made of: plain facts that billing's queries gather, and the rows they become.

Whoever adds a kind of money gathers these facts and gets the rows for nothing: a credit is a
``CreditFact``, an agreement a ``CommitmentFact``.
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
    """One invoice, one credit note, or the draft of the next invoice: what all its rows share.

    Units: ``total`` is what the rows come to: with tax, less what credits pay; below zero on a
    credit note.
    Shape: ``number`` is None for a draft, which no invoice stands for yet. ``corrects`` is the
    number of the invoice that a credit note is of. ``voided_at`` is when a credit note took all of
    an invoice back.
    """

    number: str | None
    issuer: str
    account_code: str
    account_name: str
    currency: str
    period: Period
    total: Decimal
    issued_at: datetime | None = None
    zone: str = "Asia/Shanghai"
    corrects: str = ""
    due_at: datetime | None = None
    payment_days: int | None = None
    voided_at: datetime | None = None


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
class CreditedLine:
    """What a credit note takes back of a line. Units: whole fen, of the line's own sign."""

    id: str
    of: LineFact
    net: Decimal
    tax: Decimal


@dataclass(frozen=True)
class CreditFact:
    """What a voucher or a promotional credit paid of a bill.

    Units: with tax; below zero where it paid, above where a credit note gave it back.
    """

    id: str
    description: str
    amount: Decimal
    period: Period


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
    unit: str | None
    quantity: Decimal | None
    cost: Decimal | None
    applies_to: Mapping[str, object]
    model: str = "Continuous"
    offer: str = "Public"
    benefit: str = "Availability"
    fulfillment: str = "Hourly"
    payment_interval: str = "Monthly"
    payment_model: str = "No Upfront"
    upfront_percentage: Decimal = Decimal(0)
    discount_percentage: Decimal | None = None
