"""Invoices and their lines as the facts that exports are made of."""

from collections.abc import Iterator, Mapping

from django.conf import settings

from billing.focus.facts import LineFact
from billing.models import Invoice, InvoiceLine
from common.period import Period

CHUNK = 2000


def issued_lines(invoice: Invoice) -> Iterator[LineFact]:
    """The lines of an invoice in their order, read in portions and not kept."""
    rows = InvoiceLine.objects.filter(tenant_id=invoice.tenant_id, invoice=invoice)
    for line in rows.select_related("project").order_by("position").iterator(chunk_size=CHUNK):
        yield line_fact(line)


def line_fact(line: InvoiceLine) -> LineFact:
    """One line; ask for its project with it."""
    return LineFact(
        id=str(line.pk),
        charge=str(line.charge_id),
        kind=line.kind,
        meter=line.meter,
        sku=line.sku,
        price_id=str(line.price_id),
        title=full_title(line.title_en, line.dimensions),
        portion=line.portion,
        project_code=line.project.code if line.project is not None else "",
        project_name=line.project_name,
        dimensions=line.dimensions,
        period=Period(line.service_from, line.service_to),
        is_late=line.is_late,
        quantity=line.quantity,
        priced_quantity=line.priced_quantity,
        list_unit_price=line.list_unit_price,
        unit_price=line.unit_price,
        unit_quantity=line.unit_quantity,
        tax_code=line.tax_code,
        tax_rate=line.tax_rate,
        net=line.net,
        tax=line.tax,
    )


def full_title(title: str, dimensions: Mapping[str, str]) -> str:
    return " - ".join((title, *(dimensions[name] for name in sorted(dimensions))))


def seller() -> str:
    """Who issues the next invoice."""
    return settings.INVOICE_SELLER_NAME or settings.INVOICE_ISSUER
