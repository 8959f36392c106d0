"""Tax of a bill: one row for each rate, with corrections apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from billing.focus.facts import Bill, CreditedLine, LineFact, Row
from billing.focus.parts import (
    EXACT,
    NOTHING,
    TWELVE_PLACES,
    bill_part,
    costs_part,
    credited_share,
    kind_part,
    other_service,
)
from common.period import Period

USAGE = "usage"


@dataclass(frozen=True)
class TaxKey:
    """What one row of tax is of; ``id`` names it within its bill."""

    code: str
    rate: Decimal
    is_correction: bool

    @property
    def id(self) -> str:
        late = "-correction" if self.is_correction else ""
        return f"tax-{self.code}-{self.rate.normalize():f}{late}"


def is_correction(line: LineFact) -> bool:
    """Whether a line changes what an earlier invoice billed: late use, or use taken back."""
    return line.is_late or line.quantity < 0


def tax_key(line: LineFact) -> TaxKey:
    return TaxKey(line.tax_code, line.tax_rate, is_correction(line))


def credited_tax_key(line: LineFact) -> TaxKey:
    """Whatever a credit note says of a line corrects the invoice it is of."""
    return TaxKey(line.tax_code, line.tax_rate, is_correction=True)


@dataclass
class _TaxSum:
    tax: Decimal
    listed: Decimal
    contracted: Decimal
    period: Period


class Taxes:
    """Sums the tax of a bill by rate, corrections apart."""

    def __init__(self, bill: Bill) -> None:
        self.bill = bill
        self.sums: dict[TaxKey, _TaxSum] = {}

    def add(self, line: LineFact) -> None:
        known = self._sum(tax_key(line), line.period if line.is_late else self.bill.period)
        known.tax += line.tax
        known.listed += _tax_on(line, line.list_unit_price)
        known.contracted += _tax_on(line, line.unit_price)

    def take_back(self, one: CreditedLine) -> None:
        known, share = self._sum(credited_tax_key(one.of), one.of.period), credited_share(one)
        known.tax -= one.tax
        known.listed -= EXACT.multiply(_tax_on(one.of, one.of.list_unit_price), share)
        known.contracted -= EXACT.multiply(_tax_on(one.of, one.of.unit_price), share)

    def _sum(self, key: TaxKey, period: Period) -> _TaxSum:
        known = self.sums.setdefault(key, _TaxSum(NOTHING, NOTHING, NOTHING, period))
        known.period = Period(
            min(known.period.start, period.start), max(known.period.end, period.end)
        )
        return known

    def rows(self) -> Iterator[tuple[Row, Decimal]]:
        for key, one in sorted(self.sums.items(), key=lambda item: item[0].id):
            if not (one.tax or one.listed or one.contracted):
                continue
            yield _tax_row(self.bill, key, one), one.tax


def _tax_on(line: LineFact, unit_price: Decimal) -> Decimal:
    """The tax on what a line would cost at a price; on its net where it has no price."""
    if line.kind != USAGE:
        return EXACT.multiply(line.net, line.tax_rate)
    cost = EXACT.divide(
        EXACT.multiply(unit_price, Decimal(line.priced_quantity)), Decimal(line.unit_quantity)
    )
    return EXACT.multiply(cost, line.tax_rate)


def _tax_row(bill: Bill, key: TaxKey, one: _TaxSum) -> Row:
    return {
        **bill_part(bill),
        **kind_part("Tax", "One-Time", one.period, is_correction=key.is_correction),
        **costs_part(
            billed=one.tax,
            effective=one.tax,
            listed=one.listed.quantize(TWELVE_PLACES, context=EXACT),
            contracted=one.contracted.quantize(TWELVE_PLACES, context=EXACT),
        ),
        **other_service("Value-added tax"),
        "ChargeDescription": f"Value-added tax {EXACT.multiply(key.rate, Decimal(100)):f} %",
        "InvoiceDetailId": None if bill.number is None else key.id,
        "PricingCurrency": bill.currency,
    }
