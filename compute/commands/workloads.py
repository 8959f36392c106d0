"""Asking for work to run on cards, and for it to stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.commands.holds import set_hold
from billing.queries.arrears import refuse_in_arrears
from billing.queries.budgets import refuse_when_reached
from billing.queries.prices import PriceMissing, Quote
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.ids import uuid7
from common.nudge import after_commit
from common.period import Period
from compute.commands.claims import shortage, take
from compute.commands.giving_way import give_way
from compute.commands.holding import expire_holds
from compute.commands.taking import project_for
from compute.commands.workload_moves import ask_to_stop, workload_of
from compute.engines import ServiceClass, WorkloadKind
from compute.locks import lock_pool
from compute.meters import COVERED
from compute.models import ClaimKind, Pool, Reservation, ReservationState, Workload
from compute.models.workloads import TERMINAL
from compute.queries.classes import ServiceClassNotOffered, honoured
from compute.queries.quotes import quote_used
from compute.queries.sale import pool_for_sale
from tenants.audit import record
from tenants.models import Project
from tenants.permissions import Actor, Permission, require

USUAL_RUN = timedelta(hours=24)
LONGEST_RUN = timedelta(days=7)
SHORTEST_RUN = timedelta(minutes=2)

MOST_ARGUMENTS = 200
LONGEST_ARGUMENT = 8_000
MOST_VARIABLES = 100


class ReservationNotActive(DomainError):
    """Work runs in a reservation only while it is active."""

    code = "reservation_not_active"
    status = 409
    message = gettext_lazy("The reservation is not active.")


@dataclass(frozen=True)
class Place:
    """Where work takes its cards from, until when, and what that costs."""

    pool: Pool
    profile_id: int
    until: datetime
    reservation: Reservation | None = None
    price_id: UUID | None = None
    gross: Decimal | None = None


@transaction.atomic
def request_workload(
    *,
    actor: Actor,
    project_id: UUID,
    kind: WorkloadKind,
    argv: Sequence[str],
    env: Mapping[str, str],
    cards: int,
    subject: str,
    now: datetime,
    reservation_id: UUID | None = None,
    pool_code: str | None = None,
    until: datetime | None = None,
    health_path: str = "/health",
    service_class: str | None = None,
) -> Workload:
    """Take cards and have the work started on them, in a reservation or on demand.

    Units: whole cards. On demand runs a day unless told, a week at most, and has its whole price
    set aside; in a reservation it costs nothing more and ends with it. A ``service_class`` is
    chosen outside reservations only, and is on demand unless told.
    Locks: the account, then the pool; work inside a reservation takes the reservation's profile.
    Raises: PermissionRefused, ArrearsRefused, BudgetReached, NotFound, InvalidInput,
    ReservationNotActive, PoolNotSold, ServiceClassNotOffered, PriceMissing, InsufficientFunds,
    PoolBusy, NotEnoughCapacity.
    """
    project = project_for(actor, Permission.DEPLOYMENT_CREATE, project_id)
    refuse_in_arrears(project.tenant_id, Permission.DEPLOYMENT_CREATE, now)
    refuse_when_reached(project.tenant_id, project.pk, now)
    _check(argv, env, cards, health_path, reservation_id, pool_code)
    given = class_given(reservation_id=reservation_id, service_class=service_class)
    workload_id = uuid7()
    if reservation_id is not None:
        place = _in_reservation(project, reservation_id, until, now)
    else:
        place = _on_demand(actor, project, pool_code or "", given, cards, until, workload_id, now)
    claim = take(
        profile_id=place.profile_id,
        tenant_id=project.tenant_id,
        cards=cards,
        period=Period(now, place.until),
        kind=ClaimKind.WORKLOAD,
        subject=f"compute.workload:{workload_id}",
    )
    workload = Workload.objects.create(
        id=workload_id,
        tenant_id=project.tenant_id,
        project=project,
        pool=place.pool,
        reservation=place.reservation,
        claim=claim,
        kind=kind,
        service_class=given,
        argv=list(argv),
        env=dict(env),
        health_path=health_path,
        cards=cards,
        until=place.until,
        subject=subject[:200],
        price_id=place.price_id,
        gross=place.gross,
        created_by=actor.id,
    )
    _record_request(actor, workload)
    after_commit("compute.drive_workload", workload_id=workload.pk)
    return workload


def _record_request(actor: Actor, workload: Workload) -> None:
    record(
        actor,
        "compute.workload.requested",
        subject=workload.audit_subject,
        tenant_id=workload.tenant_id,
        detail={
            "pool": workload.pool.code,
            "cards": workload.cards,
            "class": workload.service_class,
            "for": workload.subject,
        },
    )


def _in_reservation(
    project: Project, reservation_id: UUID, until: datetime | None, now: datetime
) -> Place:
    reservation = (
        Reservation.objects.select_related("pool__cluster", "pool__chip")
        .filter(pk=reservation_id, project=project)
        .first()
    )
    if reservation is None:
        raise NotFound
    if reservation.state != ReservationState.ACTIVE or reservation.ends_at <= now + SHORTEST_RUN:
        raise ReservationNotActive
    until = min(until or reservation.ends_at, reservation.ends_at)
    _check_until(until, now, longest=reservation.ends_at - now)
    return Place(
        pool=reservation.pool,
        profile_id=reservation.profile_id,
        until=until,
        reservation=reservation,
    )


def _on_demand(
    actor: Actor,
    project: Project,
    pool_code: str,
    service_class: str,
    cards: int,
    until: datetime | None,
    workload_id: UUID,
    now: datetime,
) -> Place:
    until = until or now + USUAL_RUN
    _check_until(until, now, longest=LONGEST_RUN)
    pool = pool_for_sale(pool_code)
    period = Period(now, until)
    quote = _quoted(project, pool, service_class, cards, period, now)
    set_hold(
        actor=actor,
        tenant_id=project.tenant_id,
        key=f"workload:{workload_id}",
        amount=quote.gross,
        expires_at=None,
        now=now,
    )
    lock_pool(pool.pk)
    if shortage(profile_id=pool.profile_id, cards=cards, period=period):
        expire_holds(pool_id=pool.pk, now=now)
        if service_class == ServiceClass.URGENT:
            give_way(pool=pool, cards=cards, period=period, now=now)
    return Place(
        pool=pool,
        profile_id=pool.profile_id,
        until=until,
        price_id=quote.lines[0].price_id,
        gross=quote.gross,
    )


def _quoted(
    project: Project,
    pool: Pool,
    service_class: str,
    cards: int,
    period: Period,
    now: datetime,
) -> Quote:
    """What the whole run costs as the class chosen, where the pool offers that."""
    refusal = ServiceClassNotOffered(pool=pool.code, service_class=service_class)
    if service_class not in honoured(pool):
        raise refusal
    try:
        return quote_used(
            tenant_id=project.tenant_id,
            pool=pool,
            service_class=service_class,
            cards=cards,
            seconds=period.seconds,
            at=now,
        )
    except PriceMissing as missing:
        if service_class == ServiceClass.ON_DEMAND:
            raise
        raise refusal from missing


def _check_until(until: datetime, now: datetime, *, longest: timedelta) -> None:
    if until < now + SHORTEST_RUN:
        fault = FieldError("/until", "too_short", _("Run for two minutes at least."))
    elif until > now + longest:
        fault = FieldError("/until", "too_long", _("The run is too long."))
    else:
        return
    raise InvalidInput(errors=[fault])


def _check(
    argv: Sequence[str],
    env: Mapping[str, str],
    cards: int,
    health_path: str,
    reservation_id: UUID | None,
    pool_code: str | None,
) -> None:
    faults = []
    if not argv or len(argv) > MOST_ARGUMENTS or any(not _sane(word) for word in argv):
        faults.append(FieldError("/argv", "invalid_arguments", _("The command is not valid.")))
    if len(env) > MOST_VARIABLES or any(
        not name.isidentifier() or not _sane(value) for name, value in env.items()
    ):
        faults.append(FieldError("/env", "invalid_environment", _("A variable is not valid.")))
    if cards < 1:
        faults.append(
            FieldError("/cards", "cards_out_of_range", _("Ask for a sensible number of cards."))
        )
    if not health_path.startswith("/") or len(health_path) > 200:
        faults.append(FieldError("/health_path", "invalid_path", _("The path starts with “/”.")))
    if (reservation_id is None) == (pool_code is None):
        faults.append(
            FieldError("/pool", "one_place", _("Name either a reservation or a pool, not both."))
        )
    if faults:
        raise InvalidInput(errors=faults)


def class_given(*, reservation_id: UUID | None, service_class: str | None) -> str:
    """The class work is metered as: what was chosen, or what its reservation gives.

    Raises: InvalidInput for a class that is none, and for one chosen in a reservation.
    """
    if service_class is None:
        return ServiceClass.ON_DEMAND.value if reservation_id is None else COVERED
    if reservation_id is not None:
        code, text = (
            "service_class_in_reservation",
            _("Work in a reservation has no service class to choose."),
        )
    elif service_class not in list(ServiceClass):
        code, text = "unknown_service_class", _("There is no such service class.")
    else:
        return service_class
    raise InvalidInput(errors=[FieldError("/service_class", code, text)])


def _sane(word: str) -> bool:
    return len(word) <= LONGEST_ARGUMENT and "\0" not in word


@transaction.atomic
def stop(*, actor: Actor, workload_id: UUID, now: datetime, reason: str = "") -> Workload:
    """Ask a workload to end; its cards are free once it has.

    Idempotent: stopping what is stopping or has ended changes nothing.
    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.DEPLOYMENT_STOP)
    workload = workload_of(workload_id)
    require(actor, Permission.DEPLOYMENT_STOP, workload.tenant_id)
    if actor.project_id not in {None, workload.project_id}:
        raise NotFound
    if workload.state not in TERMINAL:
        ask_to_stop(workload, actor=actor, reason=reason or _("Stopped on request."), now=now)
    return workload_of(workload_id)
