"""One step of a workload's life, taken once, with its audit entry."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from billing.commands.holds import release_hold
from common.errors import NotFound
from common.nudge import after_commit
from compute.commands.claims import release
from compute.models import EngineUsage, Workload, WorkloadState
from compute.models.workloads import TERMINAL, TRANSITIONS
from tenants.audit import record
from tenants.permissions import SYSTEM, Actor

S = WorkloadState
LIVE = frozenset(S) - TERMINAL

STOPPING_WITHIN = timedelta(minutes=5)
# The engine's last accounting row arrives some time after the end; then the money is let go.
SETTLE_WITHIN = timedelta(hours=1)


def workload_of(workload_id: UUID) -> Workload:
    """Raises: NotFound, also for another tenant's."""
    found = (
        Workload.objects.select_related("pool__cluster", "project", "reservation")
        .filter(pk=workload_id)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def move(
    workload: Workload,
    to: WorkloadState,
    *,
    actor: Actor,
    only_from: frozenset[WorkloadState] | None = None,
    detail: Mapping[str, object] | None = None,
    **fields: object,
) -> bool:
    """Move the row if it may move; says whether this call did it. Fields change with the state."""
    sources = {state for state, nexts in TRANSITIONS.items() if to in nexts}
    if only_from is not None:
        sources &= only_from
    moved = Workload.objects.filter(pk=workload.pk, state__in=sources).update(state=to, **fields)
    if moved:
        record(
            actor,
            f"compute.workload.{to}",
            subject=workload.audit_subject,
            tenant_id=workload.tenant_id,
            detail=detail,
        )
    return bool(moved)


def ask_to_stop(workload: Workload, *, actor: Actor, reason: str, now: datetime) -> bool:
    """Start a workload's end; one the engine never heard of has ended by that.

    Shape: says whether this call did it.
    Idempotent: what is stopping or has ended is left as it is.
    """
    if finish(
        workload,
        S.STOPPED,
        actor=actor,
        reason=reason,
        now=now,
        only_from=frozenset({S.REQUESTED}),
    ):
        return True
    stopping = move(
        workload,
        S.STOPPING,
        actor=actor,
        detail={"reason": reason},
        reason=reason[:500],
        stop_requested_at=now,
        next_attempt_at=None,
        attempts=0,
        deadline_at=now + STOPPING_WITHIN,
    )
    if stopping:
        after_commit("compute.drive_workload", workload_id=workload.pk)
    return stopping


def finish(
    workload: Workload,
    state: WorkloadState,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
    only_from: frozenset[WorkloadState] | None = None,
    **fields: object,
) -> bool:
    """End a workload for good: its cards are free from now on."""
    fields = {"ended_at": now, **fields}
    finished = move(
        workload,
        state,
        actor=actor,
        only_from=only_from,
        detail={"reason": reason},
        reason=reason[:500],
        lease_until=None,
        next_attempt_at=None,
        deadline_at=None,
        attention="",
        **fields,
    )
    if finished:
        release(workload.claim_id, at=now)
        settle_money(workload_id=workload.pk, now=now)
    return finished


def settle_money(*, workload_id: UUID, now: datetime) -> None:
    """Let go of the money set aside once everything the engine counted has been charged.

    Idempotent. A workload the engine never started settles at once; one whose last accounting
    row does not come settles after an hour.
    """
    workload = workload_of(workload_id)
    if workload.state not in TERMINAL or workload.money_settled_at is not None:
        return
    rows = list(EngineUsage.objects.filter(workload=workload))
    charged = all(row.ended_at is not None and row.billed_until == row.ended_at for row in rows)
    never_ran = workload.started_at is None and not rows
    waited = workload.ended_at is not None and workload.ended_at + SETTLE_WITHIN <= now
    if not (waited or never_ran or (rows and charged)):
        return
    if workload.gross is not None:
        release_hold(actor=SYSTEM, tenant_id=workload.tenant_id, key=workload.money_key, now=now)
    Workload.objects.filter(pk=workload.pk).update(money_settled_at=now)
