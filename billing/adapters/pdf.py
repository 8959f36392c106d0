"""Invoices as PDF: A4, archivable (PDF/A-2b), in English or Chinese, set by typst.

What the invoice says reaches the template as data and never as markup, so no name can change the
page's layout.
"""

import json
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import typst
from fontTools.ttLib import TTFont

from billing.adapters.wording import properties, unit, word, words
from billing.documents import CreditPart, InvoiceDetail, LineDetail

HERE = Path(__file__).parent
TEMPLATE = HERE / "invoice.typ"
FONTS = HERE / "fonts"
ZONE = ZoneInfo("Asia/Shanghai")


def invoice_pdf(invoice: InvoiceDetail, language: str) -> bytes:
    """The invoice as a document; the same invoice gives the same words and figures each time."""
    # Its types ask for literals in a list that a plain list of text is not.
    document: bytes = typst.compile(  # type: ignore[call-overload]
        TEMPLATE.read_bytes(),
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=["a-2b"],
        sys_inputs={"invoice": json.dumps(_page(invoice, language), ensure_ascii=False)},
    )
    return document


# Stands for a character the font lacks, as Chinese printers have it.
GETA = "\N{GETA MARK}"


@cache
def _covered() -> frozenset[int]:
    with TTFont(FONTS / "NotoSansSC-Regular.ttf", lazy=True) as font:
        return frozenset(font.getBestCmap())


def printable(text: str) -> str:
    """Text of which the font has every character: an archivable page may not lack one."""
    covered = _covered()
    return "".join(each if ord(each) in covered else GETA for each in text)


def _page(invoice: InvoiceDetail, language: str) -> dict[str, object]:
    return {
        "language": "zh" if language.startswith("zh") else "en",
        "words": words(language),
        "number": invoice.number,
        "period": f"{_time(invoice.period_start)} – {_time(invoice.period_end)}",
        "issued": _time(invoice.issued_at),
        "issued_parts": list(invoice.issued_at.astimezone(ZONE).timetuple()[:6]),
        "seller_name": printable(invoice.seller_name),
        "seller_credit_code": invoice.seller_credit_code,
        "buyer_name": printable(invoice.buyer_name),
        "buyer_code": invoice.buyer_code,
        "buyer_credit_code": invoice.buyer_credit_code,
        "currency": invoice.currency,
        "due": _time(invoice.due_at) if invoice.shows_credits else "",
        "lines": [
            _line(line, language, shows_credits=invoice.shows_credits) for line in invoice.lines
        ],
        "summary": _summary(invoice, language) if invoice.shows_credits else [],
        "rates": [
            {"rate": _percent(rate), "net": _money(net), "tax": _money(tax)}
            for rate, (net, tax) in sorted(invoice.tax_by_rate.items())
        ],
        "net": _money(invoice.net),
        "tax": _money(invoice.tax),
        "gross": _money(invoice.gross),
        "paid": _money(invoice.paid),
        "credited": _money(invoice.credited) if invoice.credited else "",
        "open": _money(invoice.due),
        "hash": invoice.content_hash,
    }


def _summary(invoice: InvoiceDetail, language: str) -> list[dict[str, object]]:
    """From what was charged to what is left to pay, credit by credit; packages before money."""

    def row(name: str, amount: str, **more: object) -> dict[str, object]:
        return {"name": name, "amount": amount, "note": "", "strong": False, **more}

    def say(name: str, amount: Decimal, **more: object) -> dict[str, object]:
        return row(word(name, language), f"{invoice.currency} {_money(amount)}", **more)

    parts = invoice.credit_parts
    rows = [say("gross_total", invoice.gross, strong=True)]
    for part in parts:
        name = printable(f"{word(f'credit_{part.kind}', language)} {part.code}")
        done = _done(part, language) if part.is_package else f"{invoice.currency} {_off(part)}"
        rows.append(row(name, done, note=printable(part.title)))
    if invoice.credits:
        rows.append(say("payable", invoice.payable))
    rows.append(say("paid", -invoice.paid_from_wallet))
    if invoice.credited:
        rows.append(say("credited_so_far", -invoice.credited))
    if invoice.written_off:
        rows.append(say("written_off", -invoice.written_off))
    if invoice.to_wallet:
        rows.append(say("to_wallet", invoice.to_wallet))
    return [*rows, say("open", invoice.due, strong=True)]


def _off(part: CreditPart) -> str:
    return _money(-part.amount)


def _done(part: CreditPart, language: str) -> str:
    said = {"amount": _grouped(part.amount), "unit": printable(unit(part.unit, language))}
    return word("covered", language) % said


def _line(line: LineDetail, language: str, *, shows_credits: bool) -> dict[str, object]:
    notes = [" · ".join(filter(None, properties(line, language)))]
    if line.project_name:
        notes.append(f"{word('project', language)}: {line.project_name}")
    if line.is_late:
        notes.append(word("late", language))
    if shows_credits:
        notes += _credit_notes(line, language)
    return {
        "position": str(line.position),
        "title": printable(line.title(language)),
        "notes": [printable(note) for note in notes if note],
        "service": f"{_time(line.service_from)}\n{_time(line.service_to)}",
        "quantity": _grouped(line.amount),
        "unit": printable(unit(line.display_unit, language)),
        "unit_price": _grouped(line.price_per_unit, least_places=2),
        "list_price": _list_price(line, language),
        "net": _money(line.net),
        "tax_rate": _percent(line.tax_rate),
        "tax": _money(line.tax),
        "gross": _money(line.gross),
    }


def _credit_notes(line: LineDetail, language: str) -> list[str]:
    notes = []
    for part in line.credit_parts:
        done = _done(part, language) if part.is_package else _off(part)
        notes.append(f"{word(f'credit_{part.kind}', language)} {part.code}: {done}")
    if line.credits:
        notes.append(f"{word('payable', language)}: {_money(line.payable)}")
    return notes


def _list_price(line: LineDetail, language: str) -> str:
    """The price before what was agreed with this tenant; nothing where it is the same."""
    if line.list_unit_price == line.unit_price:
        return ""
    shown = _grouped(line.list_price_per_unit, least_places=2)
    return f"{word('list_price', language)} {shown}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}"


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _grouped(amount: Decimal, least_places: int = 0) -> str:
    """A figure with separators, without the zeros that say nothing."""
    whole, _, places = f"{amount:,f}".partition(".")
    places = places.rstrip("0").ljust(least_places, "0")
    return f"{whole}.{places}" if places else whole


def _percent(rate: Decimal) -> str:
    return f"{_grouped(rate * 100)} %"
