"""Periodic work: what each day cost."""

import logging

from celery import shared_task

from billing.commands.spend_days import watch_spend as watch_tenant
from billing.queries.sweep import tenants_to_watch
from common.clock import utc_now
from common.errors import DomainError
from tenants.scoping import operator_scope, tenant_scope

log = logging.getLogger(__name__)


@shared_task(name="billing.watch_spend")
def watch_spend(**_: object) -> None:
    """Reckon the days of every tenant that used something since the last time.

    Running it twice, or two at once, writes the same days and tells once; one that fails holds up
    no other.
    """
    now = utc_now()
    with operator_scope():
        tenants = tenants_to_watch()
    for tenant_id in tenants:
        try:
            with tenant_scope(tenant_id):
                watch_tenant(tenant_id=tenant_id, now=now)
        except DomainError as refusal:
            log.warning(
                "billing.watch_spend.refused",
                extra={"tenant": str(tenant_id), "code": refusal.code},
            )
        except Exception:
            log.exception("billing.watch_spend.failed", extra={"tenant": str(tenant_id)})
