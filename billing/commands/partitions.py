"""Making the days' partitions before their first event comes."""

from datetime import datetime, timedelta

from django.db import transaction

from billing.commands.staging import open_days
from tenants.permissions import Actor, Permission, require

DAYS_AHEAD = 7


@transaction.atomic
def prepare_days(*, actor: Actor, now: datetime) -> None:
    """Open today's partition and the next week's, so that no ingest has to.

    Raises: PermissionRefused.
    Idempotent.
    """
    require(actor, Permission.USAGE_INGEST)
    open_days(now, now + timedelta(days=DAYS_AHEAD))
