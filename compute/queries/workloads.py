"""Workloads and what they used, as people and programs read them; the open scope says whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from common.errors import NotFound
from compute.models import EngineUsage, Workload
from compute.queries.reservations import MOST_ON_A_PAGE, cursor_id
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class WorkloadPage:
    """``after`` asks for the next page; None on the last."""

    rows: tuple[Workload, ...]
    after: str | None


def _visible(actor: Actor) -> QuerySet[Workload]:
    require(actor, Permission.DEPLOYMENT_READ)
    rows = Workload.objects.select_related("pool__chip", "pool__cluster__centre", "project")
    if actor.tenant_id is not None:
        rows = rows.filter(tenant_id=actor.tenant_id)
    return rows if actor.project_id is None else rows.filter(project_id=actor.project_id)


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
    after: str | None = None,
    size: int = MOST_ON_A_PAGE,
) -> WorkloadPage:
    """Workloads, the latest first; one statement at any depth."""
    rows = _visible(actor).order_by("-pk")
    if states:
        rows = rows.filter(state__in=states)
    if reservation_id is not None:
        rows = rows.filter(reservation_id=reservation_id)
    if after is not None:
        rows = rows.filter(pk__lt=cursor_id(after))
    size = max(1, min(size, MOST_ON_A_PAGE))
    found = list(rows[: size + 1])
    last = str(found[size - 1].pk) if len(found) > size else None
    return WorkloadPage(rows=tuple(found[:size]), after=last)


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
    return list(rows.order_by("-started_at", "pk")[:MOST_ON_A_PAGE])
