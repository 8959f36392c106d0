"""Write a month's costs as a FOCUS dataset: every tenant's, or one's."""

import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.focus.columns import Dataset, Version
from common.clock import utc_now
from common.errors import DomainError
from portal.exports import FORMS, export_file, order
from tenants.permissions import SYSTEM
from tenants.queries.desk import tenant_of_code
from tenants.scoping import operator_scope


class Command(BaseCommand):
    """Refuses in one sentence what cannot be read or is not there."""

    help = "Write a month's costs as a FOCUS dataset (CSV or Parquet)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--period", required=True, help="a month, such as 2026-11")
        parser.add_argument("--into", required=True, type=Path, help="the file to write")
        parser.add_argument("--dataset", choices=[*Dataset], default=Dataset.COST_AND_USAGE)
        # Not --version: Django's own commands have that.
        parser.add_argument("--focus-version", choices=[*Version], default=Version.V1_4)
        parser.add_argument("--format", choices=sorted(FORMS), default="csv")
        parser.add_argument("--tenant", default="", help="a tenant's code; all of them without it")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["into"]
        try:
            wanted = order(
                dataset=options["dataset"],
                version=options["focus_version"],
                month=options["period"],
                form=options["format"],
            )
            with operator_scope():
                tenant = (
                    tenant_of_code(actor=SYSTEM, code=options["tenant"]).pk
                    if options["tenant"]
                    else None
                )
                made = export_file(actor=SYSTEM, tenant_id=tenant, wanted=wanted, now=utc_now())
            with made, target.open("wb") as out:
                shutil.copyfileobj(made, out)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"{target}: {target.stat().st_size} bytes.")
