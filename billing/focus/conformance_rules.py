"""Rules that one row answers by itself, each with the reading of the specification it stands for.

Source: FOCUS 1.2 column definitions (nullability and value sections), read with 1.4's names.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.focus.columns import Dataset
from billing.focus.services import SUBCATEGORIES

Cells = Mapping[str, str]
CLOSE = Decimal("0.000000001")
FEN = Decimal("0.01")

_TIMES = "Years|Months|Days|Hours|Minutes|Seconds"
_ONE_TIME = "Year|Month|Day|Hour|Minute|Second"
_COUNT = r"[A-Za-z][A-Za-z0-9]*(?: [A-Za-z][A-Za-z0-9]*)*"
UNIT = re.compile(
    rf"(?:[1-9]\d* )?(?:{_COUNT})(?:-(?:{_TIMES})|/(?:{_ONE_TIME})|/[1-9]\d* (?:{_TIMES}))?",
    re.ASCII,
)
CURRENCY = re.compile("[A-Z]{3}", re.ASCII)


@dataclass(frozen=True)
class RowRule:
    id: str
    message: str
    holds: Callable[[Cells], bool]


def number(row: Cells, name: str) -> Decimal:
    """A number of a row; nothing where the row has none."""
    return Decimal(row.get(name) or "0")


def null(row: Cells, *names: str) -> bool:
    return not any(row.get(name) for name in names)


def given(row: Cells, *names: str) -> bool:
    return all(row.get(name) for name in names)


def _is(row: Cells, *categories: str) -> bool:
    return row.get("ChargeCategory") in categories


def _is_correction(row: Cells) -> bool:
    return row.get("ChargeClass") == "Correction"


_PRICED = ("PricingQuantity", "PricingUnit", "ListUnitPrice", "ContractedUnitPrice")
_SKU = ("SkuId", "SkuPriceId", "PricingCategory")
_COMMITMENT = ("Category", "Type", "Quantity", "Unit", "Name", "Status")


def _period_in_order(row: Cells) -> bool:
    return all(
        row[f"{name}PeriodStart"] < row[f"{name}PeriodEnd"] for name in ("Billing", "Charge")
    )


def _charge_before_billing_end(row: Cells) -> bool:
    return row["ChargePeriodStart"] < row["BillingPeriodEnd"]


def _tax_has_no_price(row: Cells) -> bool:
    prices = [name for name in row if name.startswith("PricingCurrency") and "UnitPrice" in name]
    return not _is(row, "Tax") or null(row, *_PRICED, *_SKU, "SkuPriceDetails", *prices)


def _use_has_a_price(row: Cells) -> bool:
    if not _is(row, "Usage", "Purchase") or _is_correction(row):
        return True
    return given(row, *_PRICED, *_SKU)


def _consumed_by_use_only(row: Cells) -> bool:
    used = _is(row, "Usage") and row.get("CommitmentDiscountStatus") != "Unused"
    return used or null(row, "ConsumedQuantity", "ConsumedUnit")


def _use_consumes(row: Cells) -> bool:
    if not _is(row, "Usage") or _is_correction(row):
        return True
    return row.get("CommitmentDiscountStatus") == "Unused" or given(row, "ConsumedQuantity")


def _unit_with_quantity(row: Cells) -> bool:
    pairs = (
        ("PricingQuantity", "PricingUnit"),
        ("ConsumedQuantity", "ConsumedUnit"),
        ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
    )
    # A price has both or neither, but what a price needs is another rule's business.
    return all(bool(row.get(amount)) == bool(row.get(unit)) for amount, unit in pairs)


def _units_well_formed(row: Cells) -> bool:
    names = ("PricingUnit", "ConsumedUnit", "CommitmentDiscountUnit")
    return all(not row.get(name) or UNIT.fullmatch(row[name]) is not None for name in names)


def _commitment_described(row: Cells) -> bool:
    if not row.get("CommitmentDiscountId"):
        return null(row, *(f"CommitmentDiscount{part}" for part in _COMMITMENT))
    return given(row, "CommitmentDiscountCategory", "CommitmentDiscountType")


def _commitment_status(row: Cells) -> bool:
    used = _is(row, "Usage") and given(row, "CommitmentDiscountId")
    return bool(row.get("CommitmentDiscountStatus")) == used or null(row, "CommitmentDiscountId")


def _commitment_counted(row: Cells) -> bool:
    if null(row, "CommitmentDiscountId") or _is_correction(row):
        return True
    return not _is(row, "Usage", "Purchase") or given(row, "CommitmentDiscountQuantity")


def _capacity_status(row: Cells) -> bool:
    used = _is(row, "Usage") and given(row, "CapacityReservationId")
    return bool(row.get("CapacityReservationStatus")) == used


def _committed_price(row: Cells) -> bool:
    covered = _is(row, "Usage") and given(row, "CommitmentDiscountId")
    if null(row, "PricingCategory"):
        return True
    return (row["PricingCategory"] == "Committed") == covered


def _unused_is_the_commitment(row: Cells) -> bool:
    if row.get("CommitmentDiscountStatus") != "Unused":
        return True
    return row.get("ResourceId") == row.get("CommitmentDiscountId")


def _resource_typed(row: Cells) -> bool:
    return bool(row.get("ResourceId")) == bool(row.get("ResourceType"))


def _sub_account_typed(row: Cells) -> bool:
    names = ("SubAccountId", "SubAccountType", "SubAccountName")
    return given(row, *names) or null(row, *names)


def _region_named(row: Cells) -> bool:
    return bool(row.get("RegionId")) == bool(row.get("RegionName"))


def _sku_has_price(row: Cells) -> bool:
    details = null(row, "SkuPriceDetails") or given(row, "SkuPriceId")
    return details and (null(row, "SkuMeter") or given(row, "SkuId"))


def _is_product(row: Cells, price: str, cost: str) -> bool:
    if not given(row, price, "PricingQuantity"):
        return True
    due = number(row, price) * number(row, "PricingQuantity")
    return abs(due - number(row, cost)) <= CLOSE * max(abs(due), Decimal(1))


def _list_cost(row: Cells) -> bool:
    return _is_product(row, "ListUnitPrice", "ListCost")


def _contracted_cost(row: Cells) -> bool:
    return _is_product(row, "ContractedUnitPrice", "ContractedCost")


def _billed_is_contracted(row: Cells) -> bool:
    if not _is(row, "Usage", "Purchase"):
        return True
    return abs(number(row, "BilledCost") - number(row, "ContractedCost")) <= FEN


def _purchase_is_prepaid(row: Cells) -> bool:
    if not _is(row, "Purchase") or null(row, "CommitmentDiscountId"):
        return True
    return number(row, "EffectiveCost") == 0


def _effective_is_billed(row: Cells) -> bool:
    if _is(row, "Purchase") or given(row, "CommitmentDiscountId"):
        return True
    return number(row, "EffectiveCost") == number(row, "BilledCost")


def _credit_is_one_amount(row: Cells) -> bool:
    if not _is(row, "Credit"):
        return True
    billed = number(row, "BilledCost")
    same = all(number(row, name) == billed for name in ("ListCost", "ContractedCost"))
    # A credit note gives back what a credit had paid.
    return same and (billed > 0 if _is_correction(row) else billed <= 0)


def _currency(row: Cells) -> bool:
    names = ("BillingCurrency", "PricingCurrency", "PaymentCurrency")
    return all(not row.get(name) or CURRENCY.fullmatch(row[name]) is not None for name in names)


def _service_pair(row: Cells) -> bool:
    return SUBCATEGORIES.get(row["ServiceSubcategory"]) == row["ServiceCategory"]


def _same_in_payment_currency(row: Cells) -> bool:
    if row["PaymentCurrency"] != row["BillingCurrency"]:
        return True
    return number(row, "PaymentCurrencyBilledCost") == number(row, "BilledCost")


def _billing_period(row: Cells) -> bool:
    return row["BillingPeriodStart"] < row["BillingPeriodEnd"]


def _commitment_period(row: Cells) -> bool:
    contract = row["ContractPeriodStart"] < row["ContractPeriodEnd"]
    own = row["ContractCommitmentPeriodStart"] < row["ContractCommitmentPeriodEnd"]
    return contract and own


def _commitment_of_something(row: Cells) -> bool:
    return given(row, "ContractCommitmentQuantity", "ContractCommitmentUnit") or given(
        row, "ContractCommitmentCost", "BillingCurrency"
    )


def _full_period_is_discontinuous(row: Cells) -> bool:
    whole = row["ContractCommitmentFulfillmentInterval"] == "Full Period"
    return not whole or row["ContractCommitmentModel"] == "Discontinuous"


def _discount_share(row: Cells) -> bool:
    names = ("DiscountPercentage", "PaymentUpfrontPercentage")
    shares = (number(row, f"ContractCommitment{name}") for name in names)
    return all(0 <= share <= 1 for share in shares)


_CURRENCY = RowRule("currency-code", "A currency is a code of ISO 4217.", _currency)

ROW_RULES: Mapping[Dataset, tuple[RowRule, ...]] = {
    Dataset.COST_AND_USAGE: (
        _CURRENCY,
        RowRule("period-order", "A period ends after it starts.", _period_in_order),
        RowRule(
            "charge-in-time",
            "A charge begins before its billing period ends.",
            _charge_before_billing_end,
        ),
        RowRule("tax-unpriced", "Tax has no price, quantity or SKU.", _tax_has_no_price),
        RowRule("use-priced", "Use and purchases have price, quantity and SKU.", _use_has_a_price),
        RowRule("consumed-by-use", "Only use that happened consumes.", _consumed_by_use_only),
        RowRule("use-consumes", "Use says how much it consumed.", _use_consumes),
        RowRule(
            "unit-with-quantity", "A quantity has a unit, and none has none.", _unit_with_quantity
        ),
        RowRule("unit-format", "A unit is written in the Unit Format.", _units_well_formed),
        RowRule(
            "commitment-described",
            "A commitment has a category and a type, and what is none has neither.",
            _commitment_described,
        ),
        RowRule("commitment-status", "Use of a commitment is Used or Unused.", _commitment_status),
        RowRule("commitment-counted", "A commitment has a quantity.", _commitment_counted),
        RowRule("capacity-status", "Use of reserved capacity is Used or Unused.", _capacity_status),
        RowRule("committed-price", "Covered use, and only that, is Committed.", _committed_price),
        RowRule(
            "unused-resource",
            "What was not used is of the commitment itself.",
            _unused_is_the_commitment,
        ),
        RowRule("resource-type", "A resource has a type.", _resource_typed),
        RowRule("sub-account", "A sub-account has a type and a name.", _sub_account_typed),
        RowRule("region-name", "A region has an id and a name.", _region_named),
        RowRule("sku-price", "Details need a price, and a meter a SKU.", _sku_has_price),
        RowRule("list-cost", "ListCost is ListUnitPrice x PricingQuantity.", _list_cost),
        RowRule(
            "contracted-cost",
            "ContractedCost is ContractedUnitPrice x PricingQuantity.",
            _contracted_cost,
        ),
        RowRule(
            "billed-contracted",
            "What is billed is the contracted cost, rounded to the fen.",
            _billed_is_contracted,
        ),
        RowRule(
            "purchase-effective", "A commitment's fee costs nothing yet.", _purchase_is_prepaid
        ),
        RowRule("effective-billed", "Other charges cost what is billed.", _effective_is_billed),
        RowRule(
            "credit-amount",
            "A credit is one amount, below zero; above where it is given back.",
            _credit_is_one_amount,
        ),
        RowRule("service-pair", "A subcategory stands under its own category.", _service_pair),
    ),
    Dataset.INVOICE_DETAIL: (
        _CURRENCY,
        RowRule("detail-period", "A period ends after it starts.", _billing_period),
        RowRule(
            "payment-currency",
            "The same currency is the same amount.",
            _same_in_payment_currency,
        ),
    ),
    Dataset.BILLING_PERIOD: (
        RowRule("billing-period", "A period ends after it starts.", _billing_period),
    ),
    Dataset.CONTRACT_COMMITMENT: (
        _CURRENCY,
        RowRule("contract-period", "A contract ends after it starts.", _commitment_period),
        RowRule(
            "contract-of", "A commitment is of a quantity or of money.", _commitment_of_something
        ),
        RowRule(
            "contract-model",
            "What is counted over a full period is Discontinuous.",
            _full_period_is_discontinuous,
        ),
        RowRule("contract-share", "A share lies between 0 and 1.", _discount_share),
    ),
}
