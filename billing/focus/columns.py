"""Every column of the FOCUS datasets we give out, as facts of the specification.

Source: FinOps Open Cost and Usage Specification (FOCUS), versions 1.2 and 1.4, column definitions.
"""

from dataclasses import dataclass
from enum import StrEnum

from billing.focus.services import CATEGORIES, SUBCATEGORIES


class Dataset(StrEnum):
    COST_AND_USAGE = "CostAndUsage"
    INVOICE_DETAIL = "InvoiceDetail"
    BILLING_PERIOD = "BillingPeriod"
    CONTRACT_COMMITMENT = "ContractCommitment"


class Version(StrEnum):
    V1_2 = "1.2"
    V1_4 = "1.4"


class Kind(StrEnum):
    DECIMAL = "decimal"
    STRING = "string"
    TIME = "time"
    JSON = "json"


class Level(StrEnum):
    MANDATORY = "mandatory"
    CONDITIONAL = "conditional"
    RECOMMENDED = "recommended"


@dataclass(frozen=True)
class Column:
    """One column: what it holds, and whether it may hold nothing.

    Shape: ``allowed`` is empty where any text may stand; ``since`` and ``until`` are the first and
    the last version that has the column, where not every one has it.
    """

    name: str
    kind: Kind
    level: Level
    nullable: bool
    allowed: frozenset[str] = frozenset()
    since: str = "1.0"
    until: str = ""

    def is_in(self, version: Version) -> bool:
        return self.since <= version.value and (not self.until or version.value <= self.until)


_KINDS = {"D": Kind.DECIMAL, "S": Kind.STRING, "T": Kind.TIME, "J": Kind.JSON}
_LEVELS = {"M": Level.MANDATORY, "C": Level.CONDITIONAL, "R": Level.RECOMMENDED}


def _c(
    name: str, kind: str, level: str, *allowed: str, since: str = "1.0", until: str = ""
) -> Column:
    """As the specification's own tables are read: ``M!`` is mandatory and never null, ``M0`` may
    be null."""
    return Column(
        name=name,
        kind=_KINDS[kind],
        level=_LEVELS[level[0]],
        nullable=level[1] == "0",
        allowed=frozenset(allowed),
        since=since,
        until=until,
    )


CHARGE_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")

COST_AND_USAGE = (
    _c("AllocatedMethodDetails", "J", "R0", since="1.3"),
    _c("AllocatedMethodId", "S", "C0", since="1.3"),
    _c("AllocatedResourceId", "S", "C0", since="1.3"),
    _c("AllocatedResourceName", "S", "C0", since="1.3"),
    _c("AllocatedTags", "J", "C0", since="1.3"),
    _c("AvailabilityZone", "S", "R0"),
    _c("BilledCost", "D", "M!"),
    _c("BillingAccountId", "S", "M!"),
    _c("BillingAccountName", "S", "M0"),
    _c("BillingAccountType", "S", "C!"),
    _c("BillingCurrency", "S", "M!"),
    _c("BillingPeriodEnd", "T", "M!"),
    _c("BillingPeriodStart", "T", "M!"),
    _c("CapacityReservationId", "S", "C0"),
    _c("CapacityReservationStatus", "S", "C0", "Used", "Unused"),
    _c("ChargeCategory", "S", "M!", *CHARGE_CATEGORIES),
    _c("ChargeClass", "S", "M0", "Correction"),
    _c("ChargeDescription", "S", "M0"),
    _c("ChargeFrequency", "S", "R!", "One-Time", "Recurring", "Usage-Based"),
    _c("ChargePeriodEnd", "T", "M!"),
    _c("ChargePeriodStart", "T", "M!"),
    _c("CommitmentDiscountCategory", "S", "C0", "Spend", "Usage"),
    _c("CommitmentDiscountId", "S", "C0"),
    _c("CommitmentDiscountName", "S", "C0"),
    _c("CommitmentDiscountQuantity", "D", "C0"),
    _c("CommitmentDiscountStatus", "S", "C0", "Used", "Unused"),
    _c("CommitmentDiscountType", "S", "C0"),
    _c("CommitmentDiscountUnit", "S", "C0"),
    _c("CommitmentProgramEligibilityDetails", "J", "C0", since="1.4"),
    _c("ConsumedQuantity", "D", "C0"),
    _c("ConsumedUnit", "S", "C0"),
    _c("ContractApplied", "J", "C0", since="1.3"),
    _c("ContractedCost", "D", "M!"),
    _c("ContractedUnitPrice", "D", "C0"),
    _c("EffectiveCost", "D", "M!"),
    _c("HostProviderName", "S", "M!", since="1.3"),
    _c("InvoiceDetailId", "S", "C0", since="1.4"),
    _c("InvoiceId", "S", "R0"),
    _c("InvoiceIssuerName", "S", "M!"),
    _c("ListCost", "D", "M!"),
    _c("ListUnitPrice", "D", "C0"),
    _c("PricingCategory", "S", "C0", "Standard", "Dynamic", "Committed", "Other"),
    _c("PricingCurrency", "S", "C0"),
    _c("PricingCurrencyContractedUnitPrice", "D", "C0"),
    _c("PricingCurrencyEffectiveCost", "D", "C0"),
    _c("PricingCurrencyListUnitPrice", "D", "C0"),
    _c("PricingQuantity", "D", "M0"),
    _c("PricingUnit", "S", "M0"),
    _c("RegionId", "S", "C0"),
    _c("RegionName", "S", "C0"),
    _c("ResourceId", "S", "C0"),
    _c("ResourceName", "S", "C0"),
    _c("ResourceType", "S", "C0"),
    _c("ServiceCategory", "S", "M!", *CATEGORIES),
    _c("ServiceName", "S", "M!"),
    _c("ServiceProviderName", "S", "M!", since="1.3"),
    _c("ServiceSubcategory", "S", "R!", *SUBCATEGORIES),
    _c("SkuId", "S", "C0"),
    _c("SkuMeter", "S", "C0"),
    _c("SkuPriceDetails", "J", "C0"),
    _c("SkuPriceId", "S", "C0"),
    _c("SubAccountId", "S", "C0"),
    _c("SubAccountName", "S", "C0"),
    _c("SubAccountType", "S", "C0"),
    _c("Tags", "J", "C0"),
    _c("ProviderName", "S", "M!", until="1.2"),
    _c("PublisherName", "S", "M!", until="1.2"),
)

