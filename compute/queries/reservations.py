"""Reservations as people and programs read them; the open scope says whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from common.errors import NotFound
from compute.models import Reservation, ReservationState
from tenants.permissions import Actor, Permission, require

MOST_ON_A_PAGE = 100


@dataclass(frozen=True)
class ReservationPage:
    """``after`` asks for the next page; None on the last."""

    rows: tuple[Reservation, ...]
    after: str | None


def visible_reservations(actor: Actor) -> QuerySet[Reservation]:
    """The reservations in scope that the actor may see."""
    require(actor, Permission.RESERVATION_READ)
    rows = Reservation.objects.select_related(
        "pool__chip", "pool__cluster__centre", "project", "tenant"
    )
    if actor.tenant_id is not None:
        rows = rows.filter(tenant_id=actor.tenant_id)
    return rows if actor.project_id is None else rows.filter(project_id=actor.project_id)


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
    after: str | None = None,
    size: int = MOST_ON_A_PAGE,
) -> ReservationPage:
    """Reservations, the latest first; one statement at any depth.

    Shape: ids grow with time, so the id of a page's last row is the cursor of the next.
    """
    rows = visible_reservations(actor).order_by("-pk")
    if states:
        rows = rows.filter(state__in=states)
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    if after is not None:
        rows = rows.filter(pk__lt=cursor_id(after))
    size = max(1, min(size, MOST_ON_A_PAGE))
    found = list(rows[: size + 1])
    last = str(found[size - 1].pk) if len(found) > size else None
    return ReservationPage(rows=tuple(found[:size]), after=last)


def cursor_id(after: str) -> UUID:
    """Raises: NotFound for what is no cursor."""
    try:
        return UUID(after)
    except ValueError as error:
        raise NotFound from error


def awaiting_approval(*, actor: Actor, size: int = MOST_ON_A_PAGE) -> Sequence[Reservation]:
    """What operators have to decide, the earliest start first."""
    require(actor, Permission.RESERVATION_APPROVE)
    rows = visible_reservations(actor).filter(state=ReservationState.AWAITING_APPROVAL)
    return list(rows.order_by("starts_at", "pk")[:size])


def needing_attention(*, actor: Actor) -> Sequence[Reservation]:
    """What did not move on within its time, or could not be activated."""
    require(actor, Permission.RESERVATION_APPROVE)
    return list(visible_reservations(actor).exclude(attention="").order_by("-pk")[:MOST_ON_A_PAGE])
