"""Load the catalogue the product ships and, where asked, put on sale what may be sold."""

from django.core.management.base import BaseCommand, CommandParser

from appliances.commands.catalogue import list_everything_sellable, load_seed
from common.clock import utc_now
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope


class Command(BaseCommand):
    help = "Load the appliance catalogue; loading again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--list-sellable",
            action="store_true",
            help="put every draft on sale whose licence allows it",
        )

    def handle(self, *_: object, list_sellable: bool, **__: object) -> None:
        with operator_scope():
            report = load_seed(actor=SYSTEM, now=utc_now())
            listed: tuple[str, ...] = ()
            if list_sellable:
                listed = list_everything_sellable(actor=SYSTEM, now=utc_now())
        self.stdout.write(
            f"{report.appliances} appliances, {report.versions} versions, "
            f"{report.profiles} launch profiles; {report.created} rows are new, "
            f"{report.withdrawn} versions withdrawn, {len(listed)} appliances newly on sale."
        )
