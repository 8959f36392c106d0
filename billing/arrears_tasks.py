"""Periodic work: deriving how tenants stand."""

import logging

from celery import shared_task

from billing.commands.arrears import reassess
from billing.queries.sweep import tenants_to_reassess
from common.clock import utc_now
from common.errors import DomainError
from tenants.scoping import operator_scope, tenant_scope

log = logging.getLogger(__name__)


@shared_task(name="billing.reassess_arrears")
def reassess_arrears(**_: object) -> None:
    """Derive the standing of every tenant that may have moved, each in a transaction of its own.

    Running it twice, or two at once, moves nobody twice; one that fails holds up no other.
    """
    now = utc_now()
    with operator_scope():
        tenants = tenants_to_reassess(now)
    for tenant_id in tenants:
        try:
            with tenant_scope(tenant_id):
                reassess(tenant_id=tenant_id, now=now)
        except DomainError as refusal:
            log.warning(
                "billing.reassess_arrears.refused",
                extra={"tenant": str(tenant_id), "code": refusal.code},
            )
        except Exception:
            log.exception("billing.reassess_arrears.failed", extra={"tenant": str(tenant_id)})