INVOICE_DETAIL = (
    _c("BilledCost", "D", "M!", since="1.4"),
    _c("BillingAccountId", "S", "M!", since="1.4"),
    _c("BillingCurrency", "S", "M!", since="1.4"),
    _c("BillingPeriodEnd", "T", "M!", since="1.4"),
    _c("BillingPeriodStart", "T", "M!", since="1.4"),
    _c("ChargeCategory", "S", "M!", *CHARGE_CATEGORIES, since="1.4"),
    _c("InvoiceDetailCreated", "T", "M!", since="1.4"),
    _c("InvoiceDetailDescription", "S", "M0", since="1.4"),
    _c("InvoiceDetailGrain", "J", "M0", since="1.4"),
    _c("InvoiceDetailId", "S", "M!", since="1.4"),
    _c("InvoiceDetailLastUpdated", "T", "M!", since="1.4"),
    _c("InvoiceId", "S", "M!", since="1.4"),
    _c("InvoiceIssueDate", "T", "M0", since="1.4"),
    _c("InvoiceIssueStatus", "S", "M!", "Open", "Issued", "Voided", since="1.4"),
    _c("InvoiceIssuerName", "S", "M!", since="1.4"),
    _c("PaymentCurrency", "S", "M!", since="1.4"),
    _c("PaymentCurrencyBilledCost", "D", "C!", since="1.4"),
    _c("PaymentCurrencyInvoiceDetailId", "S", "C!", since="1.4"),
    _c("PaymentDueDate", "T", "M0", since="1.4"),
    _c("PaymentTerms", "S", "M!", since="1.4"),
    _c("PurchaseOrderNumber", "S", "C0", since="1.4"),
    _c("ReferenceInvoiceId", "S", "M!", since="1.4"),
)

BILLING_PERIOD = (
    _c("BillingPeriodCreated", "T", "M!", since="1.4"),
    _c("BillingPeriodEnd", "T", "M!", since="1.4"),
    _c("BillingPeriodLastUpdated", "T", "M!", since="1.4"),
    _c("BillingPeriodStart", "T", "M!", since="1.4"),
    _c("BillingPeriodStatus", "S", "M!", "Open", "Closed", since="1.4"),
    _c("InvoiceIssuerName", "S", "M!", since="1.4"),
)

