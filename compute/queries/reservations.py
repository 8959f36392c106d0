"""Reservations as people and programs read them; the open scope says whose."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from common.errors import NotFound
from common.paging import Page, newest_first
from compute.models import Reservation, ReservationState, Workload
from tenants.permissions import Actor, Permission, require

MOST_SHOWN = 100

Owned = TypeVar("Owned", Reservation, Workload)


def within_sight(rows: QuerySet[Owned], actor: Actor) -> QuerySet[Owned]:
    """Those of the actor's tenant, and of its project where the actor is narrowed to one."""
    if actor.tenant_id is not None:
        rows = rows.filter(tenant_id=actor.tenant_id)
    return rows if actor.project_id is None else rows.filter(project_id=actor.project_id)


def visible_reservations(actor: Actor) -> QuerySet[Reservation]:
    """The reservations in scope that the actor may see."""
    require(actor, Permission.RESERVATION_READ)
    rows = Reservation.objects.select_related(
        "pool__chip", "pool__cluster__centre", "project", "tenant"
    )
    return within_sight(rows, actor)


def reservation(*, actor: Actor, reservation_id: UUID) -> Reservation:
    """One reservation with its pool, chip, centre and project. Raises: NotFound."""
    found = visible_reservations(actor).filter(pk=reservation_id).first()
    if found is None:
        raise NotFound
    return found


def reservation_page(
    *,
    actor: Actor,
    states: Sequence[str] = (),
    project_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Reservation]:
    """Reservations, the latest first; one statement at any depth.

    Raises: PermissionRefused, InvalidInput.
    """
    rows = visible_reservations(actor)
    if states:
        rows = rows.filter(state__in=states)
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    return newest_first(rows, cursor=cursor, limit=limit)


def awaiting_approval(*, actor: Actor, size: int = MOST_SHOWN) -> Sequence[Reservation]:
    """What operators have to decide, the earliest start first."""
    require(actor, Permission.RESERVATION_APPROVE)
    rows = visible_reservations(actor).filter(state=ReservationState.AWAITING_APPROVAL)
    return list(rows.order_by("starts_at", "pk")[:size])


def needing_attention(*, actor: Actor) -> Sequence[Reservation]:
    """What did not move on within its time, or could not be activated."""
    require(actor, Permission.RESERVATION_APPROVE)
    return list(visible_reservations(actor).exclude(attention="").order_by("-pk")[:MOST_SHOWN])
