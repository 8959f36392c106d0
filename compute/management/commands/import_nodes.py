"""manage.py import_nodes --centre CODE --file nodes.csv"""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.clock import utc_now
from common.errors import DomainError
from compute.commands.inventory import import_nodes, read_rows
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope


class Command(BaseCommand):
    help = "Import a list of nodes (sn, cpu_milli, memory_mib, gpu, model) as one cluster."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--centre", required=True)
        parser.add_argument("--file", required=True, type=Path)
        parser.add_argument("--cluster", default=None)
        parser.add_argument("--engine", default="listed")

    # Django hands options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as lines:
                rows = read_rows(csv.DictReader(lines))
            with operator_scope():
                done = import_nodes(
                    actor=SYSTEM,
                    centre_code=options["centre"],
                    cluster_code=options["cluster"],
                    engine=options["engine"],
                    rows=rows,
                    now=utc_now(),
                )
        except (DomainError, OSError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done.nodes} nodes, {done.cards} cards, pools: {', '.join(done.pools)}")
        if done.unverified:
            self.stdout.write(f"not for sale until signed off: {', '.join(done.unverified)}")