_BENEFITS = ("Discount", "Entitlement", "Availability", "Other")
_FULFILLMENTS = (
    *("Hourly", "Daily", "Weekly", "Monthly", "Quarterly", "Semi-Annual", "Annual"),
    *("Full Period", "Transactional"),
)
_LIFECYCLE = (*("Proposed", "Pending", "Active", "Exhausted", "Expired", "Canceled", "Superseded"),)
_PAYMENTS = ("One-Time", "Monthly", "Quarterly", "Semi-Annual", "Annual", "Custom")
_UPFRONT = ("No Upfront", "Partial Upfront", "All Upfront")

CONTRACT_COMMITMENT = (
    _c("BillingCurrency", "S", "M0", since="1.3"),
    _c("ContractCommitmentApplicability", "J", "M!", since="1.4"),
    _c("ContractCommitmentBenefitCategory", "S", "M!", *_BENEFITS, since="1.4"),
    _c("ContractCommitmentCategory", "S", "M!", since="1.3"),
    _c("ContractCommitmentCost", "D", "M0", since="1.3"),
    _c("ContractCommitmentCreated", "T", "M!", since="1.4"),
    _c("ContractCommitmentDescription", "S", "M0", since="1.3"),
    _c("ContractCommitmentDiscountPercentage", "D", "M0", since="1.4"),
    _c("ContractCommitmentDurationType", "S", "M!", since="1.4"),
    _c("ContractCommitmentFulfillmentInterval", "S", "M!", *_FULFILLMENTS, since="1.4"),
    _c("ContractCommitmentId", "S", "M!", since="1.3"),
    _c("ContractCommitmentLastUpdated", "T", "M!", since="1.4"),
    _c("ContractCommitmentLifecycleStatus", "S", "M!", *_LIFECYCLE, since="1.4"),
    _c("ContractCommitmentModel", "S", "M!", "Continuous", "Discontinuous", since="1.4"),
    _c("ContractCommitmentOfferCategory", "S", "M!", "Public", "Negotiated", since="1.4"),
    _c("ContractCommitmentPaymentInterval", "S", "M!", *_PAYMENTS, since="1.4"),
    _c("ContractCommitmentPaymentModel", "S", "M!", *_UPFRONT, since="1.4"),
    _c("ContractCommitmentPaymentUpfrontPercentage", "D", "C!", since="1.4"),
    _c("ContractCommitmentPeriodEnd", "T", "M!", since="1.3"),
    _c("ContractCommitmentPeriodStart", "T", "M!", since="1.3"),
    _c("ContractCommitmentQuantity", "D", "M0", since="1.3"),
    _c("ContractCommitmentType", "S", "M!", since="1.3"),
    _c("ContractCommitmentUnit", "S", "M0", since="1.3"),
    _c("ContractId", "S", "M!", since="1.3"),
    _c("ContractPeriodEnd", "T", "M!", since="1.3"),
    _c("ContractPeriodStart", "T", "M!", since="1.3"),
    _c("InvoiceIssuerName", "S", "M!", since="1.4"),
    _c("PricingCurrency", "S", "C!", since="1.4"),
    _c("PricingCurrencyContractCommitmentCost", "D", "C0", since="1.4"),
    _c("ServiceProviderName", "S", "M!", since="1.4"),
)

# Ours, after all others: the meter's code, the part of a price with tiers, and what a line is of.
CUSTOM = (
    _c("x_Dimensions", "J", "C0"),
    _c("x_Meter", "S", "C0"),
    _c("x_Portion", "S", "C0"),
)

DATASETS = {
    Dataset.COST_AND_USAGE: (*COST_AND_USAGE, *CUSTOM),
    Dataset.INVOICE_DETAIL: INVOICE_DETAIL,
    Dataset.BILLING_PERIOD: BILLING_PERIOD,
    Dataset.CONTRACT_COMMITMENT: CONTRACT_COMMITMENT,
}
# The other three datasets came, or took their present shape, with 1.4.
GIVEN = {
    Version.V1_2: frozenset({Dataset.COST_AND_USAGE}),
    Version.V1_4: frozenset(Dataset),
}


def columns(dataset: Dataset, version: Version) -> tuple[Column, ...]:
    """The columns of a dataset in one version, in the order of a file; ours come last."""
    return tuple(column for column in DATASETS[dataset] if column.is_in(version))
