"""Shared work that ends because urgent work needs its cards, and what its tenant is told."""

from datetime import datetime

from django.utils.translation import gettext_noop

from common.period import Period
from compute.commands.claims import release, shortage
from compute.commands.workload_moves import ask_to_stop
from compute.models import Pool, ServiceClass, Workload, WorkloadState
from tenants.notices import post
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope

S = WorkloadState

# Kept as it is and translated where it is shown: whoever caused it may read another language.
PREEMPTED = gettext_noop("Preempted: work of a higher class took its cards.")
TOLD = ("owner", "admin", "developer")
# Work still on its way to the scheduler is spared: ending it would need its tenant's account,
# which comes before the pool in the order of locks.
GIVES_WAY = frozenset({S.PLACING, S.STARTING, S.RUNNING})


def give_way(*, pool: Pool, cards: int, period: Period, now: datetime) -> None:
    """Free cards of a pool by ending shared work, whosever it is, the latest asked for first.

    Shape: stops as soon as enough are free; where even all of it is too little, the caller's own
    claim is refused and nothing has happened. The cards are free in the books at once; the
    scheduler has them once it has ended the work, which is billed until then.
    Locks: the pool's shared work, without waiting; the caller holds the pool.
    """
    with operator_scope():
        shared = Workload.objects.filter(
            pool=pool, service_class=ServiceClass.SHARED, state__in=GIVES_WAY
        )
        # What somebody else is moving at this moment is left to them: nobody waits for a workload
        # while he holds the pool.
        free = shared.select_for_update(skip_locked=True, of=("self",)).select_related("pool")
        for workload in free.order_by("-created_at", "-pk"):
            if shortage(profile_id=pool.profile_id, cards=cards, period=period) is None:
                return
            if ask_to_stop(workload, actor=SYSTEM, reason=PREEMPTED, now=now):
                release(workload.claim_id, at=now)
                tell_preempted(workload, now=now)


def tell_preempted(workload: Workload, *, now: datetime) -> None:
    """Idempotent: a tenant is told once of each workload."""
    post(
        tenant_id=workload.tenant_id,
        kind="workload.preempted",
        key=f"workload:{workload.pk}",
        detail={
            "workload": str(workload.pk),
            "subject": workload.subject,
            "pool": workload.pool.code,
            "cards": workload.cards,
        },
        now=now,
        roles=TOLD,
    )
