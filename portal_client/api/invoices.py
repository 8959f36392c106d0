"""Invoices.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from portal_client.calls import Call, Download, Pages, body_of, key_for, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPart:
    """``CreditPartOut`` of the API."""

    # package, voucher or promo.
    kind: str
    code: str
    title: str
    # Money with tax; of a package in its unit.
    amount: Decimal
    # Of a package; empty for money.
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """``DisputeOut`` of the API."""

    id: UUID
    invoice_id: UUID
    # The number of the invoice's line.
    line: int
    # open, accepted, rejected or withdrawn.
    state: str
    reason: str
    opened_at: datetime
    opened_by: str
    # What the centre said; empty while it is open.
    answer: str
    answered_at: datetime | None
    # What gave the line back, where it was accepted.
    credit_note_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """``LineOut`` of the API."""

    number: int
    # usage, true_up or adjustment.
    kind: str
    meter: str
    sku: str
    # Which part of a price with tiers or packages.
    portion: str
    description: str
    project: str
    # In the unit; base_quantity is exact.
    quantity: Decimal
    unit: str
    # Of one unit, net.
    unit_price: Decimal
    # Of one unit, net, before the contract.
    list_unit_price: Decimal
    base_quantity: int
    # What the price was multiplied with, in base units.
    priced_quantity: int
    net: Decimal
    tax_rate: Decimal
    tax: Decimal
    gross: Decimal
    # What vouchers and promotional credit paid of it.
    credits: Decimal
    # What was left for the wallet.
    payable: Decimal
    # What each credit did for it.
    credit_parts: tuple[CreditPart, ...]
    service_from: datetime
    service_to: datetime
    # Use of a period invoiced before.
    is_late: bool
    # What the line is of.
    dimensions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """``DraftOut`` of the API."""

    # Null where nothing asks for an invoice.
    period_starts_at: datetime | None
    # When this was computed.
    until: datetime
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    # What vouchers and promotional credit would pay.
    credits: Decimal
    # What would be left for the wallet.
    payable: Decimal
    # What each credit would do for it.
    credit_parts: tuple[CreditPart, ...]
    lines: tuple[Line, ...]
    # Used without a price; an invoice waits for one.
    unpriced_meters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """``InvoiceOut`` of the API."""

    id: UUID
    number: str
    period_starts_at: datetime
    period_ends_at: datetime
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    paid: Decimal
    # What credit notes took back, paid or not.
    credited: Decimal
    # Still to be paid, after payments, credit notes and write-offs.
    due: Decimal
    # "open" while something is to be paid; then "overdue" from due_at on, or before that
    # "partly_credited" where a credit note took some of it off; "paid" where nothing is left to
    # pay; "void" where credit notes took back all of it; "written_off" where what was open is
    # booked as lost.
    state: str
    issued_at: datetime
    # When it has to be paid, by the terms at its issue.
    due_at: datetime
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSheet:
    """``InvoiceSheetOut`` of the API."""

    id: UUID
    number: str
    period_starts_at: datetime
    period_ends_at: datetime
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    paid: Decimal
    # What credit notes took back, paid or not.
    credited: Decimal
    # Still to be paid, after payments, credit notes and write-offs.
    due: Decimal
    # "open" while something is to be paid; then "overdue" from due_at on, or before that
    # "partly_credited" where a credit note took some of it off; "paid" where nothing is left to
    # pay; "void" where credit notes took back all of it; "written_off" where what was open is
    # booked as lost.
    state: str
    issued_at: datetime
    # When it has to be paid, by the terms at its issue.
    due_at: datetime
    content_hash: str
    credits: Decimal
    payable: Decimal
    # What each credit did for it.
    credit_parts: tuple[CreditPart, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEvent:
    """``LineEventOut`` of the API."""

    id: str
    source: str
    subject: str
    time: datetime
    # Of a correction, the difference it makes.
    quantity: int
    # usage, correct or void.
    kind: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """``UseOut`` of the API."""

    # The number of the invoice's line.
    line: int
    # Its place in the order of payment.
    sequence: int
    # The credit's code.
    credit: str
    credit_kind: str
    # use, claim or restore.
    kind: str
    # Money with tax; a package's in base units of its meter.
    amount: Decimal
    share: Decimal
    origin: str
    used_at: datetime


class InvoicesApi:
    """The operations of ``/api/v1/invoices``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Invoice]:
        """List the invoices, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:invoice:read.
        """
        return self._transport.pages(
            Invoice, Call("GET", path("invoices"), query={"limit": limit}), cursor
        )

    def get_draft(self) -> Draft:
        """Show what would be invoiced now, with its lines; it has no number and may change.

        Scope: billing:invoice:read.
        """
        return self._transport.answer(Draft, Call("GET", path("invoices", "draft")))

    def get(self, invoice_id: UUID | str) -> InvoiceSheet:
        """Show one invoice with its lines.

        Scope: billing:invoice:read.
        """
        return self._transport.answer(InvoiceSheet, Call("GET", path("invoices", invoice_id)))

    def list_credits(
        self, invoice_id: UUID | str, *, cursor: str | None = None, limit: int | None = None
    ) -> Pages[Use]:
        """List the uses of credits on an invoice, in the order they paid.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:invoice:read.
        """
        return self._transport.pages(
            Use,
            Call("GET", path("invoices", invoice_id, "credits"), query={"limit": limit}),
            cursor,
        )

    def list_disputes(
        self, invoice_id: UUID | str, *, cursor: str | None = None, limit: int | None = None
    ) -> Pages[Dispute]:
        """List the objections to an invoice, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:invoice:read.
        """
        return self._transport.pages(
            Dispute,
            Call("GET", path("invoices", invoice_id, "disputes"), query={"limit": limit}),
            cursor,
        )

    def disputes(
        self, invoice_id: UUID | str, *, line: int, reason: str, idempotency_key: str | None = None
    ) -> Dispute:
        """Object to one line; nothing is owed less before the centre accepts it.

        ``line``: The number of the invoice's line.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: billing:dispute:open.
        """
        return self._transport.answer(
            Dispute,
            Call(
                "POST",
                path("invoices", invoice_id, "disputes"),
                body=body_of({"line": line, "reason": reason}, {}),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def disputes_withdraw(
        self, invoice_id: UUID | str, dispute_id: UUID | str, *, idempotency_key: str | None = None
    ) -> Dispute:
        """Take an objection back before it is answered.

        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: billing:dispute:open.
        """
        return self._transport.answer(
            Dispute,
            Call(
                "POST",
                path("invoices", invoice_id, "disputes", dispute_id, "withdraw"),
                key=key_for(idempotency_key),
            ),
        )

    def get_document_pdf(
        self, invoice_id: UUID | str, *, language: Literal["en", "zh-hans"] | None = None
    ) -> Download:
        """Download the invoice as PDF.

        ``language``: That of Accept-Language by default.

        Scope: billing:invoice:read.
        """
        return self._transport.download(
            Call("GET", path("invoices", invoice_id, "document.pdf"), query={"language": language})
        )

    def get_lines_csv(
        self, invoice_id: UUID | str, *, language: Literal["en", "zh-hans"] | None = None
    ) -> Download:
        """Download the invoice's lines as CSV.

        ``language``: That of Accept-Language by default.

        Scope: billing:invoice:read.
        """
        return self._transport.download(
            Call("GET", path("invoices", invoice_id, "lines.csv"), query={"language": language})
        )

    def list_lines_events(
        self,
        invoice_id: UUID | str,
        number: int,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Pages[LineEvent]:
        """List the events of the hours a line was billed for, in order of use.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:invoice:read.
        """
        return self._transport.pages(
            LineEvent,
            Call(
                "GET",
                path("invoices", invoice_id, "lines", number, "events"),
                query={"limit": limit},
            ),
            cursor,
        )
