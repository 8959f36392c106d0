"""Usage, prices, money and invoices."""

from billing.models.corrections import Correction, CorrectionKind
from billing.models.invoices import (
    Charge,
    ChargeSegment,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    InvoicePayment,
    LineKind,
)
from billing.models.ledger import (
    HOLD_TRANSITIONS,
    Account,
    Hold,
    HoldState,
    LedgerAccount,
    LedgerEntry,
    LedgerKind,
    LedgerTransaction,
)
from billing.models.periods import BillingPeriod, PeriodState
from billing.models.prices import Price, PriceVersion, TaxRate, VersionState
from billing.models.usage import (
    EventKey,
    EventValue,
    RejectedEvent,
    Series,
    UsageBatch,
    UsageBucket,
    UsageEvent,
)

__all__ = [
    "HOLD_TRANSITIONS",
    "Account",
    "BillingPeriod",
    "Charge",
    "ChargeSegment",
    "Correction",
    "CorrectionKind",
    "EventKey",
    "EventValue",
    "Hold",
    "HoldState",
    "Invoice",
    "InvoiceCounter",
    "InvoiceLine",
    "InvoicePayment",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerKind",
    "LedgerTransaction",
    "LineKind",
    "PeriodState",
    "Price",
    "PriceVersion",
    "RejectedEvent",
    "Series",
    "TaxRate",
    "UsageBatch",
    "UsageBucket",
    "UsageEvent",
    "VersionState",
]
