"""Keeping what is used but not billed in the account, so that standing is one row."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from billing.commands.budget_accrual import refresh_budgets
from billing.commands.holds import expire_holds
from billing.locks import lock_account
from billing.models import Account
from billing.queries.drafts import draft


@transaction.atomic
def accrue(*, tenant_id: UUID, now: datetime) -> None:
    """Rate what the tenant used since the last time, and let overdue holds go.

    Locks: the account.
    Raises: AccountBusy.
    Idempotent: the total is computed anew each time, never added to.
    """
    lock_account(tenant_id)
    expire_holds(tenant_id=tenant_id, now=now)
    refresh_unbilled(tenant_id=tenant_id, now=now)


def refresh_unbilled(*, tenant_id: UUID, now: datetime) -> None:
    """Write the draft's gross into the account, and what it means to the tenant's budgets.

    Part of the caller's locked transaction.
    """
    with connection.cursor() as cursor:
        # Before the reading: whatever that snapshot could not see has this number or a later one,
        # and whatever was committed before this instant is seen.
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text, clock_timestamp()")
        xmin, read_at = cursor.fetchone()
    drafted = draft(tenant_id=tenant_id, until=now)
    # What is taken back counts once it is invoiced: until then it could still be used up.
    gross = max(drafted.gross, Decimal(0))
    Account.objects.filter(tenant_id=tenant_id).update(
        unbilled=gross, accrued_at=now, accrued_xmin=int(xmin), accrual_read_at=read_at
    )
    refresh_budgets(tenant_id=tenant_id, drafted=drafted, now=now)
