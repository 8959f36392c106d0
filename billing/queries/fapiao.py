"""Fapiao for reading: a tenant's list, the centre's queue, one with its lines."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from django.db.models import Case, IntegerField, QuerySet, Value, When

from billing.models import Fapiao, FapiaoState, TaxProfile
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require

WAITING = (FapiaoState.REQUESTED, FapiaoState.ISSUING, FapiaoState.RED_PENDING)


def tax_profile(*, actor: Actor, tenant_id: UUID) -> TaxProfile | None:
    """Whom a tenant's fapiao are made out to; None before anybody said so."""
    require(actor, Permission.FAPIAO_READ, tenant_id)
    return TaxProfile.objects.filter(tenant_id=tenant_id).first()


def fapiao_page(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[Fapiao]:
    """A tenant's fapiao, red letters among them, newest first.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.FAPIAO_READ, tenant_id)
    rows = Fapiao.objects.filter(tenant_id=tenant_id).select_related("original")
    return newest_first(rows, cursor=cursor, limit=limit)


def fapiao_of(*, actor: Actor, tenant_id: UUID, fapiao_id: UUID) -> Fapiao:
    """One of a tenant's fapiao with its lines. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.FAPIAO_READ, tenant_id)
    return _one(Fapiao.objects.filter(tenant_id=tenant_id), fapiao_id)


def fapiao_at_desk(*, actor: Actor, fapiao_id: UUID) -> Fapiao:
    """One fapiao of any tenant with its lines, for the centre. Raises: NotFound."""
    require(actor, Permission.FAPIAO_ISSUE)
    return _one(Fapiao.objects.select_related("tenant"), fapiao_id)


def _one(rows: QuerySet[Fapiao], fapiao_id: UUID) -> Fapiao:
    found = (
        rows.select_related("original")
        .prefetch_related("lines", "covers__invoice", "covers__top_up", "red_letters")
        .filter(pk=fapiao_id)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def left_to_take_back(fapiao: Fapiao) -> Decimal:
    """What a red letter may still take of a fapiao read by these queries."""
    red = (one.gross for one in fapiao.red_letters.all() if one.state != FapiaoState.FAILED)
    return fapiao.gross + sum(red, Decimal(0))


def fapiao_queue(
    *, actor: Actor, state: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Fapiao]:
    """Every tenant's fapiao, newest first; without a state those that wait for somebody.

    Raises: PermissionRefused, InvalidInput. Needs operator scope.
    """
    require(actor, Permission.FAPIAO_ISSUE)
    rows = Fapiao.objects.select_related("tenant", "original")
    if state == "all":
        pass
    elif state == "overdue":
        rows = rows.filter(is_overdue=True)
    elif state:
        rows = rows.filter(state=state)
    else:
        rows = rows.filter(state__in=WAITING)
    return newest_first(rows, cursor=cursor, limit=limit)


def exported(*, actor: Actor, fapiao_ids: Iterable[UUID]) -> tuple[Fapiao, ...]:
    """What was handed to the tax software, with lines, in order of asking."""
    require(actor, Permission.FAPIAO_ISSUE)
    rows = Fapiao.objects.select_related("original").prefetch_related("lines")
    return tuple(rows.filter(pk__in=list(fapiao_ids)).order_by("requested_at", "pk"))


def with_tax_system(*, actor: Actor) -> tuple[UUID, ...]:
    """What the tax software has and has not answered, and red letters it may issue now."""
    require(actor, Permission.FAPIAO_ISSUE)
    order = Case(
        When(state=FapiaoState.ISSUING, then=Value(0)),
        default=Value(1),
        output_field=IntegerField(),
    )
    waiting = Fapiao.objects.filter(state=FapiaoState.ISSUING) | Fapiao.objects.filter(
        state=FapiaoState.RED_PENDING
    ).exclude(red_confirmation_number="")
    return tuple(waiting.order_by(order, "pk").values_list("pk", flat=True)[:500])
