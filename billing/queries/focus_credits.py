"""What vouchers and promotional credit paid of invoices, and what credit notes gave them back.

An invoice is exported as it was issued, for ever: what a credit got back later stands on the
credit note that gave it back. Packages cover quantities and claims are the city's business; neither
pays anything of an invoice.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection
from django.db.models import Min, Sum

from billing.focus.facts import CreditFact
from billing.models import CreditKind, CreditNote, CreditUse, Invoice, UseKind
from common.period import Period

Credits = Mapping[UUID, Sequence[CreditFact]]


def credits_paid(invoices: Sequence[Invoice]) -> Credits:
    """By invoice, what each credit paid when it was issued; one statement."""
    periods = {one.pk: Period(one.period_start, one.period_end) for one in invoices}
    found: dict[UUID, list[CreditFact]] = {}
    if not periods:
        return found
    uses = (
        CreditUse.objects.filter(invoice_line__invoice_id__in=periods, kind=UseKind.USE)
        .exclude(lot__kind=CreditKind.PACKAGE)
        .values_list("invoice_line__invoice_id", "lot__code", "lot__title")
        .annotate(paid=Sum("amount"), place=Min("sequence"))
        .order_by("place", "lot__code")
    )
    for invoice_id, code, title, paid, _place in uses:
        fact = CreditFact(f"credit-{code}", f"{title} ({code})", -paid, periods[invoice_id])
        found.setdefault(invoice_id, []).append(fact)
    return found


# A note tells the credits of each line that it takes money off, once; so the n-th note of a line
# is what the credits were told the n-th time.
RETURNED = """
WITH credited AS (
    SELECT invoice_line_id FROM billing_creditnoteline WHERE credit_note_id = ANY(%(notes)s)
)
SELECT told.credit_note_id, lot.code, lot.title, -sum(back.amount)
FROM (
    SELECT credit_note_id, invoice_line_id,
        row_number() OVER (PARTITION BY invoice_line_id ORDER BY id) AS place
    FROM billing_creditnoteline
    WHERE gross > 0 AND invoice_line_id IN (SELECT invoice_line_id FROM credited)
) told
JOIN (
    SELECT id, invoice_line_id,
        row_number() OVER (PARTITION BY invoice_line_id ORDER BY id) AS place
    FROM billing_creditrestore
    WHERE key LIKE 'line:%%' AND invoice_line_id IN (SELECT invoice_line_id FROM credited)
) restore ON restore.invoice_line_id = told.invoice_line_id AND restore.place = told.place
JOIN billing_credituse back ON back.restore_id = restore.id
JOIN billing_credituse paid ON paid.id = back.restores_id AND paid.kind = %(used)s
JOIN billing_creditlot lot ON lot.id = back.lot_id
WHERE told.credit_note_id = ANY(%(notes)s)
GROUP BY 1, 2, 3 ORDER BY min(back.sequence), 2
"""


def credits_returned(notes: Sequence[CreditNote]) -> Credits:
    """By credit note, what each credit got back; one statement. Ask for the invoices with them."""
    periods = {one.pk: Period(one.invoice.period_start, one.invoice.period_end) for one in notes}
    found: dict[UUID, list[CreditFact]] = {}
    if not periods:
        return found
    with connection.cursor() as cursor:
        cursor.execute(RETURNED, {"notes": list(periods), "used": UseKind.USE.value})
        for note_id, code, title, back in cursor.fetchall():
            fact = CreditFact(f"credit-{code}", f"{title} ({code})", back, periods[note_id])
            found.setdefault(note_id, []).append(fact)
    return found
