"""Usage, prices, money and invoices."""

from billing.models.arrears import (
    ArrearsFigures,
    ArrearsMove,
    ArrearsStanding,
    ArrearsTerms,
    ArrearsTier,
    InvoiceDue,
    MoveCause,
    SpendSample,
)
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
    "ArrearsFigures",
    "ArrearsMove",
    "ArrearsStanding",
    "ArrearsTerms",
    "ArrearsTier",
    "EventKey",
    "Hold",
    "HoldState",
    "Invoice",
    "InvoiceCounter",
    "InvoiceDue",
    "InvoiceLine",
    "InvoicePayment",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerKind",
    "LedgerTransaction",
    "LineKind",
    "PeriodState",
    "MoveCause",
    "Price",
    "PriceVersion",
    "RejectedEvent",
    "Series",
    "SpendSample",
    "TaxRate",
    "UsageBatch",
    "UsageBucket",
    "UsageEvent",
    "VersionState",
]
