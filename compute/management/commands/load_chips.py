"""manage.py load_chips"""

from typing import Any

from django.core.management.base import BaseCommand

from compute.chips import read_seed
from compute.commands.chips import load_chips
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope


class Command(BaseCommand):
    help = "Load the chip catalogue the product ships with; running it again changes nothing."

    # Django hands options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        with operator_scope():
            count = load_chips(actor=SYSTEM, facts=read_seed())
        self.stdout.write(f"{count} chip models")
