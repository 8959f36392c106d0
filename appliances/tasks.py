"""Nudges: look at a deployment, and look at all that are due."""

from datetime import timedelta
from uuid import UUID

from celery import Task, shared_task

from appliances.commands import budgets, interruptions, progress
from appliances.probing import probe as ask
from appliances.queries import deployments
from appliances.queries.interruptions import tenants_to_obey
from billing.queries.budgets import tenants_that_stop_running
from common.clock import utc_now
from common.nudge import after_commit
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope

READY_LOOKED_AT_EVERY = timedelta(seconds=30)
NEXT_LOOK_SECONDS = 2
LOOKS = 15


def look_and_probe(deployment_id: UUID) -> bool:
    """One look: follow the workload, and ask the model server; True once it is settled.

    Running it twice, or two at once, changes nothing more: moves are conditional and a probe
    needs a lease. No transaction is open while the model server is asked.
    """
    with operator_scope():
        seen = progress.look(actor=SYSTEM, deployment_id=deployment_id, now=utc_now())
    if seen is None:
        return True
    if seen.target is None:
        return seen.is_settled
    outcome = ask(seen.target)
    with operator_scope():
        state = progress.record_probe(
            actor=SYSTEM, deployment_id=deployment_id, outcome=outcome, now=utc_now()
        )
    return state not in progress.UNSETTLED_STATES


# bind=True makes the first argument the task itself, which Celery's types leave generic.
@shared_task(name="appliances.probe", bind=True, max_retries=LOOKS, soft_time_limit=120)
def probe(self: "Task[..., None]", *, deployment_id: str, **_: object) -> None:
    """Look again every two seconds while something is about to happen; the sweep does the rest."""
    if not look_and_probe(UUID(deployment_id)) and self.request.retries < LOOKS:
        raise self.retry(countdown=NEXT_LOOK_SECONDS)


@shared_task(name="appliances.look", soft_time_limit=120)
def look(*, deployment_id: str, **_: object) -> None:
    """Look at one deployment once."""
    look_and_probe(UUID(deployment_id))


@shared_task(name="appliances.sweep")
def sweep(**_: object) -> None:
    """Wake a worker for each deployment that is due: what was killed half-way is finished so.

    Each is looked at by itself, so a model server that does not answer holds up nobody else.
    """
    with operator_scope():
        for due in deployments.due_for_a_look(now=utc_now(), interval=READY_LOOKED_AT_EVERY):
            after_commit("appliances.look", deployment_id=due)
        for tenant_id in tenants_to_obey():
            after_commit("appliances.obey_arrears", tenant_id=tenant_id)
        for tenant_id in tenants_that_stop_running(utc_now()):
            after_commit("appliances.obey_budgets", tenant_id=tenant_id)


@shared_task(name="appliances.obey_arrears")
def obey_arrears(*, tenant_id: str, **_: object) -> None:
    """Stop or start again what one tenant's standing asks for. Running it twice does it once."""
    key = UUID(tenant_id)
    with tenant_scope(key):
        interruptions.obey(tenant_id=key, now=utc_now())


@shared_task(name="appliances.obey_budgets")
def obey_budgets(*, tenant_id: str, **_: object) -> None:
    """Stop what one tenant's reached budgets stop. Running it twice does it once."""
    key = UUID(tenant_id)
    with tenant_scope(key):
        budgets.obey_budgets(tenant_id=key, now=utc_now())
