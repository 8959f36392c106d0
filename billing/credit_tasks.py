"""Periodic work on credits: what begins, what is about to end, what has ended."""

import logging

from celery import shared_task

from billing.commands.credit_sweep import HORIZON, keep_credits
from billing.queries.credit_order import tenants_with_credits_due
from common.clock import utc_now
from common.errors import DomainError
from tenants.scoping import operator_scope, tenant_scope

log = logging.getLogger(__name__)


@shared_task(name="billing.keep_credits")
def keep_all_credits(**_: object) -> None:
    """Move every tenant's credits on, one transaction each. Running it twice changes nothing."""
    now = utc_now()
    with operator_scope():
        tenants = tenants_with_credits_due(now, now + HORIZON)
    for tenant_id in tenants:
        try:
            with tenant_scope(tenant_id):
                keep_credits(tenant_id=tenant_id, now=now)
        except DomainError as refusal:
            # One tenant's refusal does not keep the others waiting; the next run tries it again.
            log.warning(
                "billing.keep_credits.refused",
                extra={"tenant": str(tenant_id), "code": refusal.code},
            )
