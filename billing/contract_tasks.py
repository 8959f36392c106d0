"""Periodic work on contracts: ending those whose agreed time is over."""

from celery import shared_task

from billing.commands.contracts import end_run_out_contract
from billing.queries.sweep import contracts_run_out
from common.clock import utc_now
from tenants.scoping import operator_scope


@shared_task(name="billing.end_contracts")
def end_run_out_contracts(**_: object) -> None:
    """End them, one transaction each. Running it twice, or two at once, changes nothing."""
    now = utc_now()
    with operator_scope():
        run_out = contracts_run_out(now)
    for tenant_id, contract_id in run_out:
        # Only the centre's role may change contracts.
        with operator_scope():
            end_run_out_contract(tenant_id=tenant_id, contract_id=contract_id, now=now)
