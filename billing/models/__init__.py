"""Usage, prices, money and invoices."""

from billing.models.invoices import (
    Allocation,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    InvoicePayment,
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
    "Allocation",
    "EventKey",
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
