"""Rules that rows answer together: sums of an invoice, balances of a commitment, unique names."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import ClassVar

from billing.focus.columns import Dataset
from billing.focus.conformance_rules import Cells, number

NOTHING = Decimal(0)
# One commitment is settled within one bill: an invoice, or the draft of a period.
Settled = tuple[str, str, str]


class Totals:
    """Takes in the rows of a file one by one, and says at the end what does not add up."""

    id: ClassVar[str]
    message: ClassVar[str]

    def __init__(self, totals: Mapping[str, Decimal] | None) -> None:
        self.totals = totals

    def add(self, row: Cells) -> None:
        """Take in one row."""

    def broken(self) -> Iterator[str]:
        """What does not add up, one text each."""
        yield from ()


class InvoiceSum(Totals):
    id = "invoice-sum"
    message = "The rows of an invoice add up to it:"

    def __init__(self, totals: Mapping[str, Decimal] | None) -> None:
        super().__init__(totals)
        self.sums: dict[str, Decimal] = defaultdict(Decimal)

    def add(self, row: Cells) -> None:
        if row.get("InvoiceId"):
            self.sums[row["InvoiceId"]] += number(row, "BilledCost")

    def broken(self) -> Iterator[str]:
        if self.totals is None:
            return
        for invoice, amount in sorted(self.sums.items()):
            if self.totals.get(invoice) != amount:
                yield f"{invoice} is {self.totals.get(invoice)}, its rows are {amount}."


def _settled(row: Cells) -> Settled:
    return row["CommitmentDiscountId"], row.get("InvoiceId", ""), row["BillingPeriodStart"]


class CommitmentQuantity(Totals):
    id = "commitment-quantity"
    message = "Used and unused add up to what was committed:"

    def __init__(self, totals: Mapping[str, Decimal] | None) -> None:
        super().__init__(totals)
        self.left: dict[Settled, Decimal] = defaultdict(Decimal)

    def add(self, row: Cells) -> None:
        if row.get("CommitmentDiscountId"):
            sign = {"Purchase": 1, "Usage": -1}.get(row["ChargeCategory"], 0)
            self.left[_settled(row)] += sign * number(row, "CommitmentDiscountQuantity")

    def broken(self) -> Iterator[str]:
        for (commitment, invoice, start), left in sorted(self.left.items()):
            # Each of the three is rounded to twelve places by itself.
            if abs(left) > Decimal("0.000000001"):
                yield f"{commitment} on {invoice or start}: {left} of it are missing."


class CommitmentCost(Totals):
    id = "commitment-cost"
    message = "The use of a commitment costs effectively what was billed for it:"

    def __init__(self, totals: Mapping[str, Decimal] | None) -> None:
        super().__init__(totals)
        self.left: dict[Settled, Decimal] = defaultdict(Decimal)

    def add(self, row: Cells) -> None:
        if not row.get("CommitmentDiscountId"):
            return
        billed = number(row, "BilledCost")
        if row["ChargeCategory"] == "Purchase":
            self.left[_settled(row)] += billed
        elif row["ChargeCategory"] == "Usage":
            # What covered use is billed by itself is no part of the fee.
            self.left[_settled(row)] -= number(row, "EffectiveCost") - billed

    def broken(self) -> Iterator[str]:
        for (commitment, invoice, start), left in sorted(self.left.items()):
            if left:
                yield f"{commitment} on {invoice or start}: {left} of it are missing."


class OneOf(Totals):
    """Names that always go with the same other value."""

    name: ClassVar[str]
    other: ClassVar[str]

    def __init__(self, totals: Mapping[str, Decimal] | None) -> None:
        super().__init__(totals)
        self.seen: dict[str, set[str]] = defaultdict(set)

    def add(self, row: Cells) -> None:
        if row.get(self.name) and row.get(self.other):
            self.seen[row[self.name]].add(row[self.other])

    def broken(self) -> Iterator[str]:
        for name, others in sorted(self.seen.items()):
            if len(others) > 1:
                yield f"{name} has {', '.join(sorted(others))}."


class ServiceCategory(OneOf):
    id = "service-category"
    message = "A service stands under one category:"
    name, other = "ServiceName", "ServiceCategory"


class PriceSku(OneOf):
    id = "price-sku"
    message = "A price is of one SKU:"
    name, other = "SkuPriceId", "SkuId"


class CommitmentUnit(OneOf):
    id = "commitment-unit"
    message = "A commitment is counted in one unit:"
    name, other = "CommitmentDiscountId", "CommitmentDiscountUnit"


class InvoiceCurrency(OneOf):
    id = "invoice-currency"
    message = "An invoice is in one currency:"
    name, other = "InvoiceId", "BillingCurrency"


class Unique(Totals):
    """Rows whose names stand only once in a file."""

    names: ClassVar[tuple[str, ...]]

    def __init__(self, totals: Mapping[str, Decimal] | None) -> None:
        super().__init__(totals)
        self.seen: Counter[tuple[str, ...]] = Counter()

    def add(self, row: Cells) -> None:
        self.seen[tuple(row[name] for name in self.names)] += 1

    def broken(self) -> Iterator[str]:
        for names, times in sorted(self.seen.items()):
            if times > 1:
                yield f"{' '.join(names)} stands there {times} times."


class DetailUnique(Unique):
    id = "detail-unique"
    message = "An invoice's detail has an id of its own:"
    names = ("InvoiceId", "InvoiceDetailId")


class PeriodUnique(Unique):
    id = "period-unique"
    message = "An issuer's period is stated once:"
    names = ("InvoiceIssuerName", "BillingPeriodStart", "BillingPeriodEnd")


class ContractUnique(Unique):
    id = "contract-unique"
    message = "A commitment is stated once:"
    names = ("ContractCommitmentId",)


SUM_RULES: Mapping[Dataset, tuple[type[Totals], ...]] = {
    Dataset.COST_AND_USAGE: (
        InvoiceSum,
        CommitmentQuantity,
        CommitmentCost,
        ServiceCategory,
        PriceSku,
        CommitmentUnit,
        InvoiceCurrency,
    ),
    Dataset.INVOICE_DETAIL: (InvoiceSum, DetailUnique, InvoiceCurrency),
    Dataset.BILLING_PERIOD: (PeriodUnique,),
    Dataset.CONTRACT_COMMITMENT: (ContractUnique,),
}
