"""When an invoice has to be paid: said when it is issued, by the terms that hold then."""

from datetime import datetime, timedelta

from billing.models import Invoice, InvoiceDue
from billing.queries.arrears_terms import terms_of


def due_of(invoice: Invoice, now: datetime) -> InvoiceDue:
    """The due date of an invoice that is being written, not saved yet.

    The invoice knows it from here on, because the date is part of what its hash covers.
    """
    days = terms_of(invoice.tenant_id, now).figures.payment_days
    return InvoiceDue(
        tenant_id=invoice.tenant_id,
        invoice=invoice,
        payment_days=days,
        due_at=now + timedelta(days=days),
    )
