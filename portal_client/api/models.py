"""Everything that is sent and given.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from portal_client.api.appliances import Appliance, ApplianceSheet, Fit, FitStep
from portal_client.api.audit import AuditEntry
from portal_client.api.budgets import Budget, Scope
from portal_client.api.contracts import Contract, Term
from portal_client.api.costs import CostDay, CostGroup, Costs, DayGroup
from portal_client.api.credit_notes import CreditNote, CreditNoteLine, CreditNoteSheet
from portal_client.api.credits import Credit
from portal_client.api.deployments import Deployment, ServiceClass
from portal_client.api.fapiao import Fapiao, FapiaoLine, FapiaoSheet
from portal_client.api.forecast import OrganisationForecast, OutlookDay
from portal_client.api.invoices import (
    CreditPart,
    Dispute,
    Draft,
    Invoice,
    InvoiceSheet,
    Line,
    LineEvent,
    Use,
)
from portal_client.api.keys import Key, NewKey, Scopes
from portal_client.api.members import Member
from portal_client.api.notices import Notice
from portal_client.api.offers import Offer, Offers, RefusedPool
from portal_client.api.organisation import Organisation
from portal_client.api.pools import (
    Chip,
    ClassOffer,
    Pool,
    PoolAvailability,
    PoolServiceClasses,
    Step,
)
from portal_client.api.prices import Price
from portal_client.api.projects import Project
from portal_client.api.reservations import Reservation
from portal_client.api.shared import Delivery, Forecast, Tier
from portal_client.api.standing import Deadlines, Standing
from portal_client.api.statement import Statement, StatementEntry
from portal_client.api.tax_profile import FapiaoKind, TaxProfile
from portal_client.api.usage import (
    CorrectedEventInput,
    CorrectionInput,
    CorrectionReceipt,
    CorrectionResult,
    CountedEvent,
    EventDataInput,
    EventInput,
    EventResult,
    Kind,
    LineResult,
    Receipt,
    RejectedEvent,
    Specversion,
    UsageSum,
)
from portal_client.api.voucher_applications import Application
from portal_client.api.voucher_schemes import Scheme
from portal_client.api.vouchers import Voucher
from portal_client.api.wallet import Movement, Wallet
from portal_client.api.webhook_deliveries import Attempt, DeliveryDetail
from portal_client.api.webhooks import NewWebhook, Resent, Webhook

__all__ = [
    "Appliance",
    "ApplianceSheet",
    "Application",
    "Attempt",
    "AuditEntry",
    "Budget",
    "Chip",
    "ClassOffer",
    "Contract",
    "CorrectedEventInput",
    "CorrectionInput",
    "CorrectionReceipt",
    "CorrectionResult",
    "CostDay",
    "CostGroup",
    "Costs",
    "CountedEvent",
    "Credit",
    "CreditNote",
    "CreditNoteLine",
    "CreditNoteSheet",
    "CreditPart",
    "DayGroup",
    "Deadlines",
    "Delivery",
    "DeliveryDetail",
    "Deployment",
    "Dispute",
    "Draft",
    "EventDataInput",
    "EventInput",
    "EventResult",
    "Fapiao",
    "FapiaoKind",
    "FapiaoLine",
    "FapiaoSheet",
    "Fit",
    "FitStep",
    "Forecast",
    "Invoice",
    "InvoiceSheet",
    "Key",
    "Kind",
    "Line",
    "LineEvent",
    "LineResult",
    "Member",
    "Movement",
    "NewKey",
    "NewWebhook",
    "Notice",
    "Offer",
    "Offers",
    "Organisation",
    "OrganisationForecast",
    "OutlookDay",
    "Pool",
    "PoolAvailability",
    "PoolServiceClasses",
    "Price",
    "Project",
    "Receipt",
    "RefusedPool",
    "RejectedEvent",
    "Resent",
    "Reservation",
    "Scheme",
    "Scope",
    "Scopes",
    "ServiceClass",
    "Specversion",
    "Standing",
    "Statement",
    "StatementEntry",
    "Step",
    "TaxProfile",
    "Term",
    "Tier",
    "UsageSum",
    "Use",
    "Voucher",
    "Wallet",
    "Webhook",
]
