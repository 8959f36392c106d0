"""Credit notes.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from portal_client.calls import Call, Download, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """``CreditNoteLineOut`` of the API."""

    number: int
    # The number of the invoice's line.
    line: int
    meter: str
    sku: str
    description: str
    project: str
    service_from: datetime
    service_to: datetime
    tax_rate: Decimal
    net: Decimal
    tax: Decimal
    gross: Decimal
    # Whether an adjustment bills it again.
    is_charged_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """``CreditNoteOut`` of the API."""

    id: UUID
    number: str
    invoice_id: UUID
    is_full: bool
    reason: str
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    # Was open and is owed no more.
    from_due: Decimal
    # Was paid and is paid back.
    to_wallet: Decimal
    # Of from_due, what went back to vouchers and credits.
    to_credits: Decimal
    issued_at: datetime
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteSheet:
    """``CreditNoteSheetOut`` of the API."""

    id: UUID
    number: str
    invoice_id: UUID
    is_full: bool
    reason: str
    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    # Was open and is owed no more.
    from_due: Decimal
    # Was paid and is paid back.
    to_wallet: Decimal
    # Of from_due, what went back to vouchers and credits.
    to_credits: Decimal
    issued_at: datetime
    content_hash: str
    invoice_number: str
    lines: tuple[CreditNoteLine, ...]


class CreditNotesApi:
    """The operations of ``/api/v1/credit-notes``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[CreditNote]:
        """List the credit notes, newest first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:invoice:read.
        """
        return self._transport.pages(
            CreditNote, Call("GET", path("credit-notes"), query={"limit": limit}), cursor
        )

    def get(self, note_id: UUID | str) -> CreditNoteSheet:
        """Show one credit note with its lines.

        Scope: billing:invoice:read.
        """
        return self._transport.answer(CreditNoteSheet, Call("GET", path("credit-notes", note_id)))

    def get_document_pdf(
        self, note_id: UUID | str, *, language: Literal["en", "zh-hans"] | None = None
    ) -> Download:
        """Download the credit note as PDF.

        ``language``: That of Accept-Language by default.

        Scope: billing:invoice:read.
        """
        return self._transport.download(
            Call("GET", path("credit-notes", note_id, "document.pdf"), query={"language": language})
        )

    def get_lines_csv(
        self, note_id: UUID | str, *, language: Literal["en", "zh-hans"] | None = None
    ) -> Download:
        """Download the credit note's lines as CSV.

        ``language``: That of Accept-Language by default.

        Scope: billing:invoice:read.
        """
        return self._transport.download(
            Call("GET", path("credit-notes", note_id, "lines.csv"), query={"language": language})
        )
