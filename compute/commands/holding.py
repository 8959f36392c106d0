"""The first step of a reservation: cards held for a tenant at a price, for ten minutes."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.queries.arrears import refuse_in_arrears
from billing.queries.budgets import refuse_when_reached
from billing.queries.prices import Quote
from common.errors import DomainError, FieldError, InvalidInput
from common.ids import uuid7
from common.period import Period
from compute.capacity import next_minute
from compute.commands.claims import release, shortage, take
from compute.commands.reservation_moves import move
from compute.commands.taking import project_for
from compute.locks import lock_allowance, lock_pool
from compute.models import (
    ClaimKind,
    Pool,
    Reservation,
    ReservationPolicy,
    ReservationState,
)
from compute.models.reservations import UNUSED
from compute.queries.policy import current_policy
from compute.queries.quotes import quote_reserved
from compute.queries.sale import pool_for_sale
from tenants.audit import record
from tenants.models import Project
from tenants.permissions import SYSTEM, Actor, Permission
from tenants.scoping import operator_scope

MOST_CARDS = 1_000_000


class TooManyUnused(DomainError):
    """The tenant already holds as many reservations as may wait for use."""

    code = "too_many_unused_reservations"
    status = 409
    message = _("You already have %(count)s reservations waiting to be used; %(most)s is the most.")


@transaction.atomic
def hold(
    *,
    actor: Actor,
    project_id: UUID,
    pool_code: str,
    cards: int,
    period: Period,
    now: datetime,
) -> Reservation:
    """Hold cards of one pool for a period at a price; lapses unless submitted in ten minutes.

    Units: whole cards; the period starts and ends on whole minutes.
    Locks: the tenant's allowance, then the pool; cancelling takes neither.
    Raises: PermissionRefused, ArrearsRefused, BudgetReached, NotFound, InvalidInput, PoolNotSold,
    TooManyUnused, PriceMissing, PoolBusy, NotEnoughCapacity.
    """
    project = project_for(actor, Permission.RESERVATION_CREATE, project_id)
    refuse_in_arrears(project.tenant_id, Permission.RESERVATION_CREATE, now)
    refuse_when_reached(project.tenant_id, project.pk, now)
    policy = current_policy()
    _check_request(cards, period, policy, now)
    pool = pool_for_sale(pool_code)
    quote = quote_reserved(
        tenant_id=project.tenant_id, pool=pool, cards=cards, seconds=period.seconds, at=now
    )
    lock_allowance(project.tenant_id)
    _check_allowance(project.tenant_id, policy)
    lock_pool(pool.pk)
    if shortage(profile_id=pool.profile_id, cards=cards, period=period):
        # Holds that lapsed and were not yet swept stand in nobody's way.
        expire_holds(pool_id=pool.pk, now=now)
        refusal = shortage(profile_id=pool.profile_id, cards=cards, period=period)
        if refusal:
            raise refusal
    return _create(actor, project, pool, cards, period, quote, policy, now)


def _create(
    actor: Actor,
    project: Project,
    pool: Pool,
    cards: int,
    period: Period,
    quote: Quote,
    policy: ReservationPolicy,
    now: datetime,
) -> Reservation:
    reservation_id = uuid7()
    claim = take(
        profile_id=pool.profile_id,
        tenant_id=project.tenant_id,
        cards=cards,
        period=period,
        kind=ClaimKind.RESERVATION,
        subject=f"compute.reservation:{reservation_id}",
    )
    reservation = Reservation.objects.create(
        id=reservation_id,
        tenant_id=project.tenant_id,
        project=project,
        pool=pool,
        claim=claim,
        # Made by the claim's trigger in the same statement.
        profile=claim.backed_profile,
        cards=cards,
        starts_at=period.start,
        ends_at=period.end,
        price_id=quote.lines[0].price_id,
        currency=quote.currency,
        net=quote.net,
        tax=quote.tax,
        gross=quote.gross,
        hold_expires_at=now + timedelta(minutes=policy.hold_minutes),
        created_by=actor.id,
    )
    record(
        actor,
        "compute.reservation.held",
        subject=reservation.subject,
        tenant_id=project.tenant_id,
        detail={"pool": pool.code, "cards": cards, "gross": str(quote.gross)},
    )
    return reservation


def _check_request(cards: int, period: Period, policy: ReservationPolicy, now: datetime) -> None:
    faults = period_faults(period, policy, now)
    if not 1 <= cards <= MOST_CARDS:
        faults.append(
            FieldError("/cards", "cards_out_of_range", _("Ask for a sensible number of cards."))
        )
    if faults:
        raise InvalidInput(errors=faults)


def period_faults(period: Period, policy: ReservationPolicy, now: datetime) -> list[FieldError]:
    """What is wrong with a period asked for, each with its pointer and stable code."""
    faults = []
    if next_minute(period.start) != period.start:
        faults.append(FieldError("/start", "not_a_minute", _("Start on a whole minute.")))
    if next_minute(period.end) != period.end:
        faults.append(FieldError("/end", "not_a_minute", _("End on a whole minute.")))
    # The minute that is running may still be asked for: forms show no seconds.
    if period.start <= now - timedelta(minutes=1):
        faults.append(FieldError("/start", "in_the_past", _("Start now or later.")))
    if period.start > now + timedelta(days=policy.furthest_days):
        faults.append(FieldError("/start", "too_far_ahead", _("The start is too far ahead.")))
    if period.end - period.start > timedelta(days=policy.longest_days):
        faults.append(FieldError("/end", "too_long", _("The period is too long.")))
    return faults


def _check_allowance(tenant_id: UUID, policy: ReservationPolicy) -> None:
    count = Reservation.objects.filter(tenant_id=tenant_id, state__in=UNUSED).count()
    if count >= policy.unused_per_tenant:
        raise TooManyUnused(count=count, most=policy.unused_per_tenant)


def expire_holds(*, now: datetime, pool_id: int | None = None) -> int:
    """Let holds lapse whose ten minutes are over, whoever holds them; says how many.

    Idempotent: a hold lapses once, or was submitted first.
    """
    with operator_scope():
        lapsed = Reservation.objects.filter(
            state=ReservationState.HELD, hold_expires_at__lte=now
        ).order_by("pk")
        if pool_id is not None:
            lapsed = lapsed.filter(pool_id=pool_id)
        count = 0
        for reservation in list(lapsed[:500]):
            if move(reservation, ReservationState.EXPIRED, actor=SYSTEM):
                release(reservation.claim_id, at=now)
                count += 1
        return count
