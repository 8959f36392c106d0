"""What operators have to decide, with what each decision leaves of its pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.period import Period
from compute.capacity import Step, least_free
from compute.models import Reservation
from compute.queries.profiles import steps_of
from compute.queries.reservations import awaiting_approval
from tenants.permissions import Actor


@dataclass(frozen=True)
class Request:
    """One reservation to decide.

    Shape: ``free_beside`` are the cards nobody has taken at any moment of the period, this request
    apart; the request already holds its own, so approving it never takes from anybody. ``over``
    says that the period has ended, ``begun`` that it runs. Units: whole cards.
    """

    reservation: Reservation
    capacity: int
    free_beside: int
    begun: bool
    over: bool


def inbox(*, actor: Actor, now: datetime) -> Sequence[Request]:
    """Everything that waits for a decision, the earliest start first; two statements."""
    waiting = awaiting_approval(actor=actor)
    if not waiting:
        return ()
    whole = Period(min(r.starts_at for r in waiting), max(r.ends_at for r in waiting))
    steps = steps_of(sorted({r.pool.profile_id for r in waiting}), whole)
    return tuple(_request(r, steps[r.pool.profile_id], now) for r in waiting)


def _request(reservation: Reservation, steps: Sequence[Step], now: datetime) -> Request:
    inside = [step for step in steps if step.period.overlaps(reservation.period)]
    return Request(
        reservation=reservation,
        capacity=min((step.capacity for step in inside), default=0),
        free_beside=least_free(inside),
        begun=reservation.starts_at <= now,
        over=reservation.ends_at <= now,
    )
