"""CostAndUsage: a credit note's facts become rows, which take back what an invoice's rows said.

A credit note gives money back and not use, so its rows have costs, no price and no quantity, and
nothing was consumed. Of a whole note they are, with the invoice's own rows, nothing: in billed and
in effective cost.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from billing.focus import services
from billing.focus.commitments import commitment_part
from billing.focus.facts import Bill, CreditedLine, CreditFact, Row
from billing.focus.parts import (
    EXACT,
    FEN,
    NOTHING,
    TWELVE_PLACES,
    bill_part,
    consumed_part,
    costs_part,
    credited_share,
    kind_part,
    priced_costs,
    project_part,
    same_costs,
    sku_part,
)
from billing.focus.rows import adjustment_row, closing_rows
from billing.focus.services import FocusMeter, Role
from billing.focus.taxes import USAGE, Taxes

_UNCOUNTED: Row = {"CommitmentDiscountQuantity": None, "CommitmentDiscountUnit": None}


def note_rows(
    bill: Bill,
    lines: Iterable[CreditedLine],
    *,
    used: Mapping[str, Decimal],
    credits: Iterable[CreditFact] = (),
) -> Iterator[Row]:
    """Every row of one credit note; the lines are read once and none is kept.

    Shape: ``used`` says by commitment how much of what the credited invoice bought of it was used,
    between 0 and 1; ``credits`` are what vouchers and promotional credit got back.
    Raises: DoesNotAddUp.
    """
    taxes, total = Taxes(bill), NOTHING
    for one in lines:
        taxes.take_back(one)
        total -= one.net
        yield from _line_rows(bill, one, used)
    yield from closing_rows(bill, total, taxes, credits)


def _line_rows(bill: Bill, one: CreditedLine, used: Mapping[str, Decimal]) -> Iterator[Row]:
    line = one.of
    if line.kind != USAGE:
        row = adjustment_row(bill, line)
        yield {**row, **same_costs(-one.net), "ChargeClass": "Correction", **_names(one)}
        return
    meter = services.of(line.meter)
    commitment_id = line.dimensions.get(meter.commitment_dimension, "")
    if meter.role is Role.BUYS and commitment_id:
        share = used.get(commitment_id, NOTHING)
        yield from _fee_rows(bill, one, meter, commitment_id, share)
        return
    yield {
        **_money(bill, one, meter, "Usage", "Usage-Based", effective=-one.net),
        **consumed_part(meter, 0),
        "BilledCost": -one.net,
        "PricingCategory": "Standard",
    }


def _fee_rows(
    bill: Bill, one: CreditedLine, meter: FocusMeter, commitment_id: str, used: Decimal
) -> Iterator[Row]:
    """A fee that is not owed after all, and what the hours it bought cost less for it."""
    named: Row = {"ResourceId": commitment_id, "ResourceType": "Commitment", **_UNCOUNTED}
    yield {
        **_money(bill, one, meter, "Purchase", "Recurring", effective=NOTHING),
        **commitment_part(commitment_id, meter, 0, status=None),
        **named,
        "BilledCost": -one.net,
        "PricingCategory": "Standard",
    }
    of_used = EXACT.multiply(one.net, used).quantize(FEN, context=EXACT)
    for status, amount in (("Used", of_used), ("Unused", one.net - of_used)):
        if amount:
            yield {
                **_money(bill, one, meter, "Usage", "Usage-Based", effective=-amount),
                **commitment_part(commitment_id, meter, 0, status=status),
                **(consumed_part(meter, 0) if status == "Used" else {}),
                **named,
                "ListCost": NOTHING,
                "ContractedCost": NOTHING,
                "PricingCategory": "Committed",
            }


def _money(
    bill: Bill,
    one: CreditedLine,
    meter: FocusMeter,
    category: str,
    frequency: str,
    *,
    effective: Decimal,
) -> Row:
    """What rows of metered lines have in common: what was bought, and when, and no quantity."""
    line, share = one.of, credited_share(one)
    listed, contracted = (
        EXACT.multiply(cost, share).quantize(TWELVE_PLACES, context=EXACT)
        for cost in priced_costs(line, line.priced_quantity)
    )
    return {
        **bill_part(bill),
        **kind_part(category, frequency, line.period, is_correction=True),
        **costs_part(billed=NOTHING, effective=effective, listed=-listed, contracted=-contracted),
        **sku_part(line, meter),
        **project_part(line),
        **_names(one),
    }


def _names(one: CreditedLine) -> Row:
    return {"ChargeDescription": f"{one.of.title}: credited", "InvoiceDetailId": one.id}
