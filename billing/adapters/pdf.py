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

from billing.adapters.wording import unit, word, words
from billing.documents import InvoiceDetail, LineDetail

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
        "lines": [_line(line, language) for line in invoice.lines],
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


def _line(line: LineDetail, language: str) -> dict[str, object]:
    properties = " · ".join(value for _, value in line.dimensions if value)
    notes = [properties]
    if line.project_name:
        notes.append(f"{word('project', language)}: {line.project_name}")
    if line.is_late:
        notes.append(word("late", language))
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
