"""The delivery log has an end: what is old goes, in portions."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

# Few enough that a portion is a moment, and that a killed worker loses little.
PORTION = 1000
# Of each address that is still there, however old: whoever mends it finds what it missed last.
KEPT_FAILURES = 20


@transaction.atomic
def retire_deliveries(*, now: datetime, at_most: int = PORTION) -> int:
    """Drop finished deliveries older than the log is kept, with their attempts; gives how many.

    The newest failures of an address stay until the address is removed. Needs operator scope.
    Locks: the deliveries it drops; those that somebody holds wait for the next portion.
    Idempotent: what has gone is not found again.
    """
    before = now - timedelta(days=settings.WEBHOOK_LOG_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenants_retire_deliveries(%s, %s, %s)", [before, KEPT_FAILURES, at_most]
        )
        (gone,) = cursor.fetchone()
    return int(gone)
