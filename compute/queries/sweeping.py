"""What the sweep finds: everything that is due, oldest first, in bounded numbers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from compute.models import (
    Cluster,
    Node,
    OrderState,
    Reservation,
    ReservationState,
    Workload,
    WorkloadState,
)
from compute.models.workloads import ON_ENGINE, TERMINAL

BATCH = 500
OBSERVED_AT_ONCE = 200
# Work is told to stop this long before its cards belong to somebody else.
STOPS_BEFORE_END = timedelta(seconds=60)


def _ready(now: datetime) -> Q:
    return (Q(lease_until__isnull=True) | Q(lease_until__lte=now)) & (
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now)
    )


def due_reservations(now: datetime) -> Sequence[UUID]:
    """Reservations whose next step has come."""
    states = ReservationState
    due = (
        Q(state=states.CONFIRMED, starts_at__lte=now)
        | Q(state__in={states.ACTIVATING, states.ENDING})
        | Q(state=states.ACTIVE, ends_at__lte=now)
    )
    rows = Reservation.objects.filter(due & _ready(now)).order_by("starts_at", "pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def unanswered(now: datetime) -> Sequence[UUID]:
    """Requests nobody answered before their period was over."""
    rows = Reservation.objects.filter(
        state=ReservationState.AWAITING_APPROVAL, ends_at__lte=now
    ).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def due_workloads(now: datetime) -> Sequence[UUID]:
    """Workloads to be placed, to be stopped, or whose time is up."""
    states = WorkloadState
    due = Q(state__in={states.REQUESTED, states.PLACING, states.STOPPING}) | Q(
        state__in={states.STARTING, states.RUNNING}, until__lte=now + STOPS_BEFORE_END
    )
    rows = Workload.objects.filter(due & _ready(now)).order_by("created_at", "pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def due_nodes(now: datetime) -> Sequence[int]:
    """Nodes with an order that their scheduler has not carried out yet."""
    rows = Node.objects.filter(
        _ready(now), order_state=OrderState.ASKED, cluster__in=reachable_clusters()
    )
    return list(rows.order_by("ordered_at", "pk").values_list("pk", flat=True)[:BATCH])


def unsettled() -> Sequence[UUID]:
    """Ended workloads whose money is still set aside."""
    rows = Workload.objects.filter(state__in=TERMINAL, money_settled_at__isnull=True)
    return list(rows.order_by("ended_at", "pk").values_list("pk", flat=True)[:BATCH])


def reachable_clusters() -> Sequence[int]:
    """Clusters in use whose engine this installation has."""
    return list(
        Cluster.objects.filter(enabled=True, engine__in=settings.COMPUTE_ENGINES)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def cluster(cluster_id: int) -> Cluster:
    return Cluster.objects.get(pk=cluster_id)


def on_engine(cluster_id: int) -> Sequence[Mapping[str, UUID]]:
    """What a cluster's scheduler should know, by its name there, in batches to ask about."""
    rows = Workload.objects.filter(pool__cluster_id=cluster_id, state__in=ON_ENGINE).order_by("pk")
    named = iter([(row.engine_key, row.pk) for row in rows.only("pk")])
    batches = []
    while batch := dict(islice(named, OBSERVED_AT_ONCE)):
        batches.append(batch)
    return batches
