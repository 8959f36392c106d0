"""Row-level conformance: whether a FOCUS file says what the specification lets it say. Pure.

The public validator judges whole columns: one good row hides any number of bad ones, and a time
without its zone passes. Here every row answers for itself, and sums are checked against invoices.
Rows are texts by column, as a CSV holds them; an empty text is null.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from billing.focus.columns import Column, Dataset, Kind, Level, Version, columns
from billing.focus.conformance_rules import ROW_RULES
from billing.focus.conformance_sums import SUM_RULES, Totals

Cells = Mapping[str, str]
MOST_SHOWN = 20

_DECIMAL = re.compile(r"-?\d{1,23}\.\d{1,15}", re.ASCII)
_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII
)


@dataclass(frozen=True)
class Finding:
    """A rule that does not hold: in which row (the first is 1), or of the file as a whole."""

    rule: str
    message: str
    row: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        place = "file" if self.row is None else f"row {self.row}"
        return f"{self.rule} ({place}): {self.message} {self.detail}".rstrip()


@dataclass
class Report:
    """What was checked and found; of each rule only the first findings are kept, all counted."""

    rows: int = 0
    # Rows with a value that cannot be read; sums are not judged while there are any.
    unreadable: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        seen = self.counts.get(finding.rule, 0)
        self.counts[finding.rule] = seen + 1
        if seen < MOST_SHOWN:
            self.findings.append(finding)

    @property
    def broken(self) -> frozenset[str]:
        return frozenset(self.counts)


def check(
    header: Sequence[str],
    rows: Iterable[Cells],
    *,
    dataset: Dataset,
    version: Version,
    totals: Mapping[str, Decimal] | None = None,
) -> Report:
    """Check a file, row by row; ``totals`` are what its invoices come to, where they are known.

    Shape: memory grows with the invoices and commitments of a file, not with its rows.
    """
    report = Report()
    shown = columns(dataset, version)
    for finding in _header_findings(header, shown):
        report.add(finding)
    present = [column for column in shown if column.name in header]
    sums: list[Totals] = [make(totals) for make in SUM_RULES.get(dataset, ())]
    for number, row in enumerate(rows, start=1):
        report.rows = number
        broken = list(_value_findings(row, present))
        for rule, message, detail in broken:
            report.add(Finding(rule, message, number, detail))
        if broken:
            # What cannot be read cannot be added up or compared.
            report.unreadable += 1
            continue
        for one in ROW_RULES.get(dataset, ()):
            if not one.holds(row):
                report.add(Finding(one.id, one.message, number))
        for total in sums:
            total.add(row)
    for total in () if report.unreadable else sums:
        for detail in total.broken():
            report.add(Finding(total.id, total.message, None, detail))
    return report


def rule_ids() -> frozenset[str]:
    """The name of every rule there is."""
    found = {rule for rule, _message in (*HEADER_RULES.items(), *VALUE_RULES.items())}
    found.update(rule.id for rules in ROW_RULES.values() for rule in rules)
    found.update(make.id for rules in SUM_RULES.values() for make in rules)
    return frozenset(found)


HEADER_RULES = {
    "column-missing": "A column of this version is not there:",
    "column-unknown": "Neither the version nor an x_ prefix knows this column:",
    "column-twice": "This column stands there twice:",
    "column-custom-last": "Columns of one's own come after all others:",
}


def _header_findings(header: Sequence[str], shown: Sequence[Column]) -> Iterator[Finding]:
    names = {column.name for column in shown}

    def found(rule: str, detail: str) -> Finding:
        return Finding(rule, HEADER_RULES[rule], None, detail)

    for column in shown:
        required = column.level is Level.MANDATORY or not column.name.startswith("x_")
        if required and column.name not in header:
            yield found("column-missing", column.name)
    for place, name in enumerate(header):
        if name in header[:place]:
            yield found("column-twice", name)
        if name not in names and not name.startswith("x_"):
            yield found("column-unknown", name)
    own = [name.startswith("x_") for name in header]
    if own != sorted(own):
        yield found("column-custom-last", header[own.index(True)])


VALUE_RULES = {
    "value-null": "This column is never null:",
    "value-allowed": "This value is not one the column allows:",
    "value-decimal": "A number is written with digits and a point:",
    "value-time": "A time is written in UTC like 2026-10-31T16:00:00Z:",
    "value-json": "This is an object in JSON:",
}


def _value_findings(row: Cells, shown: Sequence[Column]) -> Iterator[tuple[str, str, str]]:
    for column in shown:
        value = row.get(column.name, "")
        if not value:
            if not column.nullable:
                yield "value-null", VALUE_RULES["value-null"], column.name
        elif column.allowed and value not in column.allowed:
            yield "value-allowed", VALUE_RULES["value-allowed"], f"{column.name} {value!r}"
        elif not _READ[column.kind](value):
            rule = f"value-{column.kind.value}"
            yield rule, VALUE_RULES[rule], f"{column.name} {value!r}"


def _is_object(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def _is_text(value: str) -> bool:
    return True


def _is_decimal(value: str) -> bool:
    return _DECIMAL.fullmatch(value) is not None


def _is_time(value: str) -> bool:
    return _TIME.fullmatch(value) is not None


_READ: Mapping[Kind, Callable[[str], bool]] = {
    Kind.STRING: _is_text,
    Kind.JSON: _is_object,
    Kind.DECIMAL: _is_decimal,
    Kind.TIME: _is_time,
}
