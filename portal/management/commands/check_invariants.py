"""Check what must always hold, and say what does not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.invariants import check_everything
from tenants.permissions import SYSTEM


class Command(BaseCommand):
    """Prints every rule of billing and compute with the rows that break it; exits 1 for any."""

    help = "Check the invariants of billing and compute; exit 1 when one does not hold."

    def handle(self, *args: Any, **options: Any) -> None:
        results = check_everything(actor=SYSTEM)
        for result in results:
            self.stdout.write(f"{'ok ' if result.holds else 'BROKEN'} {result.area}: {result.rule}")
            for row in result.rows:
                self.stdout.write(f"    {row}")
        broken = sum(not result.holds for result in results)
        if broken:
            raise CommandError(f"{broken} of {len(results)} invariants do not hold.", returncode=1)
        self.stdout.write(f"All {len(results)} invariants hold.")
