"""A price list as CSV, to be edited in a spreadsheet and read back."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext_lazy as _

from billing.adapters.csv import FORMULA_STARTS, csv_file
from billing.pricing import Tier
from billing.queries.price_faults import MOST_LINES, PriceLine
from common.errors import DomainError, FieldError

COLUMNS = (
    "meter",
    "sku",
    "title_en",
    "title_zh",
    "model",
    "unit_price",
    "unit_quantity",
    "tax_code",
    "match",
    "tiers",
)
LARGEST_BYTES = 2_000_000
MOST_ERRORS = 50


class PriceFileRefused(DomainError):
    """The file is no price list: nothing was changed."""

    code = "price_file_refused"
    status = 422
    message = _("This file cannot be read as a price list.")


def price_csv(lines: Sequence[PriceLine]) -> bytes:
    """The lines with a heading, in UTF-8 with a mark that spreadsheets know it by.

    Shape: ``match`` is "name=value" joined by ";"; ``tiers`` is "up to:price:fee" joined by ";",
    with nothing before the first colon of the last one.
    """
    rows = (
        (
            line.meter,
            line.sku,
            line.title_en,
            line.title_zh,
            line.model,
            _plain(line.unit_price),
            str(line.unit_quantity),
            line.tax_code,
            ";".join(f"{name}={value}" for name, value in sorted(line.match.items())),
            ";".join(
                f"{'' if tier.up_to is None else tier.up_to}:{_plain(tier.unit_price)}"
                f":{_plain(tier.fee)}"
                for tier in line.tiers
            ),
        )
        for line in lines
    )
    return csv_file(COLUMNS, rows)


def read_price_csv(content: bytes) -> tuple[PriceLine, ...]:
    """The lines of a file. Raises: PriceFileRefused, with the row and column of each error."""
    if len(content) > LARGEST_BYTES:
        raise PriceFileRefused(errors=[FieldError("/file", "too_large", _("It is too large."))])
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        text = _("It is no CSV file in UTF-8.")
        raise PriceFileRefused(errors=[FieldError("/file", "unreadable", text)]) from error
    if not rows or tuple(rows[0]) != COLUMNS:
        text = _("Its first row names the columns as an exported list does.")
        raise PriceFileRefused(errors=[FieldError("/file", "columns", text)])
    if len(rows) > MOST_LINES + 1:
        raise PriceFileRefused(errors=[FieldError("/file", "too_long", _("It is too long."))])
    lines: list[PriceLine] = []
    errors: list[FieldError] = []
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cells):
            continue
        try:
            lines.append(_line(cells))
        except (ValueError, InvalidOperation):
            told = _("Row %(row)d cannot be read.") % {"row": number}
            errors.append(FieldError(f"/file/{number}", "row", told))
    if errors:
        raise PriceFileRefused(errors=errors[:MOST_ERRORS])
    return tuple(lines)


def _line(cells: Sequence[str]) -> PriceLine:
    told = dict(zip(COLUMNS, (_unescaped(cell.strip()) for cell in cells), strict=True))
    return PriceLine(
        meter=told["meter"],
        sku=told["sku"],
        title_en=told["title_en"],
        title_zh=told["title_zh"],
        model=told["model"],
        unit_price=Decimal(told["unit_price"]),
        unit_quantity=int(told["unit_quantity"]),
        tax_code=told["tax_code"],
        match=read_match(told["match"]),
        tiers=read_tiers(told["tiers"]),
    )


def read_match(text: str) -> dict[str, str]:
    """ "name=value; name=value" as properties. Raises: ValueError."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip() or name.strip() in found:
            raise ValueError(part)
        found[name.strip()] = value.strip()
    return found


def read_tiers(text: str) -> tuple[Tier, ...]:
    """ "up to:price:fee; ..." as tiers. Raises: ValueError, InvalidOperation."""
    found = []
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        up_to, price, *fee = (piece.strip() for piece in part.split(":"))
        if len(fee) > 1:
            raise ValueError(part)
        due = Decimal(fee[0]) if fee and fee[0] else Decimal(0)
        found.append(Tier(int(up_to) if up_to else None, Decimal(price), due))
    return tuple(found)


def _unescaped(cell: str) -> str:
    """What stood there before it was made safe for a spreadsheet."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
