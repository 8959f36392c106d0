"""CostAndUsage: one bill's facts become rows, in the names of FOCUS 1.4.

Shape: a row for each line of the bill, so that ``BilledCost`` is the line's own rounded net; use
inside a reservation is a row for each reservation it drew on; tax is a row for each rate. Their
``BilledCost`` adds up to the bill's total.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from billing.focus import services
from billing.focus.commitments import Ledger, commitment_part, fee_row
from billing.focus.facts import Bill, CreditFact, Draw, LineFact, Rate, Row
from billing.focus.parts import (
    NOTHING,
    bill_part,
    consumed_part,
    costs_part,
    kind_part,
    other_service,
    prices_part,
    project_part,
    same_costs,
    sku_part,
    spread,
)
from billing.focus.services import FocusMeter, Role
from billing.focus.taxes import USAGE, Taxes, is_correction

# More than a fen between a bill and its rows is no rounding.
MOST_RESIDUE = Decimal("0.01")


class DoesNotAddUp(Exception):  # noqa: N818 - a programming error: the facts leave something out
    """A bill is not the sum of its rows; a file that hides the rest would be wrong."""


def bill_rows(
    bill: Bill,
    lines: Iterable[LineFact],
    *,
    draws: Mapping[str, Sequence[Draw]],
    rates: Mapping[str, Rate],
    credits: Iterable[CreditFact] = (),
) -> Iterator[Row]:
    """Every row of one bill; the lines are read once and only those of one charge are kept.

    Shape: the lines of a charge follow one another. ``draws`` says by charge which commitments
    covered use drew on, ``rates`` what those commitments cost that this bill has no fee for.
    """
    ledger, taxes, total = Ledger(bill, rates), Taxes(bill), NOTHING
    for charge, together in groupby(lines, attrgetter("charge")):
        for line, drawn in _divided(list(together), draws.get(charge, ())):
            taxes.add(line)
            total += line.net
            yield from _line_rows(bill, line, drawn, ledger)
    yield from ledger.unused_rows()
    yield from closing_rows(bill, total, taxes, credits)


def closing_rows(
    bill: Bill, total: Decimal, taxes: Taxes, credits: Iterable[CreditFact]
) -> Iterator[Row]:
    """What follows the lines of a bill, whose nets come to ``total``: tax, credits, rounding.

    Raises: DoesNotAddUp.
    """
    for row, amount in taxes.rows():
        total += amount
        yield row
    for credit in credits:
        total += credit.amount
        yield credit_row(bill, credit)
    residue = bill.total - total
    if abs(residue) > MOST_RESIDUE:
        raise DoesNotAddUp(f"{bill.number or 'The draft'}: {residue} of it stand in no row.")
    if residue:
        yield residue_row(bill, residue)


def _divided(
    lines: Sequence[LineFact], draws: Sequence[Draw]
) -> Iterator[tuple[LineFact, Sequence[Draw]]]:
    """Give each line of a charge, tier after tier, its part of what the charge drew; the last line
    has whatever is left, so that nothing is drawn twice or lost.
    """
    left = [draw.quantity for draw in draws]
    for line in lines:
        room, drawn = line.quantity, []
        for place, draw in enumerate(draws):
            part = left[place] if line is lines[-1] else max(min(left[place], room), 0)
            left[place] -= part
            room -= part
            if part:
                drawn.append(replace(draw, quantity=part))
        yield line, drawn


def _line_rows(bill: Bill, line: LineFact, draws: Sequence[Draw], ledger: Ledger) -> Iterator[Row]:
    if line.kind != USAGE:
        yield adjustment_row(bill, line)
        return
    meter = services.of(line.meter)
    commitment_id = line.dimensions.get(meter.commitment_dimension, "")
    if meter.role is Role.BUYS and commitment_id:
        ledger.buy(line, commitment_id)
        yield fee_row(bill, line, meter, commitment_id)
    elif draws:
        yield from _covered_rows(bill, line, draws, ledger)
    else:
        yield usage_row(bill, line, meter)


def category_of(line: LineFact) -> str:
    """The ChargeCategory of a line, the same in every dataset."""
    if line.kind != USAGE:
        return "Adjustment"
    return "Purchase" if services.of(line.meter).role is Role.BUYS else "Usage"


def usage_row(bill: Bill, line: LineFact, meter: FocusMeter) -> Row:
    """Use at a price, as it was billed."""
    return {
        **bill_part(bill),
        **kind_part("Usage", "Usage-Based", line.period, is_correction=is_correction(line)),
        **costs_part(billed=line.net, effective=line.net, listed=NOTHING, contracted=NOTHING),
        **prices_part(line, meter, line.priced_quantity),
        **sku_part(line, meter),
        **project_part(line),
        **consumed_part(meter, line.quantity),
        "ChargeDescription": line.title,
        "PricingCategory": "Standard",
        "InvoiceDetailId": line.id,
    }


def _covered_rows(
    bill: Bill, line: LineFact, draws: Sequence[Draw], ledger: Ledger
) -> Iterator[Row]:
    """A line of covered use, divided by the commitments it drew on; what is left stays a line."""
    meter = services.of(line.meter)
    rest = line.quantity - sum(draw.quantity for draw in draws)
    weights = [*(draw.quantity for draw in draws), rest]
    billed = spread(line.net, weights)
    for draw, amount in zip(draws, billed, strict=False):
        effective = amount + ledger.draw(line, draw)
        yield {
            **usage_row(bill, line, meter),
            **kind_part("Usage", "Usage-Based", draw.period, is_correction=is_correction(line)),
            **prices_part(line, meter, draw.quantity),
            **consumed_part(meter, draw.quantity),
            **commitment_part(draw.commitment_id, meter, draw.quantity, status="Used"),
            "BilledCost": amount,
            "EffectiveCost": effective,
            "PricingCurrencyEffectiveCost": effective,
            "PricingCategory": "Committed",
        }
    if rest or billed[-1]:
        left = {"BilledCost": billed[-1], "EffectiveCost": billed[-1]}
        yield {
            **usage_row(bill, line, meter),
            **prices_part(line, meter, rest),
            **consumed_part(meter, rest),
            **left,
            "PricingCurrencyEffectiveCost": billed[-1],
        }


def adjustment_row(bill: Bill, line: LineFact) -> Row:
    """A true-up or an adjustment: an amount, not a quantity at a price."""
    return {
        **bill_part(bill),
        **kind_part("Adjustment", "One-Time", line.period, is_correction=line.is_late),
        **same_costs(line.net),
        **other_service("Adjustments"),
        **project_part(line),
        "ChargeDescription": line.title,
        "InvoiceDetailId": line.id,
    }


def credit_row(bill: Bill, credit: CreditFact) -> Row:
    """A voucher or a promotional credit: less to pay, whichever cost one looks at; what a credit
    note gives back of one is owed, and paid, no more."""
    return {
        **bill_part(bill),
        **kind_part("Credit", "One-Time", credit.period, is_correction=credit.amount > 0),
        **same_costs(credit.amount),
        **other_service("Credits"),
        "ChargeDescription": credit.description,
        "InvoiceDetailId": credit.id,
    }


def residue_row(bill: Bill, amount: Decimal) -> Row:
    """What a bill says beyond its rows, so that their sum is what is to be paid."""
    return {
        **bill_part(bill),
        **kind_part("Adjustment", "One-Time", bill.period, is_correction=False),
        **same_costs(amount),
        **other_service("Adjustments"),
        "ChargeDescription": "Rounding",
    }
