"""The conformance checker: a good file breaks no rule, and each rule has a row that breaks it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from billing.focus.columns import Dataset, Version
from billing.focus.conformance import Report, check, rule_ids
from billing.focus.facts import Row
from billing.focus.rows import DoesNotAddUp, bill_rows
from tests.factories.focus_rows import (
    BILL,
    DRAWS,
    LINES,
    NUMBER,
    RATES,
    VOUCHER,
    cells_of,
    rows_of,
)

Cells = list[dict[str, str]]
COSTS, DETAILS = Dataset.COST_AND_USAGE, Dataset.INVOICE_DETAIL
PERIODS, CONTRACTS = Dataset.BILLING_PERIOD, Dataset.CONTRACT_COMMITMENT
# The rows of the sample bill, in order.
ON_DEMAND, FEE, USED, LATE, TRUE_UP, UNUSED, TAX, TAX_LATE, VOUCHER_ROW = range(9)


def judged(
    dataset: Dataset, header: list[str], cells: Cells, version: Version = Version.V1_4
) -> Report:
    return check(header, cells, dataset=dataset, version=version, totals={NUMBER: BILL.total})


def told(rows: list[Row]) -> list[tuple[object, ...]]:
    names = ("ChargeCategory", "CommitmentDiscountStatus", "BilledCost", "EffectiveCost")
    return [tuple(row.get(name) for name in names) for row in rows]


def test_the_facts_of_a_bill_become_rows_that_add_up_to_it() -> None:
    rows = rows_of(COSTS)
    assert told(rows) == [
        ("Usage", None, Decimal("75.00"), Decimal("75.00")),
        ("Purchase", None, Decimal("120.00"), Decimal(0)),
        ("Usage", "Used", Decimal("0.00"), Decimal("90.00")),
        ("Usage", None, Decimal("20.00"), Decimal("20.00")),
        ("Adjustment", None, Decimal("10.00"), Decimal("10.00")),
        ("Usage", "Unused", Decimal(0), Decimal("30.00")),
        ("Tax", None, Decimal("12.30"), Decimal("12.30")),
        ("Tax", None, Decimal("1.20"), Decimal("1.20")),
        ("Credit", None, Decimal("-5.82"), Decimal("-5.82")),
        # Nothing is left to round: the sample says one fen more than its lines on purpose.
        ("Adjustment", None, Decimal("0.01"), Decimal("0.01")),
    ]


def test_a_bill_far_from_its_rows_is_refused_and_not_called_rounding() -> None:
    wrong = replace(BILL, total=BILL.total + 1)
    with pytest.raises(DoesNotAddUp, match="ACC-2026-000001"):
        list(bill_rows(wrong, LINES, draws=DRAWS, rates=RATES, credits=[VOUCHER]))


@pytest.mark.parametrize("dataset", list(Dataset))
def test_a_good_file_breaks_no_rule(dataset: Dataset) -> None:
    report = judged(dataset, *cells_of(rows_of(dataset), dataset))
    assert report.findings == []
    assert report.rows == len(rows_of(dataset))


def test_the_same_rows_are_good_in_version_1_2() -> None:
    header, cells = cells_of(rows_of(COSTS), COSTS, Version.V1_2)
    assert judged(COSTS, header, cells, Version.V1_2).findings == []
    assert judged(COSTS, header, cells, Version.V1_4).broken == {
        "column-missing",
        "column-unknown",
    }


@dataclass(frozen=True)
class Wrong:
    """A change to one row, and the one rule that it breaks."""

    rule: str
    row: int
    changes: dict[str, str]
    dataset: Dataset = COSTS

    def __str__(self) -> str:
        return f"{self.rule} {sorted(self.changes)}"


NO_PRICE = {"PricingQuantity": "", "PricingUnit": "", "ListCost": "75.0", "ContractedCost": "75.0"}
WRONGS = [
    Wrong("value-null", ON_DEMAND, {"ServiceName": ""}),
    Wrong("value-allowed", ON_DEMAND, {"ChargeCategory": "Foo"}),
    Wrong("value-decimal", ON_DEMAND, {"BilledCost": "75"}),
    Wrong("value-decimal", ON_DEMAND, {"BilledCost": "1e3"}),
    Wrong("value-time", ON_DEMAND, {"ChargePeriodStart": "2026-11-03 16:00:00"}),
    Wrong("value-time", ON_DEMAND, {"ChargePeriodStart": "2026-11-03T16:00:00+08:00"}),
    Wrong("value-json", ON_DEMAND, {"SkuPriceDetails": "[1]"}),
    Wrong("currency-code", ON_DEMAND, {"PricingCurrency": "yuan"}),
    Wrong("period-order", ON_DEMAND, {"ChargePeriodEnd": "2026-11-03T16:00:00Z"}),
    Wrong(
        "charge-in-time",
        ON_DEMAND,
        {"ChargePeriodStart": "2026-12-03T16:00:00Z", "ChargePeriodEnd": "2026-12-04T16:00:00Z"},
    ),
    Wrong("tax-unpriced", TAX, {"SkuId": "vat"}),
    Wrong("use-priced", ON_DEMAND, NO_PRICE),
    Wrong("use-priced", ON_DEMAND, {"SkuId": "", "SkuMeter": ""}),
    Wrong("use-priced", FEE, {"PricingCategory": ""}),
    Wrong("consumed-by-use", UNUSED, {"ConsumedQuantity": "5.0", "ConsumedUnit": "Hours"}),
    Wrong("consumed-by-use", FEE, {"ConsumedQuantity": "5.0", "ConsumedUnit": "Hours"}),
    Wrong("use-consumes", ON_DEMAND, {"ConsumedQuantity": "", "ConsumedUnit": ""}),
    Wrong("unit-with-quantity", TRUE_UP, {"PricingUnit": "Hours"}),
    Wrong("unit-format", ON_DEMAND, {"PricingUnit": "per hour!"}),
    Wrong("commitment-described", FEE, {"CommitmentDiscountType": ""}),
    Wrong("commitment-described", ON_DEMAND, {"CommitmentDiscountName": "mine"}),
    Wrong("commitment-status", FEE, {"CommitmentDiscountStatus": "Used"}),
    Wrong("commitment-status", USED, {"CommitmentDiscountStatus": ""}),
    Wrong("capacity-status", UNUSED, {"CapacityReservationStatus": ""}),
    Wrong("capacity-status", ON_DEMAND, {"CapacityReservationStatus": "Used"}),
    Wrong("committed-price", USED, {"PricingCategory": "Standard"}),
    Wrong("committed-price", ON_DEMAND, {"PricingCategory": "Committed"}),
    Wrong("unused-resource", UNUSED, {"ResourceId": "other"}),
    Wrong("resource-type", ON_DEMAND, {"ResourceId": "card-1"}),
    Wrong("sub-account", ON_DEMAND, {"SubAccountName": ""}),
    Wrong("region-name", ON_DEMAND, {"RegionId": "bj"}),
    Wrong("sku-price", TRUE_UP, {"SkuPriceDetails": "{}"}),
    Wrong("list-cost", ON_DEMAND, {"ListCost": "80.01"}),
    Wrong("contracted-cost", ON_DEMAND, {"ContractedCost": "75.001"}),
    Wrong("billed-contracted", ON_DEMAND, {"ContractedUnitPrice": "7.4", "ContractedCost": "74.0"}),
    Wrong("purchase-effective", FEE, {"EffectiveCost": "120.0"}),
    Wrong("effective-billed", ON_DEMAND, {"EffectiveCost": "74.0"}),
    Wrong("credit-amount", VOUCHER_ROW, {"ListCost": "0.0"}),
    Wrong("credit-amount", VOUCHER_ROW, {"ChargeClass": "Correction"}),
    Wrong("service-pair", ON_DEMAND, {"ServiceSubcategory": "Generative AI"}),
    Wrong("commitment-unit", FEE, {"CommitmentDiscountUnit": "Seconds"}),
    Wrong("commitment-quantity", UNUSED, {"CommitmentDiscountQuantity": "4.0"}),
    Wrong("commitment-cost", UNUSED, {"EffectiveCost": "29.99"}),
    Wrong("service-category", LATE, {"ServiceName": "Accelerator cards"}),
    Wrong("price-sku", LATE, {"SkuPriceId": "price-1"}),
    Wrong("invoice-currency", TAX, {"BillingCurrency": "USD"}),
    Wrong("invoice-sum", TRUE_UP, {"BilledCost": "11.0", "EffectiveCost": "11.0"}),
    Wrong("invoice-sum", TRUE_UP, {"InvoiceId": "ACC-2026-000009"}),
    Wrong("detail-unique", 1, {"InvoiceDetailId": "line-1"}, DETAILS),
    Wrong("payment-currency", 0, {"PaymentCurrencyBilledCost": "1.0"}, DETAILS),
    Wrong("detail-period", 0, {"BillingPeriodEnd": "2026-10-31T16:00:00Z"}, DETAILS),
    Wrong("billing-period", 0, {"BillingPeriodEnd": "2026-10-31T16:00:00Z"}, PERIODS),
    Wrong("contract-period", 0, {"ContractPeriodEnd": "2026-10-31T16:00:00Z"}, CONTRACTS),
    Wrong("contract-model", 0, {"ContractCommitmentFulfillmentInterval": "Full Period"}, CONTRACTS),
    Wrong("contract-share", 0, {"ContractCommitmentDiscountPercentage": "1.5"}, CONTRACTS),
    Wrong(
        "contract-of",
        0,
        {"ContractCommitmentQuantity": "", "ContractCommitmentCost": ""},
        CONTRACTS,
    ),
]


@pytest.mark.parametrize("wrong", WRONGS, ids=str)
def test_a_wrong_row_breaks_exactly_its_rule(wrong: Wrong) -> None:
    header, cells = cells_of(rows_of(wrong.dataset), wrong.dataset)
    cells[wrong.row] = cells[wrong.row] | wrong.changes
    report = judged(wrong.dataset, header, cells)
    assert report.broken == {wrong.rule}
    # One bad row is found among good ones, and said which.
    assert {finding.row for finding in report.findings} <= {wrong.row + 1, None}


def _twice(header: list[str], cells: Cells) -> None:
    cells.append(cells[-1])


def _without_commitment_quantity(header: list[str], cells: Cells) -> None:
    # Of all rows of the commitment, so that the balance still holds.
    for row in cells:
        if row["CommitmentDiscountId"]:
            row.update(CommitmentDiscountQuantity="", CommitmentDiscountUnit="")


FILES: list[tuple[str, Dataset, Callable[[list[str], Cells], None]]] = [
    ("column-missing", COSTS, lambda header, cells: header.remove("Tags")),
    ("column-unknown", COSTS, lambda header, cells: header.insert(3, "Colour")),
    ("column-twice", COSTS, lambda header, cells: header.insert(3, "Tags")),
    ("column-custom-last", COSTS, lambda header, cells: header.insert(3, "x_Colour")),
    ("commitment-counted", COSTS, _without_commitment_quantity),
    ("period-unique", PERIODS, _twice),
    ("contract-unique", CONTRACTS, _twice),
]


@pytest.mark.parametrize(("rule", "dataset", "spoil"), FILES, ids=[one[0] for one in FILES])
def test_a_wrong_file_breaks_exactly_its_rule(
    rule: str, dataset: Dataset, spoil: Callable[[list[str], Cells], None]
) -> None:
    header, cells = cells_of(rows_of(dataset), dataset)
    spoil(header, cells)
    assert judged(dataset, header, cells).broken == {rule}


def test_every_rule_has_a_row_that_breaks_it() -> None:
    tried = {wrong.rule for wrong in WRONGS} | {rule for rule, _dataset, _spoil in FILES}
    assert rule_ids() == tried


def test_findings_of_a_rule_are_all_counted_and_only_some_are_shown() -> None:
    header, cells = cells_of(rows_of(COSTS), COSTS)
    many = [cells[ON_DEMAND] | {"ChargeCategory": "Foo"}] * 50
    report = judged(COSTS, header, many)
    assert report.counts == {"value-allowed": 50}
    assert len(report.findings) == 20
    assert str(report.findings[0]) == (
        "value-allowed (row 1): This value is not one the column allows: ChargeCategory 'Foo'"
    )
