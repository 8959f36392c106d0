"""One step of a reservation's life, taken once, with its audit entry."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from billing.commands.holds import release_hold, set_hold
from common.errors import DomainError, NotFound
from compute.commands.claims import release
from compute.models import Reservation, ReservationState
from compute.models.reservations import TRANSITIONS
from tenants.audit import record
from tenants.permissions import Actor


class ReservationMoved(DomainError):
    """Somebody was first: the reservation is no longer in a state this can be done from."""

    code = "reservation_state"
    status = 409
    message = _("This cannot be done: the reservation is now “%(state)s”.")


def reservation_of(reservation_id: UUID) -> Reservation:
    """Raises: NotFound, also for another tenant's."""
    found = (
        Reservation.objects.select_related("pool__chip", "pool__cluster", "project")
        .filter(pk=reservation_id)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def move(
    reservation: Reservation,
    to: ReservationState,
    *,
    actor: Actor,
    only_from: frozenset[ReservationState] | None = None,
    detail: Mapping[str, object] | None = None,
    **fields: object,
) -> bool:
    """Move the row if it may move; says whether this call did it. Fields change with the state."""
    sources = {state for state, nexts in TRANSITIONS.items() if to in nexts}
    if only_from is not None:
        sources &= only_from
    moved = Reservation.objects.filter(pk=reservation.pk, state__in=sources).update(
        state=to, **fields
    )
    if moved:
        record(
            actor,
            f"compute.reservation.{to}",
            subject=reservation.subject,
            tenant_id=reservation.tenant_id,
            detail=detail,
        )
    return bool(moved)


def must_move(
    reservation: Reservation,
    to: ReservationState,
    *,
    actor: Actor,
    only_from: frozenset[ReservationState] | None = None,
    detail: Mapping[str, object] | None = None,
    **fields: object,
) -> Reservation:
    """Move the row and give it as it now is.

    Raises: ReservationMoved where somebody was first.
    """
    if not move(reservation, to, actor=actor, only_from=only_from, detail=detail, **fields):
        current = reservation_of(reservation.pk)
        raise ReservationMoved(state=current.get_state_display())
    return reservation_of(reservation.pk)


def give_back(reservation: Reservation, *, actor: Actor, now: datetime) -> None:
    """Give back the cards from now on and the money set aside."""
    release_hold(actor=actor, tenant_id=reservation.tenant_id, key=reservation.money_key, now=now)
    release(reservation.claim_id, at=now)


def set_money_aside(
    reservation: Reservation, amount: Decimal, *, actor: Actor, now: datetime
) -> None:
    """Set money aside for what of the reservation is not yet charged.

    Raises: InsufficientFunds.
    """
    set_hold(
        actor=actor,
        tenant_id=reservation.tenant_id,
        key=reservation.money_key,
        amount=amount,
        expires_at=None,
        now=now,
    )
