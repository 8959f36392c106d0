"""Invoices as CSV, one row a line, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from billing.adapters.wording import unit, word
from billing.documents import DraftDetail, InvoiceDetail, LineDetail

COLUMNS = (
    "number",
    "position",
    "meter",
    "sku",
    "description",
    "project",
    "service_from",
    "service_to",
    "late",
    "base_quantity",
    "quantity",
    "unit",
    "unit_price",
    "currency",
    "net",
    "tax_rate",
    "tax",
    "gross",
)
# A spreadsheet computes a cell that starts with one of these; an apostrophe makes it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
ZONE = ZoneInfo("Asia/Shanghai")


def escaped(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def invoice_csv(invoice: InvoiceDetail, language: str) -> bytes:
    """The invoice's lines with a heading, in UTF-8 with a mark that spreadsheets know it by."""
    return _csv(invoice.number, invoice.currency, invoice.lines, language)


def draft_csv(draft: DraftDetail, language: str) -> bytes:
    """The same of what stands on no invoice yet; the number is left out."""
    return _csv("", draft.currency, draft.lines, language)


def _csv(number: str, currency: str, lines: Sequence[LineDetail], language: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([word(column, language) for column in COLUMNS])
    for line in lines:
        described = " · ".join((line.title(language), *(value for _, value in line.dimensions)))
        cells = (
            number,
            str(line.position),
            line.meter,
            line.sku,
            described,
            line.project_name,
            _time(line.service_from),
            _time(line.service_to),
            word("late", language) if line.is_late else "",
            str(line.quantity),
            f"{line.amount.normalize():f}",
            unit(line.display_unit, language),
            f"{line.price_per_unit.normalize():f}",
            currency,
            f"{line.net:.2f}",
            f"{line.tax_rate.normalize():f}",
            f"{line.tax:.2f}",
            f"{line.gross:.2f}",
        )
        writer.writerow([escaped(cell) for cell in cells])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _time(at: datetime) -> str:
    return at.astimezone(ZONE).isoformat(timespec="seconds")
