"""Which tenants the periodic tasks have something to do for; needs operator scope."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from billing.models import Contract, ContractState

TO_ACCRUE = """
SELECT tenant.id FROM tenants_organisation tenant
LEFT JOIN billing_account account ON account.tenant_id = tenant.id
WHERE EXISTS (
    SELECT FROM billing_usagebatch batch WHERE batch.tenant_id = tenant.id
        AND batch.xact >= coalesce(account.accrued_xmin, '0'::xid8)
) OR EXISTS (
    SELECT FROM billing_hold hold WHERE hold.tenant_id = tenant.id
        AND hold.state = 'active' AND hold.expires_at <= %s
) OR account.accrued_at < (
    -- A price list that has come into force since reprices what is used from then on.
    SELECT max(effective_at) FROM billing_priceversion
    WHERE state = 'published' AND effective_at <= %s
)
ORDER BY tenant.id
"""
TO_INVOICE = """
SELECT tenant.id FROM tenants_organisation tenant
WHERE tenant.id IN (
    -- An agreed amount is billed also where nothing was used.
    SELECT term.tenant_id FROM billing_contractterm term
    WHERE term.amount IS NOT NULL AND lower(term.in_force) < %(end)s
        AND upper(term.in_force) > %(end)s::timestamptz - interval '62 days'
    UNION ALL
    -- One bucket of a period is enough: nobody counts them all to know who used something.
    SELECT period.tenant_id FROM billing_billingperiod period
    CROSS JOIN LATERAL (
        SELECT FROM billing_usagebucket bucket
        WHERE bucket.period_id = period.id AND bucket.hour < %(end)s LIMIT 1
    ) used
    WHERE period.state = 'open' AND period.starts_at < %(end)s
    UNION ALL
    -- An amount that was agreed to before the month's end needs no use beside it.
    SELECT adjustment.tenant_id FROM billing_adjustment adjustment
    WHERE adjustment.state = 'approved' AND adjustment.decided_at < %(end)s
) AND NOT EXISTS (
    SELECT FROM billing_invoice invoice WHERE invoice.tenant_id = tenant.id
        AND invoice.period_end >= %(end)s
)
ORDER BY tenant.id
"""


def tenants_to_accrue(now: datetime) -> tuple[UUID, ...]:
    """Tenants with usage that the last accrual could not see, or with overdue holds.

    A batch is new where its transaction was not finished when the last accrual looked: comparing
    with that snapshot's oldest running transaction misses none that committed later.
    """
    with connection.cursor() as cursor:
        cursor.execute(TO_ACCRUE, [now, now])
        return tuple(tenant_id for (tenant_id,) in cursor.fetchall())


def tenants_to_invoice(month_end: datetime) -> tuple[UUID, ...]:
    """Tenants with something before a month's end that is not invoiced up to it.

    Usage, an agreed amount, or an adjustment that was approved by then.
    """
    with connection.cursor() as cursor:
        cursor.execute(TO_INVOICE, {"end": month_end})
        return tuple(tenant_id for (tenant_id,) in cursor.fetchall())


# Everything that could move, and once an hour everybody: that is the forecast's reading.
TO_REASSESS = """
SELECT account.tenant_id FROM billing_account account
JOIN tenants_organisation tenant ON tenant.id = account.tenant_id AND tenant.state <> 'closed'
LEFT JOIN billing_arrearsstanding standing ON standing.tenant_id = account.tenant_id
WHERE standing.id IS NULL OR standing.state <> 'normal'
    OR standing.assessed_at <= %(now)s - interval '1 hour'
    OR account.wallet - account.receivable + account.credit_limit - account.unbilled
        < greatest(standing.warn_below, 0)
    OR (account.receivable > 0 AND EXISTS (
        SELECT FROM billing_invoicedue due
        WHERE due.tenant_id = account.tenant_id AND due.due_at <= %(now)s
    ))
ORDER BY account.tenant_id
"""


def tenants_to_reassess(now: datetime) -> tuple[UUID, ...]:
    """Tenants whose standing may have to move, or was last derived an hour ago."""
    with connection.cursor() as cursor:
        cursor.execute(TO_REASSESS, {"now": now})
        return tuple(tenant_id for (tenant_id,) in cursor.fetchall())


def contracts_run_out(now: datetime) -> tuple[tuple[UUID, UUID], ...]:
    """(tenant, contract) of active contracts whose agreed time is over; needs operator scope."""
    active = Contract.objects.filter(state=ContractState.ACTIVE, ends_at__lte=now)
    return tuple(active.order_by("ends_at", "pk").values_list("tenant_id", "pk"))


# A batch may be committed a little after the time it says, so an hour is looked at twice.
TO_WATCH = """
SELECT tenant.id FROM tenants_organisation tenant
LEFT JOIN LATERAL (
    SELECT max(refreshed_at) AS at FROM billing_spendday day WHERE day.tenant_id = tenant.id
) watched ON true
WHERE EXISTS (
    SELECT FROM billing_usagebatch batch WHERE batch.tenant_id = tenant.id
        AND (watched.at IS NULL OR batch.received_at > watched.at - interval '1 hour')
)
ORDER BY tenant.id
"""


def tenants_to_watch() -> tuple[UUID, ...]:
    """Tenants that used something since their days were last reckoned."""
    with connection.cursor() as cursor:
        cursor.execute(TO_WATCH)
        return tuple(tenant_id for (tenant_id,) in cursor.fetchall())
