"""Credit notes and account statements as PDF and CSV, in either language."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typst

from billing.adapters.csv import csv_file
from billing.adapters.pdf import FONTS, ZONE, printable
from billing.adapters.wording import movement, properties, word, words
from billing.queries.account_statement import AccountStatement, StatementEntry
from billing.queries.corrections import NoteDetail, NoteLine

TEMPLATE = Path(__file__).parent / "sheet.typ"
Cell = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A heading; ``wide`` takes the room that is left."""

    name: str
    align: str = "left"
    wide: bool = False


@dataclass(frozen=True)
class Sheet:
    """One page's worth of words and figures. Cells are a first line and smaller ones under it."""

    title: str
    number: str
    language: str
    seller_name: str
    issued_at: datetime
    facts: tuple[tuple[tuple[str, str], ...], ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[tuple[str, str, bool], ...]
    currency: str
    note: str
    content_hash: str = ""


def credit_note_pdf(note: NoteDetail, language: str) -> bytes:
    """The credit note as a page to print; the same note gives the same bytes each time."""

    def say(name: str) -> str:
        return word(name, language)

    about = (
        (say("credited_of"), note.invoice_number),
        (say("issued"), _time(note.issued_at)),
        (say("reason"), printable(note.reason)),
    )
    totals = [
        (say("net"), _money(note.net), False),
        (say("tax"), _money(note.tax), False),
        (say("credited_total"), _money(note.gross), True),
        (say("from_due"), _money(note.from_due), False),
        (say("to_wallet"), _money(note.to_wallet), False),
    ]
    if note.to_credits:
        totals.append((say("to_credits"), _money(note.to_credits), False))
    columns = (
        Column(say("position"), "right"),
        Column(say("description"), wide=True),
        Column(say("credited_of_line"), "right"),
        Column(say("service")),
        Column(say("net"), "right"),
        Column(say("tax"), "right"),
        Column(say("gross"), "right"),
    )
    return _printed(
        Sheet(
            title=say("credited_title"),
            number=note.number,
            language=language,
            seller_name=note.seller_name,
            issued_at=note.issued_at,
            facts=(_seller(note, language), _buyer(note, language), about),
            columns=columns,
            rows=tuple(_note_row(line, language) for line in note.lines),
            totals=tuple(totals),
            currency=note.currency,
            note=" ".join([say("full")] * note.is_full + [say("credited_note")]),
            content_hash=note.content_hash,
        )
    )


def _seller(note: NoteDetail, language: str) -> tuple[tuple[str, str], ...]:
    return (
        (word("seller", language), printable(note.seller_name)),
        (word("credit_code", language), note.seller_credit_code),
    )


def _buyer(note: NoteDetail, language: str) -> tuple[tuple[str, str], ...]:
    return (
        (word("buyer", language), printable(note.buyer_name)),
        (word("customer_code", language), note.buyer_code),
        (word("credit_code", language), note.buyer_credit_code),
    )


def _note_row(line: NoteLine, language: str) -> tuple[Cell, ...]:
    title = line.of.title(language)
    shown = [printable(value) for value in properties(line.of, language) if value]
    return (
        (str(line.position),),
        (printable(title), *shown),
        (str(line.of.position),),
        (_time(line.of.service_from), _time(line.of.service_to)),
        (_money(line.net),),
        (_money(line.tax), f"{(line.of.tax_rate * 100).normalize():f} %"),
        (_money(line.gross),),
    )


NOTE_COLUMNS = (
    "credited_number",
    "credited_of",
    "credited_of_line",
    "sku",
    "description",
    "project",
    "service_from",
    "service_to",
    "currency",
    "net",
    "tax_rate",
    "tax",
    "gross",
    "reason",
)


def credit_note_csv(note: NoteDetail, language: str) -> bytes:
    """The note's lines with a heading; no cell is taken for a formula."""
    rows = [
        (
            note.number,
            note.invoice_number,
            str(line.of.position),
            line.of.sku,
            line.of.title(language),
            line.of.project_name,
            line.of.service_from.astimezone(ZONE).isoformat(timespec="seconds"),
            line.of.service_to.astimezone(ZONE).isoformat(timespec="seconds"),
            note.currency,
            f"{line.net:.2f}",
            f"{line.of.tax_rate.normalize():f}",
            f"{line.tax:.2f}",
            f"{line.gross:.2f}",
            note.reason,
        )
        for line in note.lines
    ]
    return csv_file([word(name, language) for name in NOTE_COLUMNS], rows)


def statement_pdf(told: AccountStatement, language: str, seller_name: str) -> bytes:
    """The account statement as a page to print."""

    def say(name: str) -> str:
        return word(name, language)

    period = f"{_time(told.start)} – {_time(told.end)}"
    rows = tuple(_entry_row(entry, language) for entry in told.entries)
    return _printed(
        Sheet(
            title=say("statement_title"),
            number=told.tenant_code,
            language=language,
            seller_name=seller_name,
            issued_at=told.end,
            facts=(
                ((say("seller"), printable(seller_name)),),
                (
                    (say("buyer"), printable(told.tenant_name)),
                    (say("credit_code"), told.credit_code),
                ),
                ((say("period"), period),),
            ),
            columns=(
                Column(say("date")),
                Column(say("what")),
                Column(say("reference"), wide=True),
                Column(say("amount"), "right"),
                Column(say("balance"), "right"),
            ),
            rows=rows,
            totals=(
                (say("opening"), _money(told.opening), False),
                (say("sum_invoices"), _money(-told.invoiced), False),
                (say("sum_notes"), _money(told.credited), False),
                (say("sum_top_ups"), _money(told.topped_up), False),
                (say("sum_other"), _money(told.other), False),
                (say("closing"), _money(told.closing), True),
                (say("sum_paid"), _money(told.paid), False),
            ),
            currency=told.currency,
            note=say("statement_note"),
        )
    )


def _entry_row(entry: StatementEntry, language: str) -> tuple[Cell, ...]:
    paid = (f"({_money(entry.paid)})",) if entry.paid else ()
    return (
        (_time(entry.at),),
        (movement(entry.kind, language),),
        (printable(entry.reference),),
        (_money(entry.amount), *paid),
        (_money(entry.balance),),
    )


STATEMENT_COLUMNS = ("date", "what", "reference", "currency", "amount", "paid", "balance")


def statement_csv(told: AccountStatement, language: str) -> bytes:
    """The statement's rows between its opening and closing balance."""
    rows: list[tuple[str, ...]] = [_balance_row(told, told.start, "opening", language)]
    rows += [
        (
            entry.at.astimezone(ZONE).isoformat(timespec="seconds"),
            movement(entry.kind, language),
            entry.reference,
            told.currency,
            f"{entry.amount:.2f}",
            f"{entry.paid:.2f}" if entry.paid else "",
            f"{entry.balance:.2f}",
        )
        for entry in told.entries
    ]
    rows.append(_balance_row(told, told.end, "closing", language))
    return csv_file([word(name, language) for name in STATEMENT_COLUMNS], rows, figures=(4, 5, 6))


def _balance_row(told: AccountStatement, at: datetime, name: str, language: str) -> tuple[str, ...]:
    amount = told.opening if name == "opening" else told.closing
    when = at.astimezone(ZONE).isoformat(timespec="seconds")
    return (when, word(name, language), "", told.currency, "", "", f"{amount:.2f}")


def _printed(sheet: Sheet) -> bytes:
    told = {
        "language": "zh" if sheet.language.startswith("zh") else "en",
        "words": words(sheet.language),
        "title": sheet.title,
        "number": sheet.number,
        "seller_name": printable(sheet.seller_name),
        "issued_parts": list(sheet.issued_at.astimezone(ZONE).timetuple()[:6]),
        "facts": [[list(pair) for pair in column if pair[1]] for column in sheet.facts],
        "columns": [{"name": c.name, "align": c.align, "wide": c.wide} for c in sheet.columns],
        "rows": sheet.rows,
        "totals": [
            {"name": name, "amount": amount, "strong": strong}
            for name, amount, strong in sheet.totals
        ],
        "currency": sheet.currency,
        "note": sheet.note,
        "hash": sheet.content_hash,
    }
    # Its types ask for literals in a list that a plain list of text is not.
    document: bytes = typst.compile(  # type: ignore[call-overload]
        TEMPLATE.read_bytes(),
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=["a-2b"],
        sys_inputs={"sheet": json.dumps(told, ensure_ascii=False)},
    )
    return document


def _time(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}"


def _money(amount: object) -> str:
    return f"{amount:,.2f}"
