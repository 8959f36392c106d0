"""Centres, clusters and pools: making them, and changing how many cards they have."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.ids import uuid7
from common.period import Period
from compute.commands.claims import constraint_of, release, take
from compute.locks import lock_pool
from compute.models import (
    CapacityChange,
    Centre,
    ChipModel,
    Claim,
    ClaimKind,
    Cluster,
    Pool,
    Profile,
)
from compute.models.sites import CODE
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


class CodeTaken(DomainError):
    code = "code_taken"
    status = 409
    message = gettext_lazy("This code is already in use.")


class CapacityInUse(DomainError):
    """Cards that are sold or in use cannot be taken away."""

    code = "capacity_in_use"
    status = 409
    message = gettext_lazy("More cards are taken from then on than would be left.")


@transaction.atomic
def create_centre(*, actor: Actor, code: str, name_en: str, name_zh: str) -> Centre:
    """Open a centre. Raises: PermissionRefused, InvalidInput, CodeTaken."""
    require(actor, Permission.POOL_MANAGE)
    _check_code(code)
    _check_free(Centre, code)
    centre = Centre.objects.create(code=code, name_en=name_en[:100], name_zh=name_zh[:100])
    record(actor, "compute.centre.created", subject=f"compute.centre:{code}")
    return centre


@transaction.atomic
def register_cluster(
    *,
    actor: Actor,
    centre_code: str,
    code: str,
    name: str,
    engine: str,
    connection: Mapping[str, str],
) -> Cluster:
    """Bring a scheduler under management; it is first spoken to by the next sweep.

    Shape: ``connection`` names addresses and files, never a secret itself.
    Raises: PermissionRefused, NotFound, InvalidInput, CodeTaken.
    """
    require(actor, Permission.POOL_MANAGE)
    _check_code(code)
    centre = Centre.objects.filter(code=centre_code).first()
    if centre is None:
        raise NotFound
    _check_free(Cluster, code)
    cluster = Cluster.objects.create(
        centre=centre, code=code, name=name[:100], engine=engine, connection=dict(connection)
    )
    record(
        actor,
        "compute.cluster.registered",
        subject=f"compute.cluster:{code}",
        detail={"engine": engine},
    )
    return cluster


@transaction.atomic
def create_pool(
    *,
    actor: Actor,
    cluster_code: str,
    code: str,
    chip_code: str,
    gres: str,
    name_en: str,
    name_zh: str,
    cards: int,
    now: datetime,
) -> Pool:
    """Make a pool of the cards of one chip model in one cluster, with so many cards from now on.

    Raises: PermissionRefused, NotFound, InvalidInput, CodeTaken.
    """
    require(actor, Permission.POOL_MANAGE)
    _check_code(code)
    cluster = Cluster.objects.filter(code=cluster_code).first()
    chip = ChipModel.objects.filter(pk=chip_code).first()
    if cluster is None or chip is None:
        raise NotFound
    _check_free(Pool, code)
    if Pool.objects.filter(cluster=cluster, gres=gres).exists():
        raise CodeTaken
    profile = Profile.objects.create()
    pool = Pool.objects.create(
        cluster=cluster,
        chip=chip,
        profile=profile,
        code=code,
        gres=gres,
        name_en=name_en[:100],
        name_zh=name_zh[:100],
    )
    # Reservations begin on whole minutes, and the running minute may still be asked for.
    minute = now.replace(second=0, microsecond=0)
    CapacityChange.objects.create(profile=profile, at=minute, cards=cards, reason="created")
    record(
        actor,
        "compute.pool.created",
        subject=f"compute.pool:{code}",
        detail={"chip": chip_code, "cards": cards},
    )
    return pool


@transaction.atomic
def change_capacity(
    *, actor: Actor, pool_code: str, cards: int, at: datetime, reason: str
) -> CapacityChange:
    """Have so many cards in a pool from an instant until the next change already dated.

    Locks: the pool.
    Idempotent: the number already in force then changes nothing.
    Raises: PermissionRefused, NotFound, PoolBusy, CapacityInUse.
    """
    require(actor, Permission.POOL_MANAGE)
    pool = _pool(pool_code)
    lock_pool(pool.pk)
    dated = CapacityChange.objects.filter(profile_id=pool.profile_id, at__lte=at)
    in_force = dated.order_by("-at", "-pk").first()
    if in_force is not None and in_force.cards == cards:
        return in_force
    try:
        with transaction.atomic():
            change = CapacityChange.objects.create(
                profile_id=pool.profile_id, at=at, cards=cards, reason=reason[:200]
            )
    except IntegrityError as error:
        if constraint_of(error) != "compute_segment_within_capacity":
            raise
        raise CapacityInUse from error
    record(
        actor,
        "compute.pool.capacity_changed",
        subject=f"compute.pool:{pool_code}",
        detail={"at": at.isoformat(), "cards": cards, "reason": reason},
    )
    return change


@transaction.atomic
def plan_maintenance(
    *,
    actor: Actor,
    pool_code: str,
    cards: int,
    period: Period,
    reason: str,
    key: UUID | None = None,
) -> Claim:
    """Take cards out of sale for a period; refused where they are already sold.

    Locks: the pool.
    Idempotent: by ``key`` where one is given; the second call changes nothing.
    Raises: PermissionRefused, NotFound, PoolBusy, NotEnoughCapacity.
    """
    require(actor, Permission.NODE_MANAGE)
    pool = _pool(pool_code)
    lock_pool(pool.pk)
    subject = f"compute.maintenance:{key or uuid7()}"
    planned = Claim.objects.filter(profile_id=pool.profile_id, subject=subject).first()
    if planned is not None:
        return planned
    claim = take(
        profile_id=pool.profile_id,
        tenant_id=None,
        cards=cards,
        period=period,
        kind=ClaimKind.MAINTENANCE,
        subject=subject,
    )
    record(
        actor,
        "compute.maintenance.planned",
        subject=claim.subject,
        detail={"pool": pool_code, "cards": cards, "reason": reason},
    )
    return claim


@transaction.atomic
def end_maintenance(*, actor: Actor, claim_id: UUID, now: datetime) -> None:
    """Give the cards back to sale from now on. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.NODE_MANAGE)
    claim = Claim.objects.filter(pk=claim_id, kind=ClaimKind.MAINTENANCE).first()
    if claim is None:
        raise NotFound
    release(claim.pk, at=now)
    record(actor, "compute.maintenance.ended", subject=claim.subject)


def _pool(code: str) -> Pool:
    pool = Pool.objects.filter(code=code).first()
    if pool is None:
        raise NotFound
    return pool


def _check_code(code: str) -> None:
    try:
        CODE(code)
    except ValidationError as error:
        fault = FieldError(
            "/code", "invalid_code", _("Use lower-case letters, digits and hyphens.")
        )
        raise InvalidInput(errors=[fault]) from error


def _check_free(model: type[models.Model], code: str) -> None:
    if model._default_manager.filter(code=code).exists():
        raise CodeTaken
