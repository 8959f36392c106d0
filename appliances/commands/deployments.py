"""Deploying an appliance, stopping it, and trying a failed one again."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from appliances import launching
from appliances.models import (
    LIVE_STATES,
    TRANSITIONS,
    Appliance,
    Deployment,
    DeploymentState,
    ListingState,
    Version,
)
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.ids import uuid7
from common.nudge import after_commit
from compute.commands import workloads
from compute.engines import WorkloadKind
from compute.models import Pool, Reservation
from tenants import audit
from tenants.models import Project
from tenants.permissions import Actor, Permission, require

DEFAULT_LENGTH = timedelta(hours=24)
PLACING_LIMIT = timedelta(minutes=15)
STOPPING_LIMIT = timedelta(minutes=10)
# What model clients may send as "model": it also becomes an argument of the model server.
SERVED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

S = DeploymentState


class ModelNameTaken(DomainError):
    """Another live deployment of the tenant answers under this model name."""

    code = "model_name_taken"
    status = 409
    message = _("Another live deployment already answers as model %(model)s.")


class NotOnThisChip(DomainError):
    """No version of the appliance runs on the pool's chips."""

    code = "appliance_not_on_chip"
    status = 409
    message = _("%(appliance)s has no version for the cards of pool %(pool)s.")


class DeploymentMoveRefused(DomainError):
    """The deployment is not in a state from which this step can be taken."""

    code = "deployment_move_refused"
    status = 409
    message = _("The deployment is %(state)s; this step is not possible now.")


@transaction.atomic
def deploy(
    *,
    actor: Actor,
    project_id: UUID,
    appliance_code: str,
    name: str,
    now: datetime,
    pool_code: str = "",
    reservation_id: UUID | None = None,
    served_model_name: str = "",
    replicas: int = 1,
    until: datetime | None = None,
    service_class: str | None = None,
) -> Deployment:
    """Start an appliance inside a reservation, or on demand in a pool until an instant.

    Shape: give either ``reservation_id`` or ``pool_code``; ``until`` is a day from now by default
    and matters on demand only. The model name is the deployment's name where that can be one.
    ``service_class`` may be chosen with a pool and is on demand unless told.
    Raises: NotFound, InvalidInput, NotOnThisChip, ModelNameTaken, and compute's refusals
    (ServiceClassNotOffered, NotEnoughCapacity, PoolBusy) and billing's (ArrearsRefused,
    InsufficientFunds).
    """
    require(actor, Permission.DEPLOYMENT_CREATE, actor.tenant_id)
    _check_input(name=name, served=served_model_name, replicas=replicas, until=until, now=now)
    project = _project(actor, project_id)
    pool, reservation = _place(project, pool_code, reservation_id)
    version = version_for(appliance_code=appliance_code, pool=pool)
    given = workloads.class_given(reservation_id=reservation_id, service_class=service_class)
    on_demand_until = (until or now + DEFAULT_LENGTH) if reservation is None else None
    deployment = Deployment(
        id=uuid7(),
        tenant_id=project.tenant_id,
        project=project,
        version=version,
        name=name.strip(),
        served_model_name=served_model_name or _model_name(name.strip(), appliance_code),
        reservation_id=reservation.pk if reservation else None,
        service_class=given,
        pool_code=pool.code,
        chip=pool.chip.code,
        cards=version.min_cards,
        until=on_demand_until,
        created_at=now,
        state_at=now,
        deadline_at=now + PLACING_LIMIT,
    )
    _insert(deployment)
    _request_work(actor, deployment, now)
    audit.record(
        actor,
        "appliances.deployment.requested",
        subject=f"appliances.deployment:{deployment.pk}",
        tenant_id=project.tenant_id,
        detail={"appliance": appliance_code, "pool": pool.code, "cards": version.min_cards},
    )
    after_commit("appliances.probe", deployment_id=deployment.pk)
    return Deployment.objects.get(pk=deployment.pk)


def _request_work(actor: Actor, deployment: Deployment, now: datetime) -> None:
    """Have the deployment's workload started, where and as what the deployment says."""
    plan = launching.plan_for(
        version=deployment.version, name=deployment.served_model_name, cards=deployment.cards
    )
    workload = workloads.request_workload(
        actor=actor,
        project_id=deployment.project_id,
        kind=WorkloadKind.SERVICE,
        argv=plan.argv,
        env=dict(plan.env),
        cards=deployment.cards,
        reservation_id=deployment.reservation_id,
        pool_code=None if deployment.reservation_id else deployment.pool_code,
        until=deployment.until,
        subject=f"appliances.deployment:{deployment.pk}",
        health_path=plan.health_path,
        service_class=chosen_class(deployment),
        now=now,
    )
    Deployment.objects.filter(pk=deployment.pk).update(workload_id=workload.pk)


@transaction.atomic
def stop(*, actor: Actor, deployment_id: UUID, now: datetime) -> Deployment:
    """Ask for the end of a deployment; asking again changes nothing.

    Raises: NotFound, DeploymentMoveRefused for one that has already ended.
    """
    require(actor, Permission.DEPLOYMENT_STOP, actor.tenant_id)
    deployment = _visible(actor, Permission.DEPLOYMENT_STOP, deployment_id)
    if deployment.state == S.STOPPING:
        return deployment
    if not begin_stopping(actor=actor, deployment=deployment, reason="", gave_up=False, now=now):
        raise DeploymentMoveRefused(state=deployment.get_state_display())
    return Deployment.objects.get(pk=deployment.pk)


