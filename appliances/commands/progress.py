"""Moving deployments by what their workloads and their model servers show."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from appliances.commands.deployments import STOPPING_LIMIT, begin_stopping
from appliances.models import LIVE_STATES, TRANSITIONS, Deployment, DeploymentState
from appliances.probing import ProbeOutcome, ProbeTarget
from compute.commands import workloads
from compute.models import Workload, WorkloadState
from tenants import audit
from tenants.permissions import Actor, Permission, require

STARTING_LIMIT = timedelta(minutes=30)
PROBE_LEASE = timedelta(seconds=90)
# One unlucky look must not take a model off the air.
AGREEING_FAILURES = 2

S = DeploymentState
W = WorkloadState
PROBED_STATES = frozenset({S.STARTING, S.READY, S.DEGRADED})
UNSETTLED_STATES = frozenset({S.REQUESTED, S.PLACING, S.STARTING, S.STOPPING})


@dataclass(frozen=True)
class Look:
    """Where a deployment stands after a look at its workload.

    Shape: ``target`` is whom to probe now, where this caller holds the lease for it.
    """

    state: DeploymentState
    target: ProbeTarget | None = None

    @property
    def is_settled(self) -> bool:
        return self.state not in UNSETTLED_STATES


@transaction.atomic
def look(*, actor: Actor, deployment_id: UUID, now: datetime) -> Look | None:
    """Follow the workload, enforce deadlines, and take the lease for a probe; None if not there.

    Idempotent: moves are conditional, so of two callers at once one moves and one probes.
    """
    require(actor, Permission.DEPLOYMENT_STOP)
    deployment = _found(deployment_id)
    if deployment is None:
        return None
    if deployment.state in LIVE_STATES:
        workload = _workload_of(deployment)
        if workload is not None:
            _follow(actor, deployment, workload, now)
        _enforce_deadline(actor, deployment_id, now)
        deployment = _found(deployment_id) or deployment
        target = _lease(deployment, workload, now)
    else:
        target = None
    return Look(state=S(deployment.state), target=target)


@transaction.atomic
def record_probe(
    *, actor: Actor, deployment_id: UUID, outcome: ProbeOutcome, now: datetime
) -> DeploymentState | None:
    """Write down what a probe saw: ready when well, degraded after two agreeing failures."""
    require(actor, Permission.DEPLOYMENT_STOP)
    rows = Deployment.objects.filter(pk=deployment_id, state__in=PROBED_STATES)
    if outcome.well:
        rows.update(probed_at=now, probe_lease_until=None, probe_failures=0)
        well = Deployment.objects.filter(pk=deployment_id).first()
        if well is not None and well.state != S.READY:
            # The first time a deployment is ready stays, however often it comes back.
            _move(actor, well, S.READY, now, ready_at=well.ready_at or now, reason="")
    else:
        rows.update(
            probed_at=now,
            probe_lease_until=None,
            probe_failures=F("probe_failures") + 1,
            reason=outcome.detail,
        )
        unwell = Deployment.objects.filter(pk=deployment_id, state=S.READY).first()
        if unwell is not None and unwell.probe_failures >= AGREEING_FAILURES:
            _move(actor, unwell, S.DEGRADED, now)
    after = Deployment.objects.filter(pk=deployment_id).first()
    return S(after.state) if after is not None else None


def _found(deployment_id: UUID) -> Deployment | None:
    rows = Deployment.objects.select_related("version__appliance", "version__profile")
    return rows.filter(pk=deployment_id).first()


def _workload_of(deployment: Deployment) -> Workload | None:
    if deployment.workload_id is None:
        return None
    return Workload.objects.filter(pk=deployment.workload_id).first()


def _follow(actor: Actor, deployment: Deployment, workload: Workload, now: datetime) -> None:
    """One move, if the workload's state asks for one."""
    state = W(workload.state)
    if state is W.PLACING:
        _move(actor, deployment, S.PLACING, now)
    elif state in {W.STARTING, W.RUNNING}:
        _started(actor, deployment, workload, now)
    elif state is W.STOPPING and deployment.state != S.STOPPING:
        begin_stopping(
            actor=actor, deployment=deployment, reason=workload.reason, gave_up=False, now=now
        )
    elif state is W.STOPPED or (state in {W.FAILED, W.LOST} and deployment.state == S.STOPPING):
        _ended(actor, deployment, workload, S.FAILED if deployment.gave_up else S.STOPPED, now)
    elif state in {W.FAILED, W.LOST}:
        _ended(actor, deployment, workload, S.FAILED, now)


