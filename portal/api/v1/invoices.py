"""Invoices: the list, the document, and the way from a line down to its events."""

from uuid import UUID

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer

from billing.adapters.csv import invoice_csv
from billing.adapters.pdf import invoice_pdf
from billing.documents import InvoiceDetail, LineDetail
from billing.queries.invoices import invoice_detail, unbilled
from billing.queries.pages import invoice_page, line_event_page
from portal.api.endpoint import Call, Download, Endpoint, downloads, reads, says
from portal.api.fields import Amount, InLanguage, Instant, Money, Spoken, Strict
from tenants.permissions import Permission

PDF, CSV = "application/pdf", "text/csv; charset=utf-8"
LANGUAGES = ("en", "zh-hans")


# Output serializers are generic over models this layer must not import.
class InvoiceOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    number = serializers.CharField()
    period_starts_at = Instant(source="period_start")
    period_ends_at = Instant(source="period_end")
    currency = serializers.CharField()
    net = Money()
    tax = Money()
    gross = Money()
    paid = Money()
    credited = Money(help_text=_("What credit notes took back, paid or not."))
    due = Money(help_text=_("Still to be paid, after payments, credit notes and write-offs."))
    state = serializers.CharField(
        help_text=_(
            '"open" while something is to be paid; then "overdue" from due_at on, or before that '
            '"partly_credited" where a credit note took some of it off; "paid" where nothing is '
            'left to pay; "void" where credit notes took back all of it; "written_off" where what '
            "was open is booked as lost."
        )
    )
    issued_at = Instant()
    due_at = Instant(help_text=_("When it has to be paid, by the terms at its issue."))
    content_hash = serializers.CharField()


class CreditPartOut(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.CharField(help_text=_("package, voucher or promo."))
    code = serializers.CharField()
    title = serializers.CharField()
    amount = Money(help_text=_("Money with tax; of a package in its unit."))
    unit = Spoken(help_text=_("Of a package; empty for money."))


class LineOut(serializers.Serializer):  # type: ignore[type-arg]
    number = serializers.IntegerField(source="position")
    kind = serializers.CharField(help_text=_("usage, true_up or adjustment."))
    meter = serializers.CharField()
    sku = serializers.CharField()
    portion = serializers.CharField(help_text=_("Which part of a price with tiers or packages."))
    description = InLanguage("title")
    project = serializers.CharField(source="project_name")
    quantity = Amount(source="amount", help_text=_("In the unit; base_quantity is exact."))
    unit = Spoken(source="display_unit")
    unit_price = Money(source="price_per_unit", help_text=_("Of one unit, net."))
    list_unit_price = Money(
        source="list_price_per_unit", help_text=_("Of one unit, net, before the contract.")
    )
    base_quantity = serializers.IntegerField(source="quantity")
    priced_quantity = serializers.IntegerField(
        help_text=_("What the price was multiplied with, in base units.")
    )
    net = Money()
    tax_rate = Amount()
    tax = Money()
    gross = Money()
    credits = Money(help_text=_("What vouchers and promotional credit paid of it."))
    payable = Money(help_text=_("What was left for the wallet."))
    credit_parts = CreditPartOut(many=True, help_text=_("What each credit did for it."))
    service_from = Instant()
    service_to = Instant()
    is_late = serializers.BooleanField(help_text=_("Use of a period invoiced before."))
    dimensions = serializers.SerializerMethodField(help_text=_("What the line is of."))

    def get_dimensions(self, line: LineDetail) -> dict[str, str]:
        return dict(line.dimensions)


class InvoiceSheetOut(InvoiceOut):
    credits = Money()
    payable = Money()
    credit_parts = CreditPartOut(many=True, help_text=_("What each credit did for it."))
    lines = LineOut(many=True)


class DraftOut(serializers.Serializer):  # type: ignore[type-arg]
    period_starts_at = Instant(
        source="period_start",
        allow_null=True,
        help_text=_("Null where nothing asks for an invoice."),
    )
    until = Instant(help_text=_("When this was computed."))
    currency = serializers.CharField()
    net = Money()
    tax = Money()
    gross = Money()
    credits = Money(help_text=_("What vouchers and promotional credit would pay."))
    payable = Money(help_text=_("What would be left for the wallet."))
    credit_parts = CreditPartOut(many=True, help_text=_("What each credit would do for it."))
    lines = LineOut(many=True)
    unpriced_meters = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("Used without a price; an invoice waits for one."),
    )


class Invoices(Endpoint):
    """What the tenant owes, period by period."""

    @says(_("List the invoices, newest first."))
    @reads(Permission.INVOICE_READ, InvoiceOut, page=True)
    def get(self, call: Call) -> object:
        return invoice_page(actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.page)


class Invoice(Endpoint):
    """One invoice."""

    @says(_("Show one invoice with its lines."))
    @reads(Permission.INVOICE_READ, InvoiceSheetOut)
    def get(self, call: Call, invoice_id: UUID) -> object:
        return _found(call, invoice_id)


class DraftInvoice(Endpoint):
    """The next invoice, before it is issued."""

    @says(_("Show what would be invoiced now, with its lines; it has no number and may change."))
    @reads(Permission.INVOICE_READ, DraftOut)
    def get(self, call: Call) -> object:
        return unbilled(tenant_id=call.tenant_id, until=call.now)


def _found(call: Call, invoice_id: UUID) -> InvoiceDetail:
    return invoice_detail(tenant_id=call.tenant_id, invoice_id=invoice_id, now=call.now)


class LineEventOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # CloudEvents' own name
    subject = serializers.CharField()
    time = Instant(source="at")
    quantity = serializers.IntegerField(help_text=_("Of a correction, the difference it makes."))
    kind = serializers.CharField(help_text=_("usage, correct or void."))
    received_at = Instant()


class LineEvents(Endpoint):
    """The events behind one line."""

    @says(_("List the events of the hours a line was billed for, in order of use."))
    @reads(Permission.INVOICE_READ, LineEventOut, page=True)
    def get(self, call: Call, invoice_id: UUID, number: int) -> object:
        return line_event_page(
            actor=call.actor,
            tenant_id=call.tenant_id,
            invoice_id=invoice_id,
            position=number,
            **call.page,
        )


class LanguageQuery(Strict):
    language = serializers.ChoiceField(
        choices=LANGUAGES, required=False, help_text=_("That of Accept-Language by default.")
    )


def _language(call: Call) -> str:
    return str(call.query.get("language") or get_language() or "en")


class PdfRenderer(BaseRenderer):
    """Named for the sake of content negotiation; the document is made by the domain."""

    media_type = PDF
    format = "pdf"


class CsvRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"


class InvoiceDocument(Endpoint):
    """The invoice as a page to print."""

    renderer_classes = (PdfRenderer,)

    @says(_("Download the invoice as PDF."))
    @downloads(Permission.INVOICE_READ, PDF, query=LanguageQuery)
    def get(self, call: Call, invoice_id: UUID) -> Download:
        invoice = _found(call, invoice_id)
        return Download(f"{invoice.number}.pdf", invoice_pdf(invoice, _language(call)))


class InvoiceLines(Endpoint):
    """The invoice's lines for a spreadsheet."""

    renderer_classes = (CsvRenderer,)

    @says(_("Download the invoice's lines as CSV."))
    @downloads(Permission.INVOICE_READ, CSV, query=LanguageQuery)
    def get(self, call: Call, invoice_id: UUID) -> Download:
        invoice = _found(call, invoice_id)
        return Download(f"{invoice.number}.csv", invoice_csv(invoice, _language(call)))
