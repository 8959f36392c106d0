"""Commitments of a bill: hours bought, hours used, and hours that nobody used.

A reservation's fee is a Purchase that is billed; its hours are Usage that is not, and carry the
fee as effective cost. Of what was bought, ``used`` is what charges drew on it and ``unused`` the
rest, so that the two always add up to what was bought, and their effective costs to the fee.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from billing.focus import services
from billing.focus.facts import Bill, Draw, LineFact, Rate, Row
from billing.focus.parts import (
    EXACT,
    FEN,
    NOTHING,
    bill_part,
    costs_part,
    kind_part,
    prices_part,
    project_part,
    ratio,
    sku_part,
)
from billing.focus.services import FocusMeter
from common.period import Period, month_of


class Part(NamedTuple):
    """What of a commitment is settled together: its month, and apart what came in late."""

    commitment_id: str
    month_start: datetime
    is_late: bool


@dataclass
class Balance:
    """What was bought and used of one part while a bill is read."""

    bought: int = 0
    fee: Decimal = NOTHING
    used: int = 0
    effective: Decimal = NOTHING
    # The line whose prices and names the unused rest is written with: the fee's, where it has one.
    line: LineFact | None = None
    periods: list[Period] = field(default_factory=list)


class Ledger:
    """Takes in a bill's fees and draws, and gives the rows of what was left unused at the end."""

    def __init__(self, bill: Bill, rates: Mapping[str, Rate]) -> None:
        self.bill = bill
        self.rates = dict(rates)
        self.parts: dict[Part, Balance] = {}

    def buy(self, line: LineFact, commitment_id: str) -> None:
        balance = self._balance(commitment_id, line.period, is_late=line.is_late)
        balance.bought += line.quantity
        balance.fee += line.net
        balance.line = line
        balance.periods.append(line.period)
        self.rates.setdefault(commitment_id, Rate(line.unit_price, line.unit_quantity))

    def draw(self, line: LineFact, draw: Draw) -> Decimal:
        """Note what was used; gives the share of the fee that it carries, in whole fen."""
        balance = self._balance(draw.commitment_id, draw.period, is_late=line.is_late)
        rate = self.rates.get(draw.commitment_id)
        effective = NOTHING if rate is None else _share(rate, draw.quantity)
        balance.used += draw.quantity
        balance.effective += effective
        balance.line = balance.line or line
        balance.periods.append(draw.period)
        return effective

    def _balance(self, commitment_id: str, period: Period, *, is_late: bool) -> Balance:
        month = month_of(period.start, self.bill.zone).start
        return self.parts.setdefault(Part(commitment_id, month, is_late), Balance())

    def unused_rows(self) -> Iterator[Row]:
        """One row for each part whose hours or money were not all used up."""
        for part, balance in sorted(self.parts.items(), key=lambda item: item[0]):
            left, cost = balance.bought - balance.used, balance.fee - balance.effective
            if (left or cost) and balance.line is not None:
                yield _unused(self.bill, part, balance, balance.line)


def _share(rate: Rate, quantity: int) -> Decimal:
    exact = EXACT.divide(
        EXACT.multiply(rate.unit_price, Decimal(quantity)), Decimal(rate.unit_quantity)
    )
    return exact.quantize(FEN, context=EXACT)


def fee_row(bill: Bill, line: LineFact, meter: FocusMeter, commitment_id: str) -> Row:
    """The fee of a commitment, as it is billed; what it costs effectively stands with its use."""
    return {
        **bill_part(bill),
        **kind_part("Purchase", "Recurring", line.period, is_correction=_corrects(line)),
        **costs_part(billed=line.net, effective=NOTHING, listed=NOTHING, contracted=NOTHING),
        **prices_part(line, meter, line.priced_quantity),
        **sku_part(line, meter),
        **project_part(line),
        **commitment_part(commitment_id, meter, line.quantity, status=None),
        "ChargeDescription": line.title,
        "PricingCategory": "Standard",
        "InvoiceDetailId": line.id,
        "ResourceId": commitment_id,
        "ResourceType": "Commitment",
    }


def commitment_part(
    commitment_id: str, meter: FocusMeter, quantity: int, status: str | None
) -> Row:
    """A reservation is both a commitment and cards set aside, under one id."""
    return {
        "CommitmentDiscountId": commitment_id,
        "CommitmentDiscountCategory": "Usage",
        "CommitmentDiscountType": "Reserved Capacity",
        "CommitmentDiscountQuantity": ratio(quantity, meter.divisor),
        "CommitmentDiscountUnit": meter.unit,
        "CommitmentDiscountStatus": status,
        "CapacityReservationId": commitment_id,
        "CapacityReservationStatus": status,
    }


def _unused(bill: Bill, part: Part, balance: Balance, line: LineFact) -> Row:
    meter = services.of(line.meter)
    left = balance.bought - balance.used
    period = Period(
        min(one.start for one in balance.periods), max(one.end for one in balance.periods)
    )
    free = _at_no_price(prices_part(line, meter, left))
    return {
        **bill_part(bill),
        **kind_part("Usage", "Usage-Based", period, is_correction=part.is_late),
        **costs_part(
            billed=NOTHING,
            effective=balance.fee - balance.effective,
            listed=NOTHING,
            contracted=NOTHING,
        ),
        **free,
        **sku_part(line, meter),
        **project_part(line),
        **commitment_part(part.commitment_id, meter, left, status="Unused"),
        "ChargeDescription": f"{line.title}: not used",
        "PricingCategory": "Committed",
        "InvoiceDetailId": line.id,
        "ResourceId": part.commitment_id,
        "ResourceType": "Commitment",
    }


def _at_no_price(row: Row) -> Row:
    """The hours were paid for by the fee: their own price is nothing."""
    costs = {name for name in row if name.endswith(("Price", "Cost"))}
    return {name: NOTHING if name in costs else value for name, value in row.items()}


def _corrects(line: LineFact) -> bool:
    return line.is_late or line.quantity < 0
