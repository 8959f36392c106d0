"""Credit notes as the facts that exports are made of."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.focus.facts import CreditedLine
from billing.focus.parts import EXACT
from billing.focus.services import Role, with_role
from billing.models import CreditNote, CreditNoteLine
from billing.queries.focus_draws import invoice_draws
from billing.queries.focus_lines import CHUNK, line_fact
from common.period import Period


def notes_issued(tenant_id: UUID, month: Period) -> tuple[CreditNote, ...]:
    """The credit notes of a month, each with its invoice; one statement."""
    rows = CreditNote.objects.filter(
        tenant_id=tenant_id, issued_at__gte=month.start, issued_at__lt=month.end
    )
    return tuple(rows.select_related("invoice").order_by("issued_at", "pk"))


def credited_lines(note: CreditNote) -> Iterator[CreditedLine]:
    """What a note takes back, line by line, read in portions and not kept."""
    rows = CreditNoteLine.objects.filter(tenant_id=note.tenant_id, credit_note=note)
    ordered = rows.select_related("invoice_line__project").order_by("position")
    for row in ordered.iterator(chunk_size=CHUNK):
        yield CreditedLine(str(row.pk), line_fact(row.invoice_line), row.net, row.tax)


BOUGHT = """
SELECT fee.dimensions ->> %(dimension)s, sum(fee.quantity)::bigint
FROM billing_creditnoteline credited
JOIN billing_invoiceline fee ON fee.id = credited.invoice_line_id AND fee.meter = %(meter)s
    AND fee.dimensions ->> %(dimension)s <> ''
WHERE credited.tenant_id = %(tenant)s AND credited.credit_note_id = %(note)s
GROUP BY 1
"""


def used_shares(note: CreditNote) -> Mapping[str, Decimal]:
    """By commitment whose fee a note takes back, how much of what was bought had been used.

    Shape: between 0 and 1, as the credited invoice says it. One statement a buying meter, and one
    a drawing meter where there is such a fee.
    """
    bought: dict[str, int] = {}
    for meter in with_role(Role.BUYS):
        values: dict[str, UUID | str] = {
            "meter": meter.meter,
            "dimension": meter.commitment_dimension,
            "tenant": note.tenant_id,
            "note": note.pk,
        }
        with connection.cursor() as cursor:
            cursor.execute(BOUGHT, values)
            bought.update(cursor.fetchall())
    if not any(bought.values()):
        return {}
    drawn = dict.fromkeys(bought, 0)
    for draws in invoice_draws(note.invoice).values():
        for draw in draws:
            if draw.commitment_id in drawn:
                drawn[draw.commitment_id] += draw.quantity
    return {
        name: EXACT.divide(Decimal(max(min(drawn[name], quantity), 0)), Decimal(quantity))
        for name, quantity in bought.items()
        if quantity > 0
    }