@transaction.atomic
def retry(*, actor: Actor, deployment_id: UUID, now: datetime) -> Deployment:
    """Deploy once more what failed or was stopped, as a new deployment of the same shape."""
    require(actor, Permission.DEPLOYMENT_CREATE, actor.tenant_id)
    old = _visible(actor, Permission.DEPLOYMENT_CREATE, deployment_id)
    if old.state in LIVE_STATES:
        raise DeploymentMoveRefused(state=old.get_state_display())
    return deploy(
        actor=actor,
        project_id=old.project_id,
        appliance_code=old.version.appliance.code,
        name=old.name,
        served_model_name=old.served_model_name,
        pool_code="" if old.reservation_id else old.pool_code,
        reservation_id=old.reservation_id,
        until=old.until if old.until and old.until > now else None,
        service_class=chosen_class(old),
        now=now,
    )


def chosen_class(deployment: Deployment) -> str | None:
    """What to ask of compute for it; nothing is chosen in a reservation."""
    return None if deployment.reservation_id else deployment.service_class


def begin_stopping(
    *, actor: Actor, deployment: Deployment, reason: str, gave_up: bool, now: datetime
) -> bool:
    """Move a live deployment to stopping and its workload with it; False where it was not live."""
    sources = [state for state, targets in TRANSITIONS.items() if S.STOPPING in targets]
    moved = Deployment.objects.filter(pk=deployment.pk, state__in=sources).update(
        state=S.STOPPING,
        state_at=now,
        deadline_at=now + STOPPING_LIMIT,
        reason=reason[:500],
        gave_up=gave_up,
    )
    if not moved:
        return False
    if deployment.workload_id is not None:
        workloads.stop(actor=actor, workload_id=deployment.workload_id, now=now)
    audit.record(
        actor,
        "appliances.deployment.stopping",
        subject=f"appliances.deployment:{deployment.pk}",
        tenant_id=deployment.tenant_id,
        detail={"from": deployment.state, "reason": reason},
    )
    after_commit("appliances.probe", deployment_id=deployment.pk)
    return True


def version_for(*, appliance_code: str, pool: Pool) -> Version:
    """The version on sale that runs on the pool's chips.

    Raises: NotFound where the appliance is not on sale, NotOnThisChip.
    """
    on_sale = Appliance.objects.filter(code=appliance_code, listing=ListingState.LISTED).first()
    if on_sale is None:
        raise NotFound
    versions = Version.objects.filter(appliance=on_sale, withdrawn_at=None)
    versions = versions.select_related("appliance", "profile").order_by("min_cards", "pk")
    found = (
        versions.filter(chip=pool.chip.code).first()
        or versions.filter(chip="", engine_kind=pool.cluster.engine).first()
    )
    if found is None:
        raise NotOnThisChip(appliance=appliance_code, pool=pool.code)
    return found


def _check_input(
    *, name: str, served: str, replicas: int, until: datetime | None, now: datetime
) -> None:
    errors = []
    if not 1 <= len(name.strip()) <= 100:
        errors.append(FieldError("/name", "length", _("Use 1 to 100 characters.")))
    if served and not SERVED_NAME.fullmatch(served):
        text = _("Use up to 63 letters, digits, dots, hyphens and underscores.")
        errors.append(FieldError("/model", "format", text))
    if replicas != 1:
        text = _("A deployment has one replica; deploy once more for another.")
        errors.append(FieldError("/replicas", "unsupported", text))
    if until is not None and until <= now:
        errors.append(FieldError("/until", "past", _("The end must lie in the future.")))
    if errors:
        raise InvalidInput(errors=errors)


def _project(actor: Actor, project_id: UUID) -> Project:
    project = Project.objects.filter(pk=project_id, archived_at=None).first()
    if project is None or actor.project_id not in (None, project_id):
        raise NotFound
    require(actor, Permission.DEPLOYMENT_CREATE, project.tenant_id)
    return project


def _place(
    project: Project, pool_code: str, reservation_id: UUID | None
) -> tuple[Pool, Reservation | None]:
    if bool(pool_code) == (reservation_id is not None):
        text = _("Give either a reservation or a pool.")
        raise InvalidInput(errors=[FieldError("/reservation", "one_of", text)])
    if reservation_id is None:
        pool = Pool.objects.select_related("chip", "cluster").filter(code=pool_code).first()
        if pool is None:
            raise NotFound
        return pool, None
    rows = Reservation.objects.select_related("pool__chip", "pool__cluster")
    reservation = rows.filter(pk=reservation_id, tenant_id=project.tenant_id).first()
    if reservation is None:
        raise NotFound
    return reservation.pool, reservation


def _visible(actor: Actor, permission: Permission, deployment_id: UUID) -> Deployment:
    rows = Deployment.objects.select_related("version__appliance")
    deployment = rows.filter(pk=deployment_id).first()
    if deployment is None or actor.project_id not in (None, deployment.project_id):
        raise NotFound
    require(actor, permission, deployment.tenant_id)
    return deployment


def _model_name(name: str, appliance_code: str) -> str:
    """The deployment's name where a model may be called so, else the appliance's code."""
    return name if SERVED_NAME.fullmatch(name) else appliance_code


def _insert(deployment: Deployment) -> None:
    """Raises: ModelNameTaken, told by the index and not by looking first."""
    try:
        with transaction.atomic():
            deployment.save(force_insert=True, update_fields=None)
    except IntegrityError as error:
        if "served_name_live" not in str(error):
            raise
        raise ModelNameTaken(model=deployment.served_model_name) from error
