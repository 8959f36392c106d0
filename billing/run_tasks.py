"""The invoice run's work: rows are the queue, and every poke takes it up where it stands."""

import logging
from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from celery import shared_task

from billing.commands.fapiao_desk import mark_overdue_fapiao
from billing.commands.invoices import due_month_end
from billing.commands.runs import (
    approve_items,
    bill_item,
    draft_item,
    fail_item,
    issue_item,
    mark_late_runs,
    retry_items,
    settle_run,
    start_run,
)
from billing.locks import AccountBusy
from billing.queries.runs import runs_to_work, tenants_waiting
from common.clock import utc_now
from common.errors import DomainError
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope

log = logging.getLogger(__name__)

DRAFTS_FROM, ISSUES_FROM = "pending", "reviewed"


def run_due(now: datetime) -> None:
    """Run the invoices of the month that has ended, and go on with every run that is not done."""
    with operator_scope():
        start_run(actor=SYSTEM, period_end=due_month_end(now), now=now)
        mark_late_runs(now=now)
        mark_overdue_fapiao(now=now)
        runs = runs_to_work()
    for run_id, is_automatic in runs:
        work_run(run_id, is_automatic=is_automatic, now=now)


@shared_task(name="billing.work_run")
def work_run_now(*, run_id: str, **_: object) -> None:
    """Go on with one run, woken by an operator's decision."""
    with operator_scope():
        found = dict(runs_to_work())
    if UUID(run_id) in found:
        work_run(UUID(run_id), is_automatic=found[UUID(run_id)], now=utc_now())


def work_run(run_id: UUID, *, is_automatic: bool, now: datetime) -> None:
    """Draft what waits and issue what was agreed to; an automatic run bills what waits at once."""
    if is_automatic:
        with operator_scope():
            retry_items(actor=SYSTEM, run_id=run_id, now=now)
    _each(run_id, DRAFTS_FROM, bill_item if is_automatic else draft_item, now)
    if is_automatic:
        # What was drafted for a review that is not wanted any more.
        with operator_scope():
            approve_items(actor=SYSTEM, run_id=run_id, now=now)
    _each(run_id, ISSUES_FROM, issue_item, now)


Step = Callable[..., str]


def _each(run_id: UUID, state: str, step: Step, now: datetime) -> None:
    """One step for every tenant that waits for it, a transaction each; then say where it stands.

    Whoever meets another worker's tenant goes on in the middle of what is left: each has a stretch
    of its own then, where all would follow one another from tenant to tenant.
    """
    tried: set[UUID] = set()
    is_met = False
    while left := _left(run_id, state, tried):
        for tenant_id in left[len(left) // 2 if is_met else 0 :]:
            tried.add(tenant_id)
            is_met = not _is_ours(run_id, tenant_id, step, now)
            if is_met:
                break
    if tried:
        with operator_scope():
            settle_run(run_id=run_id, now=now)


def _left(run_id: UUID, state: str, tried: Collection[UUID]) -> list[UUID]:
    with operator_scope():
        return [tenant for tenant in tenants_waiting(run_id, state) if tenant not in tried]


def _is_ours(run_id: UUID, tenant_id: UUID, step: Step, now: datetime) -> bool:
    """Do one tenant's step; False where another worker has it or had it."""
    try:
        with tenant_scope(tenant_id):
            return bool(step(run_id=run_id, tenant_id=tenant_id, now=now))
    except AccountBusy:
        # It stays where it is; the next poke finds it.
        log.info("billing.run.busy", extra={"tenant": str(tenant_id)})
    except DomainError as refusal:
        log.warning("billing.run.refused", extra={"tenant": str(tenant_id), "code": refusal.code})
        with tenant_scope(tenant_id):
            fail_item(run_id=run_id, tenant_id=tenant_id, refusal=refusal)
    return True
