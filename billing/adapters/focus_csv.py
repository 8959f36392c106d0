"""Values as FOCUS writes them, and rows as CSV."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TextIO

from billing.adapters.csv import escaped
from billing.focus.columns import Column, Kind
from billing.focus.facts import Row, Value


def said(value: Value) -> str:
    """One value as text: nothing is nothing, a number always has a point, a time ends in Z."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        whole, _point, places = f"{value:f}".partition(".")
        return f"{whole}.{places.rstrip('0') or '0'}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def is_free_text(column: Column) -> bool:
    """Whether somebody's own words may stand in a column, and so a formula."""
    return column.kind is Kind.STRING and not column.allowed


def write_csv(
    out: TextIO, rows: Iterable[Row], columns: Sequence[Column], *, for_people: bool = True
) -> int:
    """Write a heading and the rows; gives how many there were.

    Shape: a file for people escapes a formula in free text, and only there: a negative amount is
    a number and stays one, and times, JSON and values of a list never start like a formula. A file
    for a program (the way to Parquet) is written as it is.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    free = [for_people and is_free_text(column) for column in columns]
    count = 0
    for row in rows:
        cells = (said(row.get(column.name)) for column in columns)
        writer.writerow(
            [escaped(cell) if guard else cell for cell, guard in zip(cells, free, strict=True)]
        )
        count += 1
    return count
