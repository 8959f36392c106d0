"""Check a FOCUS file row by row, and its sums against the invoices on record."""

import csv
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.adapters.parquet import ParquetFailed, parquet_to_csv
from billing.focus.columns import DATASETS, GIVEN, Dataset, Version, columns
from billing.focus.conformance import Report, check
from billing.queries.focus import invoice_totals
from tenants.scoping import operator_scope


class Command(BaseCommand):
    """Prints every rule that is broken, where and how often; exits 1 for any."""

    help = "Check a FOCUS file (CSV or Parquet) row by row; exit 1 when a rule does not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dataset", choices=[*Dataset], help="told by its columns without it")
        parser.add_argument("--focus-version", choices=[*Version], help="likewise")
        parser.add_argument(
            "--without-invoices", action="store_true", help="leave sums of invoices unchecked"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        given: Path = options["file"]
        try:
            with tempfile.TemporaryDirectory(prefix="focus-") as folder:
                plain = given
                if given.suffix == ".parquet":
                    plain = Path(folder) / "rows.csv"
                    parquet_to_csv(given, plain)
                report = self._check(plain, options)
        except (OSError, UnicodeDecodeError, ParquetFailed) as error:
            raise CommandError(f"{given} cannot be read: {error}") from error
        for finding in report.findings:
            self.stdout.write(str(finding))
        for rule, count in sorted(report.counts.items()):
            self.stdout.write(f"{rule}: {count}")
        if report.counts:
            raise CommandError(f"{len(report.counts)} rules do not hold.", returncode=1)
        self.stdout.write(f"All rules hold in {report.rows} rows.")

    def _check(self, plain: Path, options: dict[str, Any]) -> Report:
        with plain.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or ())
            dataset, version = _told(header, options["dataset"], options["focus_version"])
            self.stdout.write(f"FOCUS {version} {dataset}")
            totals = None
            if options["without_invoices"]:
                self.stdout.write("Sums are not compared with invoices, as was asked.")
            elif "InvoiceId" in header:
                numbers = frozenset(row["InvoiceId"] for row in reader) - {""}
                with operator_scope():
                    totals = invoice_totals(numbers=numbers)
                file.seek(0)
                reader = csv.DictReader(file)
            return check(header, reader, dataset=dataset, version=version, totals=totals)


def _told(header: list[str], dataset: str | None, version: str | None) -> tuple[Dataset, Version]:
    """Which dataset a file is, by the columns it has most of."""

    def known(one: Dataset) -> int:
        return sum(column.name in header for column in DATASETS[one])

    found = Dataset(dataset) if dataset else max(Dataset, key=known)
    if version:
        return found, Version(version)
    own = set(header)
    fits = [
        one
        for one in Version
        if found in GIVEN[one] and {column.name for column in columns(found, one)} <= own
    ]
    return found, fits[-1] if fits else Version.V1_4