def _started(actor: Actor, deployment: Deployment, workload: Workload, now: datetime) -> None:
    if deployment.state in {S.REQUESTED, S.PLACING}:
        _move(actor, deployment, S.STARTING, now, deadline_at=now + STARTING_LIMIT)
    if workload.endpoint and workload.endpoint != deployment.endpoint:
        # An engine that started it again may have put it elsewhere.
        Deployment.objects.filter(pk=deployment.pk, state__in=PROBED_STATES).update(
            endpoint=workload.endpoint.rstrip("/")
        )


def _ended(
    actor: Actor, deployment: Deployment, workload: Workload, to: DeploymentState, now: datetime
) -> None:
    _move(
        actor,
        deployment,
        to,
        now,
        reason=(deployment.reason if deployment.gave_up else workload.reason)[:500],
        last_lines="\n".join(workload.last_lines),
        ended_at=workload.ended_at or now,
        deadline_at=None,
        probe_lease_until=None,
    )


def _enforce_deadline(actor: Actor, deployment_id: UUID, now: datetime) -> None:
    late = Deployment.objects.filter(pk=deployment_id, deadline_at__lte=now).first()
    if late is None:
        return
    if late.state == S.STOPPING:
        # Asked again rather than given up: while it holds cards it must not look ended.
        if late.workload_id is not None:
            workloads.stop(actor=actor, workload_id=late.workload_id, now=now)
        Deployment.objects.filter(pk=late.pk, state=S.STOPPING).update(
            deadline_at=now + STOPPING_LIMIT
        )
        return
    reason = _("It was %(state)s for too long.") % {"state": late.get_state_display()}
    if late.reason:
        reason = _("%(what)s The last look: %(seen)s") % {"what": reason, "seen": late.reason}
    begin_stopping(actor=actor, deployment=late, reason=reason, gave_up=True, now=now)


def _lease(deployment: Deployment, workload: Workload | None, now: datetime) -> ProbeTarget | None:
    """Take the right to probe for a while; None where another holds it or there is no endpoint."""
    taken = (
        Deployment.objects.filter(pk=deployment.pk, state__in=PROBED_STATES)
        .exclude(endpoint="")
        .filter(Q(probe_lease_until=None) | Q(probe_lease_until__lte=now))
        .update(probe_lease_until=now + PROBE_LEASE)
    )
    if not taken:
        return None
    return ProbeTarget(
        endpoint=deployment.endpoint,
        health_path=workload.health_path if workload else "/health",
        model=deployment.served_model_name,
        api=deployment.version.appliance.api,
        thorough=deployment.state != S.READY,
    )


def _move(
    actor: Actor, deployment: Deployment, to: DeploymentState, now: datetime, **fields: object
) -> bool:
    """Move where the table allows it; says whether this call did it."""
    sources = [state for state, targets in TRANSITIONS.items() if to in targets]
    if to is S.READY:
        fields.setdefault("deadline_at", None)
    moved = Deployment.objects.filter(pk=deployment.pk, state__in=sources).update(
        state=to, state_at=now, **fields
    )
    if moved:
        audit.record(
            actor,
            f"appliances.deployment.{to.value}",
            subject=f"appliances.deployment:{deployment.pk}",
            tenant_id=deployment.tenant_id,
            detail={"from": deployment.state},
        )
    return bool(moved)
