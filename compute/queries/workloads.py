"""Workloads and what they used, as people and programs read them; the open scope says whose."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from common.errors import NotFound
from common.paging import Page, newest_first
from compute.models import EngineUsage, Workload
from compute.queries.reservations import MOST_SHOWN, within_sight
from tenants.permissions import Actor, Permission, require


def _visible(actor: Actor) -> QuerySet[Workload]:
    require(actor, Permission.DEPLOYMENT_READ)
    rows = Workload.objects.select_related("pool__chip", "pool__cluster__centre", "project")
    return within_sight(rows, actor)


def workload(*, actor: Actor, workload_id: UUID) -> Workload:
    """One workload with its pool, chip, centre and project. Raises: NotFound."""
    found = _visible(actor).filter(pk=workload_id).first()
    if found is None:
        raise NotFound
    return found


def workload_page(
    *,
    actor: Actor,
    states: Sequence[str] = (),
    reservation_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Workload]:
    """Workloads, the latest first; one statement at any depth.

    Raises: PermissionRefused, InvalidInput.
    """
    rows = _visible(actor)
    if states:
        rows = rows.filter(state__in=states)
    if reservation_id is not None:
        rows = rows.filter(reservation_id=reservation_id)
    return newest_first(rows, cursor=cursor, limit=limit)


def workloads_for(*, subjects: Sequence[str]) -> Sequence[Workload]:
    """The workloads made for some things ("appliances.deployment:<id>"), the latest first."""
    return list(Workload.objects.filter(subject__in=subjects).order_by("-pk"))


def usage_records(*, actor: Actor, workload_id: UUID) -> Sequence[EngineUsage]:
    """The engine's own accounting of one workload, in order: what its bill rests on."""
    require(actor, Permission.USAGE_READ)
    found = workload(actor=actor, workload_id=workload_id)
    rows = EngineUsage.objects.filter(workload=found).select_related("cluster")
    return list(rows.order_by("started_at", "pk"))


def unbilled_records(*, actor: Actor) -> Sequence[EngineUsage]:
    """Accounting rows that no bill shows, each with its reason; for operators."""
    require(actor, Permission.NODE_MANAGE)
    rows = EngineUsage.objects.exclude(reason="").select_related("cluster")
    return list(rows.order_by("-started_at", "pk")[:MOST_SHOWN])
