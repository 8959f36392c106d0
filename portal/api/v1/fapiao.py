"""Fapiao and credit notes: the list, asking for one, and the documents of corrections."""

from typing import Any
from uuid import UUID

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.adapters.sheets import credit_note_csv, credit_note_pdf
from billing.commands.fapiao import MOST_COVERED, request_fapiao, save_tax_profile
from billing.queries.corrections import note_detail, note_page
from billing.queries.fapiao import fapiao_of, fapiao_page, tax_profile
from common.errors import NotFound
from portal.api.endpoint import Call, Download, Endpoint, downloads, posts, reads, replaces, says
from portal.api.fields import Amount, Identifier, InLanguage, Instant, Money, Strict, Text
from portal.api.v1.invoices import CSV, PDF, CsvRenderer, LanguageQuery, PdfRenderer
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class FapiaoOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    serial = serializers.CharField()
    number = serializers.CharField(help_text=_("Twenty digits once it is issued, else empty."))
    kind = serializers.CharField()
    direction = serializers.CharField(help_text=_("blue, or red for one that takes another back."))
    state = serializers.CharField()
    currency = serializers.CharField()
    net = Money()
    tax = Money()
    gross = Money()
    gross_words = serializers.CharField()
    requested_at = Instant()
    issued_at = Instant(allow_null=True)
    original_number = serializers.SerializerMethodField(
        help_text=_("The number of the fapiao that a red letter takes back.")
    )
    failure = serializers.CharField()

    def get_original_number(self, fapiao: Any) -> str:
        return fapiao.original.number if fapiao.original is not None else ""


class FapiaoLineOut(serializers.Serializer):  # type: ignore[type-arg]
    goods_code = serializers.CharField()
    item = serializers.CharField()
    unit = serializers.CharField()
    quantity = Amount()
    price = Amount()
    net = Money()
    tax_rate = Amount()
    tax = Money()
    gross = Money()


class FapiaoSheetOut(FapiaoOut):
    buyer_name = serializers.CharField()
    buyer_tax_number = serializers.CharField()
    lines = FapiaoLineOut(many=True, source="lines.all")


class FapiaoIn(Strict):
    invoices = serializers.ListField(
        child=Identifier(),
        min_length=1,
        max_length=MOST_COVERED,
        help_text=_("Invoices, or top-ups where the tenant's fapiao stand for those."),
    )
    remark = Text(max_length=200, required=False, allow_blank=True, default="")


class FapiaoList(Endpoint):
    """The tenant's tax documents."""

    @says(_("List the fapiao, newest first."))
    @reads(Permission.FAPIAO_READ, FapiaoOut, page=True)
    def get(self, call: Call) -> object:
        return fapiao_page(actor=call.actor, tenant_id=call.tenant_id, **call.page)

    @says(_("Ask for one fapiao over all that is left of some invoices."))
    @posts(Permission.FAPIAO_REQUEST, FapiaoIn, FapiaoOut)
    def post(self, call: Call) -> object:
        return request_fapiao(
            actor=call.actor,
            tenant_id=call.tenant_id,
            wanted=call.body["invoices"],
            remark=call.body["remark"],
            now=call.now,
        )


class Fapiao(Endpoint):
    """One fapiao."""

    @says(_("Show one fapiao with its lines."))
    @reads(Permission.FAPIAO_READ, FapiaoSheetOut)
    def get(self, call: Call, fapiao_id: UUID) -> object:
        return fapiao_of(actor=call.actor, tenant_id=call.tenant_id, fapiao_id=fapiao_id)


class TaxProfileOut(serializers.Serializer):  # type: ignore[type-arg]
    buyer_name = serializers.CharField()
    kind = serializers.CharField(help_text=_("digital_ordinary or digital_special."))
    tax_number = serializers.CharField(help_text=_("A unified social credit code, or empty."))
    address_phone = serializers.CharField()
    bank_account = serializers.CharField()
    basis = serializers.CharField(
        help_text=_("What fapiao stand for, as the centre said: on_consumption or on_topup.")
    )
    updated_at = Instant()


