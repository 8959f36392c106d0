"""Taking cards from a profile and giving them back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import psycopg
from django.db import IntegrityError, transaction
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _
from psycopg.types.range import Range

from common.errors import DomainError
from common.period import Period
from compute.capacity import Step, least_free, windows
from compute.models import Claim, ClaimKind
from compute.queries.profiles import steps_of

# How far ahead a refusal looks for the next free times, and how many it names.
LOOK_AHEAD = timedelta(days=180)
NEXT_TIMES = 3


class NotEnoughCapacity(DomainError):
    """Fewer cards are free than asked for.

    Shape: ``free`` over the whole period asked for; ``next_free`` the next instants from which
    the cards are free for as long.
    """

    code = "not_enough_capacity"
    status = 409
    message = _("Only %(free)s of the %(asked)s cards asked for are free in this period.")


def shortage(*, profile_id: int, cards: int, period: Period) -> NotEnoughCapacity | None:
    """The refusal, with the next free times in it; None where the cards are free."""
    free = least_free(steps_of([profile_id], period)[profile_id])
    return None if free >= cards else refusal(profile_id, cards=cards, period=period, free=free)


def refusal(profile_id: int, *, cards: int, period: Period, free: int) -> NotEnoughCapacity:
    horizon = Period(period.start, period.end + LOOK_AHEAD)
    steps = steps_of([profile_id], horizon)[profile_id]
    return NotEnoughCapacity(
        asked=cards, free=max(free, 0), next_free=next_free(steps, cards=cards, period=period)
    )


def next_free(steps: Sequence[Step], *, cards: int, period: Period) -> tuple[datetime, ...]:
    """The first instants, from the asked start on, at which the same length fits."""
    found = windows(steps, cards=cards, seconds=period.seconds)
    return tuple(window.start for window in islice(found, NEXT_TIMES))


def take(
    *,
    profile_id: int,
    tenant_id: UUID | None,
    cards: int,
    period: Period,
    kind: ClaimKind,
    subject: str,
) -> Claim:
    """Take cards; the database refuses what is not there, whoever asks.

    Raises: NotEnoughCapacity.
    """
    during = Range(period.start, period.end, "[)")
    try:
        with transaction.atomic():
            return Claim.objects.create(
                tenant_id=tenant_id,
                profile_id=profile_id,
                cards=cards,
                during=during,
                booked=during,
                kind=kind,
                subject=subject,
            )
    except IntegrityError as error:
        if constraint_of(error) != "compute_segment_within_capacity":
            raise
    free = least_free(steps_of([profile_id], period)[profile_id])
    raise refusal(profile_id, cards=cards, period=period, free=free)


def release(claim_id: UUID, *, at: datetime) -> None:
    """Give back what is left of a claim from this instant on.

    Idempotent: a claim that has ended by then is left as it is.
    """
    Claim.objects.filter(pk=claim_id).update(
        during=RawSQL("during * tstzrange(NULL, %s)", [at])  # noqa: S611 - one bound parameter
    )


def constraint_of(error: IntegrityError) -> str | None:
    """The name of the constraint PostgreSQL refused by."""
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
