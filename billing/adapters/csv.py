"""Invoices as CSV, one row a line, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.functional import Promise

from billing.adapters.wording import properties, unit, word
from billing.documents import CreditPart, DraftDetail, InvoiceDetail, LineDetail

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
# What documents that show credits say besides; the last column is the summary's alone, so that the
# other columns still add up to the lines.
CREDIT_COLUMNS = ("credits", "payable", "credit_list", "payment_due", "summary_amount")
# A spreadsheet computes a cell that starts with one of these; an apostrophe makes it text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
ZONE = ZoneInfo("Asia/Shanghai")


def escaped(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_file(
    heading: Iterable[str | Promise], rows: Iterable[Sequence[str]], figures: Collection[int] = ()
) -> bytes:
    """A table in UTF-8 with a mark that spreadsheets know it by; no cell is taken for a formula.

    Shape: ``figures`` are the places of figures of our own making: they are never formulas, so that
    −1.00 stays a number.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(heading)
    for row in rows:
        writer.writerow(
            cell if place in figures else escaped(cell) for place, cell in enumerate(row)
        )
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def invoice_csv(invoice: InvoiceDetail, language: str) -> bytes:
    """The invoice's lines with a heading, in UTF-8 with a mark that spreadsheets know it by.

    Where what is open is not all of the lines, there stand below them what was charged, what each
    credit did, what was paid, and what is left to pay.
    """
    if not invoice.shows_credits:
        return _csv(Table(invoice.number, invoice.currency, COLUMNS), invoice.lines, language)
    columns = (*COLUMNS, *CREDIT_COLUMNS)
    table = Table(invoice.number, invoice.currency, columns, _time(invoice.due_at))
    if not invoice.credit_parts and invoice.due == invoice.gross:
        return _csv(table, invoice.lines, language)
    summary = [Summed("gross_total", invoice.gross), *_credits(invoice.credit_parts)]
    summary += [Summed("payable", invoice.payable), Summed("paid", -invoice.paid_from_wallet)]
    if invoice.credited:
        summary.append(Summed("credited_so_far", -invoice.credited))
    if invoice.written_off:
        summary.append(Summed("written_off", -invoice.written_off))
    if invoice.to_wallet:
        summary.append(Summed("to_wallet", invoice.to_wallet))
    summary.append(Summed("open", invoice.due))
    return _csv(table, invoice.lines, language, summary)


def draft_csv(draft: DraftDetail, language: str) -> bytes:
    """The same of what stands on no invoice yet; the number is left out."""
    table = Table("", draft.currency, (*COLUMNS, *CREDIT_COLUMNS))
    if not draft.credit_parts:
        return _csv(table, draft.lines, language)
    summary = [Summed("gross_total", draft.gross), *_credits(draft.credit_parts)]
    summary.append(Summed("payable", draft.payable))
    return _csv(table, draft.lines, language, summary)


@dataclass(frozen=True)
class Table:
    """What all rows of a file share; a draft has neither number nor due date."""

    number: str
    currency: str
    columns: tuple[str, ...]
    due: str = ""


@dataclass(frozen=True)
class Summed:
    """One row below the lines; ``said`` is what stands beside its name."""

    name: str
    amount: Decimal
    said: str = ""
    unit: str | Promise = ""


def _credits(parts: Iterable[CreditPart]) -> list[Summed]:
    """Money is taken off; what packages covered is a quantity and no money."""
    return [
        Summed(
            f"credit_{part.kind}",
            part.amount if part.is_package else -part.amount,
            f"{part.code} {part.title}".strip(),
            part.unit,
        )
        for part in parts
    ]


def _csv(
    table: Table, lines: Sequence[LineDetail], language: str, summary: Sequence[Summed] = ()
) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([word(column, language) for column in table.columns])
    for line in lines:
        described = " · ".join((line.title(language), *properties(line, language)))
        cells = (
            table.number,
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
            table.currency,
            f"{line.net:.2f}",
            f"{line.tax_rate.normalize():f}",
            f"{line.tax:.2f}",
            f"{line.gross:.2f}",
        )
        if table.columns == COLUMNS:
            writer.writerow([escaped(cell) for cell in cells])
            continue
        paid = (f"{line.credits:.2f}", f"{line.payable:.2f}", _used(line, language), table.due, "")
        writer.writerow(_escaped(table.columns, (*cells, *paid)))
    for row in summary:
        writer.writerow(_escaped(table.columns, _summed(table, row, language)))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _used(line: LineDetail, language: str) -> str:
    """Every credit of a line with what it paid, or how much it covered."""
    return "; ".join(
        " ".join((word(f"credit_{part.kind}", language), part.code, _amount(part, language)))
        for part in line.credit_parts
    )


def _amount(part: CreditPart, language: str) -> str:
    if part.is_package:
        return f"{part.amount.normalize():f} {unit(part.unit, language)}"
    return f"{part.amount:.2f}"


def _summed(table: Table, row: Summed, language: str) -> list[str]:
    said = {
        "number": table.number,
        "description": " ".join(filter(None, (word(row.name, language), row.said))),
        "unit": unit(row.unit, language) if row.unit else "",
        "currency": "" if row.unit else table.currency,
        "payment_due": table.due,
        "summary_amount": f"{row.amount.normalize():f}" if row.unit else f"{row.amount:.2f}",
    }
    return [said.get(column, "") for column in table.columns]


# Figures of our own making are never formulas, so that -1.00 stays a number.
FIGURES = frozenset(
    {"base_quantity", "quantity", "unit_price", "net", "tax", "gross", "credits", "payable"}
    | {"summary_amount"}
)


def _escaped(columns: Sequence[str], cells: Sequence[str]) -> list[str]:
    return [
        cell if column in FIGURES else escaped(cell)
        for column, cell in zip(columns, cells, strict=True)
    ]


def _time(at: datetime) -> str:
    return at.astimezone(ZONE).isoformat(timespec="seconds")