class TaxProfileIn(Strict):
    buyer_name = Text(max_length=200)
    kind = serializers.ChoiceField(choices=["digital_ordinary", "digital_special"])
    tax_number = Text(
        max_length=18,
        default="",
        allow_blank=True,
        help_text=_("A unified social credit code; a special VAT fapiao needs it."),
    )
    address_phone = Text(max_length=200, default="", allow_blank=True)
    bank_account = Text(max_length=200, default="", allow_blank=True)


class TaxProfile(Endpoint):
    """Whom the tenant's fapiao are made out to."""

    @says(_("Show the tax profile; there is none before it is first said."))
    @reads(Permission.FAPIAO_READ, TaxProfileOut, may_be_missing=True)
    def get(self, call: Call) -> object:
        found = tax_profile(actor=call.actor, tenant_id=call.tenant_id)
        if found is None:
            raise NotFound
        return found

    @says(_("Say the tax profile anew, all of it; fapiao already asked for keep what they say."))
    @replaces(Permission.FAPIAO_REQUEST, TaxProfileIn, TaxProfileOut)
    def put(self, call: Call) -> object:
        return save_tax_profile(
            actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.body
        )


class CreditNoteOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    number = serializers.CharField()
    invoice_id = serializers.UUIDField()
    is_full = serializers.BooleanField()
    reason = serializers.CharField()
    currency = serializers.CharField()
    net = Money()
    tax = Money()
    gross = Money()
    from_due = Money(help_text=_("Was open and is owed no more."))
    to_wallet = Money(help_text=_("Was paid and is paid back."))
    to_credits = Money(help_text=_("Of from_due, what went back to vouchers and credits."))
    issued_at = Instant()
    content_hash = serializers.CharField()


class CreditNoteLineOut(serializers.Serializer):  # type: ignore[type-arg]
    number = serializers.IntegerField(source="position")
    line = serializers.IntegerField(
        source="of.position", help_text=_("The number of the invoice's line.")
    )
    meter = serializers.CharField(source="of.meter")
    sku = serializers.CharField(source="of.sku")
    description = InLanguage("title", source="of")
    project = serializers.CharField(source="of.project_name")
    service_from = Instant(source="of.service_from")
    service_to = Instant(source="of.service_to")
    tax_rate = Amount(source="of.tax_rate")
    net = Money()
    tax = Money()
    gross = Money()
    is_charged_again = serializers.BooleanField(
        source="rebilled", help_text=_("Whether an adjustment bills it again.")
    )


class CreditNoteSheetOut(CreditNoteOut):
    invoice_number = serializers.CharField()
    lines = CreditNoteLineOut(many=True)


class CreditNotes(Endpoint):
    """What was taken back of invoices."""

    @says(_("List the credit notes, newest first."))
    @reads(Permission.INVOICE_READ, CreditNoteOut, page=True)
    def get(self, call: Call) -> object:
        return note_page(actor=call.actor, tenant_id=call.tenant_id, **call.page)


class CreditNote(Endpoint):
    """One credit note."""

    @says(_("Show one credit note with its lines."))
    @reads(Permission.INVOICE_READ, CreditNoteSheetOut)
    def get(self, call: Call, note_id: UUID) -> object:
        return note_detail(actor=call.actor, tenant_id=call.tenant_id, note_id=note_id)


class CreditNoteDocument(Endpoint):
    """The credit note as a page to print."""

    renderer_classes = (PdfRenderer,)

    @says(_("Download the credit note as PDF."))
    @downloads(Permission.INVOICE_READ, PDF, query=LanguageQuery)
    def get(self, call: Call, note_id: UUID) -> Download:
        note = note_detail(actor=call.actor, tenant_id=call.tenant_id, note_id=note_id)
        return Download(f"{note.number}.pdf", credit_note_pdf(note, _language(call)))


class CreditNoteLines(Endpoint):
    """The credit note's lines for a spreadsheet."""

    renderer_classes = (CsvRenderer,)

    @says(_("Download the credit note's lines as CSV."))
    @downloads(Permission.INVOICE_READ, CSV, query=LanguageQuery)
    def get(self, call: Call, note_id: UUID) -> Download:
        note = note_detail(actor=call.actor, tenant_id=call.tenant_id, note_id=note_id)
        return Download(f"{note.number}.csv", credit_note_csv(note, _language(call)))


def _language(call: Call) -> str:
    return str(call.query.get("language") or get_language() or "en")
