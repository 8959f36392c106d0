"""Obeying a tenant's arrears: notice, then jobs, then what remains, then what was reserved.

Each call takes every class of one tenant as far as it may go now, in one transaction under the
account's lock: a payment comes before it or after it, never into the middle.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.arrears import ResourceClass
from billing.locks import lock_account
from billing.queries.arrears import Arrears, standing_of
from compute.commands.reservations import cancel, end_now
from compute.commands.workload_moves import LIVE, ask_to_stop
from compute.models import Freeze, FreezeState, Kind, Reservation, ReservationState, Workload
from compute.models.freezes import FREEZE_TRANSITIONS, OPEN
from compute.models.reservations import UNUSED
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import SYSTEM

S = FreezeState

# How long jobs may take to end before endpoints are stopped all the same, and endpoints after.
JOBS_WITHIN = timedelta(minutes=5)
ENDPOINTS_WITHIN = timedelta(minutes=10)
TOLD = ("owner", "admin", "finance", "developer")


@transaction.atomic
def obey(*, tenant_id: UUID, now: datetime) -> None:
    """Take the tenant's freezes one step further, or lift them where it has paid.

    Locks: the account.
    Raises: AccountBusy.
    Idempotent: a step whose time has not come, or that was taken, changes nothing.
    """
    lock_account(tenant_id)
    arrears = standing_of(tenant_id, now)
    for kind in ResourceClass:
        freeze = _current(tenant_id, kind, arrears)
        if kind not in arrears.must_freeze:
            _lift_all(tenant_id, kind, now)
        elif freeze is None and arrears.episode is not None:
            _lift_all(tenant_id, kind, now)
            _notify(tenant_id, kind, arrears.episode, arrears, now)
        elif freeze is None:
            continue
        elif freeze.state == S.NOTIFIED and freeze.stop_at <= now:
            if _move(freeze, S.STOPPING, now, deadline_at=now + JOBS_WITHIN):
                _stop_work(_live(tenant_id, kind).filter(kind=Kind.JOB), now)
        elif freeze.state == S.STOPPING:
            _finish_jobs(freeze, kind, now)
        elif freeze.state == S.FROZEN:
            _keep_frozen(freeze, kind, arrears, now)


def _current(tenant_id: UUID, kind: ResourceClass, arrears: Arrears) -> Freeze | None:
    if arrears.episode is None:
        return None
    rows = Freeze.objects.filter(tenant_id=tenant_id, resource_class=kind)
    return rows.filter(episode=arrears.episode).first()


def _notify(
    tenant_id: UUID, kind: ResourceClass, episode: UUID, arrears: Arrears, now: datetime
) -> None:
    stop_at = now + timedelta(minutes=arrears.checkpoint_minutes)
    freeze = Freeze.objects.create(
        tenant_id=tenant_id,
        episode=episode,
        resource_class=kind,
        notified_at=now,
        stop_at=stop_at,
    )
    live = _live(tenant_id, kind).count()
    record(
        SYSTEM,
        "compute.freeze.notified",
        subject=freeze.subject,
        tenant_id=tenant_id,
        detail={"class": kind.value, "stop_at": stop_at.isoformat(), "workloads": live},
    )
    if live:
        post(
            tenant_id=tenant_id,
            kind="workload.stop_announced",
            key=f"freeze:{freeze.pk}",
            detail={
                "workloads": live,
                "class": kind.value,
                "minutes": arrears.checkpoint_minutes,
                "amount_needed": str(arrears.amount_needed),
                "currency": arrears.currency,
                "stop_at": stop_at.isoformat(),
            },
            now=now,
            roles=TOLD,
        )


def _finish_jobs(freeze: Freeze, kind: ResourceClass, now: datetime) -> None:
    """Frozen once no job is left, or its time is over: then the endpoints' turn has come."""
    jobs = _live(freeze.tenant_id, kind).filter(kind=Kind.JOB)
    _stop_work(jobs, now)
    late = freeze.deadline_at is not None and freeze.deadline_at <= now
    if late or not jobs.exists():
        _move(freeze, S.FROZEN, now, deadline_at=now + ENDPOINTS_WITHIN)


def _keep_frozen(freeze: Freeze, kind: ResourceClass, arrears: Arrears, now: datetime) -> None:
    if freeze.deadline_at is not None and freeze.deadline_at <= now:
        _stop_work(_live(freeze.tenant_id, kind), now)
    if kind not in arrears.released:
        return
    if kind == ResourceClass.RESERVED and _give_up_reservations(freeze.tenant_id, now):
        return
    _move(freeze, S.RELEASED, now, deadline_at=None, ended_at=now)


def _give_up_reservations(tenant_id: UUID, now: datetime) -> bool:
    """Cancel what has not begun, end what has; says whether one is still on its way to begin."""
    rows = Reservation.objects.filter(tenant_id=tenant_id)
    for reservation in rows.filter(state__in=UNUSED).order_by("pk"):
        cancel(actor=SYSTEM, reservation_id=reservation.pk, now=now)
    for reservation in rows.filter(state=ReservationState.ACTIVE).order_by("pk"):
        end_now(actor=SYSTEM, reservation_id=reservation.pk, now=now)
    return rows.filter(state=ReservationState.ACTIVATING).exists()


def _lift_all(tenant_id: UUID, kind: ResourceClass, now: datetime) -> None:
    open_ones = Freeze.objects.filter(tenant_id=tenant_id, resource_class=kind, state__in=OPEN)
    for freeze in open_ones.order_by("pk"):
        _move(freeze, S.LIFTED, now, deadline_at=None, ended_at=now)


def _move(freeze: Freeze, to: FreezeState, now: datetime, **fields: object) -> bool:
    sources = [state for state, nexts in FREEZE_TRANSITIONS.items() if to in nexts]
    moved = Freeze.objects.filter(pk=freeze.pk, state__in=sources).update(state=to, **fields)
    if moved:
        record(
            SYSTEM,
            f"compute.freeze.{to.value}",
            subject=freeze.subject,
            tenant_id=freeze.tenant_id,
            detail={"class": freeze.resource_class, "from": freeze.state},
        )
    return bool(moved)


def _live(tenant_id: UUID, kind: ResourceClass) -> QuerySet[Workload]:
    on_demand = kind == ResourceClass.ON_DEMAND
    return Workload.objects.filter(
        tenant_id=tenant_id, state__in=LIVE, reservation__isnull=on_demand
    )


def _stop_work(workloads: QuerySet[Workload], now: datetime) -> None:
    for workload in workloads.order_by("pk"):
        reason = _("Stopped: the account is in arrears.")
        ask_to_stop(workload, actor=SYSTEM, reason=reason, now=now)
