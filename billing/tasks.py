"""Periodic work: accruing what is used, billing what is due, opening the days ahead."""

import logging
from collections.abc import Callable
from uuid import UUID

from celery import shared_task

from billing.arrears_tasks import reassess_arrears
from billing.budget_tasks import watch_spend
from billing.commands.accrual import accrue as accrue_tenant
from billing.commands.partitions import prepare_days
from billing.contract_tasks import end_run_out_contracts
from billing.credit_tasks import keep_all_credits
from billing.queries.sweep import tenants_to_accrue
from billing.run_tasks import run_due, work_run_now
from common.clock import utc_now
from common.errors import DomainError
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope

log = logging.getLogger(__name__)

# Celery looks for tasks here; those with a module of their own are named with the rest.
__all__ = [
    "accrue",
    "end_run_out_contracts",
    "issue_due",
    "keep_all_credits",
    "prepare_event_days",
    "reassess_arrears",
    "watch_spend",
    "work_run_now",
]


@shared_task(name="billing.accrue")
def accrue(*, tenant_id: str | None = None, **_: object) -> None:
    """Accrue one tenant, or all that have something new. Running it twice changes nothing."""
    now = utc_now()
    if tenant_id is None:
        with operator_scope():
            tenants = tenants_to_accrue(now)
    else:
        tenants = (UUID(tenant_id),)
    for each in tenants:
        _for_tenant("billing.accrue", each, lambda tenant: accrue_tenant(tenant_id=tenant, now=now))


@shared_task(name="billing.issue_due")
def issue_due(**_: object) -> None:
    """Run the invoices of the month that has ended; running it twice changes nothing."""
    run_due(utc_now())


@shared_task(name="billing.prepare_days")
def prepare_event_days(**_: object) -> None:
    """Open the event partitions of the coming days."""
    with operator_scope():
        prepare_days(actor=SYSTEM, now=utc_now())


def _for_tenant(task: str, tenant_id: UUID, work: Callable[[UUID], object]) -> None:
    """One tenant's refusal does not keep the others waiting; the next run tries it again."""
    try:
        with tenant_scope(tenant_id):
            work(tenant_id)
    except DomainError as refusal:
        log.warning("%s.refused", task, extra={"tenant": str(tenant_id), "code": refusal.code})
