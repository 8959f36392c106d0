"""What agreed amounts lack, from what all invoices and the open draft say was spent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.charging import RatedLine
from billing.models import InvoiceLine, LineKind
from billing.money import tax_on
from billing.rating import TaxFact
from billing.trueup import SpendTerm, TrueUp, intervals, true_ups

# Usage of a month is what its charges cost, whichever invoice they stand on.
SPENT = """
SELECT date_trunc('month', charge.service_from AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s,
    sum(line.net)
FROM billing_charge charge JOIN billing_invoiceline line ON line.charge_id = charge.id
WHERE charge.tenant_id = %(tenant)s AND charge.service_from >= %(start)s
    AND charge.service_from < %(end)s
GROUP BY 1
"""
BOOKED = """
SELECT portion::uuid, sum(net) FROM billing_invoiceline
WHERE tenant_id = %(tenant)s AND kind = 'true_up' AND portion = ANY(%(keys)s) GROUP BY 1
"""


@dataclass(frozen=True)
class RatedTrueUp:
    """One true-up with its tax, as a line says it; None where no tax rate covers it."""

    true_up: TrueUp
    tax_rate: Decimal | None
    net: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


def rated_true_ups(
    *,
    tenant_id: UUID,
    terms: Sequence[SpendTerm],
    lines: Iterable[RatedLine],
    taxes: Sequence[TaxFact],
    until: datetime,
) -> tuple[RatedTrueUp, ...]:
    """What the draft up to ``until`` books for intervals that closed; two statements at most."""
    zone = settings.CENTRE_TIME_ZONE
    closed = [one for term in terms for one in intervals(term, zone) if one.counted.end <= until]
    if not closed:
        return ()
    values: dict[str, str | UUID | datetime | list[str]] = {
        "zone": zone,
        "tenant": tenant_id,
        "start": min(one.counted.start for one in closed),
        "end": max(one.counted.end for one in closed),
        "keys": [str(one.key) for one in closed],
    }
    with connection.cursor() as cursor:
        cursor.execute(SPENT, values)
        spent: dict[datetime, Decimal] = dict(cursor.fetchall())
        cursor.execute(BOOKED, values)
        booked: dict[UUID, Decimal] = dict(cursor.fetchall())
    for line in lines:
        month = line.key.running.month_start
        spent[month] = spent.get(month, Decimal(0)) + line.net
    found = true_ups(terms, spent=spent, booked=booked, until=until, zone=zone)
    return tuple(_rated(one, taxes) for one in found)


def _rated(one: TrueUp, taxes: Sequence[TaxFact]) -> RatedTrueUp:
    at, code = one.interval.service.start, one.interval.term.tax_code
    rate = next((tax.rate for tax in taxes if tax.tax_code == code and tax.covers(at)), None)
    tax = tax_on(one.net, rate) if rate is not None else Decimal(0)
    return RatedTrueUp(one, rate, one.net, tax)


TITLES = {
    "minimum": ("Minimum spend not reached", "最低消费差额"),
    "commitment": ("Committed spend not reached", "承诺消费差额"),
}


def true_up_line(rated: RatedTrueUp) -> InvoiceLine:
    """The line that says it, not yet on an invoice.

    Shape: ``portion`` names the interval, so that a later invoice can adjust it.
    """
    interval = rated.true_up.interval
    term = interval.term
    title_en, title_zh = TITLES[term.kind]
    return InvoiceLine(
        kind=LineKind.TRUE_UP,
        portion=str(interval.key),
        sku=f"contract.{term.kind}",
        title_en=f"{title_en}, {term.contract_number}",
        title_zh=f"{title_zh}（{term.contract_number}）",
        service_from=interval.service.start,
        service_to=interval.service.end,
        quantity=0,
        priced_quantity=1 if rated.net >= 0 else -1,
        list_unit_price=abs(rated.net),
        unit_price=abs(rated.net),
        unit_quantity=1,
        tax_code=term.tax_code,
        tax_rate=rated.tax_rate or Decimal(0),
        net=rated.net,
        tax=rated.tax,
        gross=rated.gross,
    )
