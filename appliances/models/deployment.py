"""A tenant's running appliance."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class DeploymentState(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    PLACING = "placing", _("Placing")
    STARTING = "starting", _("Starting")
    READY = "ready", _("Ready")
    DEGRADED = "degraded", _("Degraded")
    STOPPING = "stopping", _("Stopping")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")


S = DeploymentState

# A card may be seen running before we saw it placed, so a move may skip states forward.
TRANSITIONS: Mapping[DeploymentState, frozenset[DeploymentState]] = {
    S.REQUESTED: frozenset({S.PLACING, S.STARTING, S.STOPPING, S.STOPPED, S.FAILED}),
    S.PLACING: frozenset({S.STARTING, S.STOPPING, S.STOPPED, S.FAILED}),
    S.STARTING: frozenset({S.READY, S.STOPPING, S.STOPPED, S.FAILED}),
    S.READY: frozenset({S.DEGRADED, S.STOPPING, S.STOPPED, S.FAILED}),
    S.DEGRADED: frozenset({S.READY, S.STOPPING, S.STOPPED, S.FAILED}),
    S.STOPPING: frozenset({S.STOPPED, S.FAILED}),
    S.STOPPED: frozenset(),
    S.FAILED: frozenset(),
}

# Which states cost money. The amount is the engine's own account of the workload's cards, which
# run from the start of the process to its end; in the other states no card works for the tenant.
BILLED: Mapping[DeploymentState, bool] = {
    S.REQUESTED: False,
    S.PLACING: False,
    S.STARTING: True,
    S.READY: True,
    S.DEGRADED: True,
    S.STOPPING: True,
    S.STOPPED: False,
    S.FAILED: False,
}
BILLED_STATES = frozenset(state for state, billed in BILLED.items() if billed)
LIVE_STATES = frozenset({S.REQUESTED, S.PLACING, S.STARTING, S.READY, S.DEGRADED, S.STOPPING})
ROUTED_STATES = frozenset({S.READY, S.DEGRADED})


class Deployment(TenantOwned):
    """One appliance version running for one project, reached under one model name.

    Shape: inside a reservation ``reservation_id`` is set; on demand it runs in ``pool_code`` until
    ``until``. ``service_class`` is its workload's. ``workload_id`` is compute's row;
    ``last_lines`` are the engine's own words; ``gave_up`` marks a stop that the sweeper asked for,
    which ends as failed.
    """

    project = models.ForeignKey("tenants.Project", on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey("appliances.Version", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    served_model_name = models.CharField(max_length=100)
    state = models.CharField(
        max_length=12, choices=DeploymentState.choices, default=DeploymentState.REQUESTED
    )
    reservation_id = models.UUIDField(null=True)
    service_class = models.CharField(max_length=20, default="on_demand")
    pool_code = models.CharField(max_length=60)
    chip = models.CharField(max_length=60)
    cards = models.PositiveIntegerField()
    until = models.DateTimeField(null=True)
    workload_id = models.UUIDField(null=True)
    endpoint = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    last_lines = models.TextField(blank=True)
    created_at = models.DateTimeField()
    state_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    probed_at = models.DateTimeField(null=True)
    probe_lease_until = models.DateTimeField(null=True)
    probe_failures = models.PositiveSmallIntegerField(default=0)
    gave_up = models.BooleanField(default=False)

    class Meta:
        constraints = [
            # Two live deployments under one name would make a call's target a matter of luck.
            models.UniqueConstraint(
                fields=["tenant", "served_model_name"],
                condition=models.Q(state__in=sorted(LIVE_STATES)),
                name="appliances_deployment_served_name_live",
            ),
            models.UniqueConstraint(
                fields=["workload_id"], name="appliances_deployment_workload_key"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=DeploymentState.values),
                name="appliances_deployment_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    reservation_id__isnull=True,
                    service_class__in=["on_demand", "shared", "urgent"],
                )
                | models.Q(reservation_id__isnull=False, service_class="covered"),
                name="appliances_deployment_class_known",
            ),
            models.CheckConstraint(
                condition=models.Q(cards__gte=1), name="appliances_deployment_cards_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(reservation_id__isnull=False) | models.Q(until__isnull=False),
                name="appliances_deployment_has_an_end",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=sorted(ROUTED_STATES)) | ~models.Q(endpoint=""),
                name="appliances_deployment_ready_has_endpoint",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="appliances_deployment_recent"),
            models.Index(
                fields=["state_at"],
                condition=models.Q(state__in=sorted(LIVE_STATES)),
                name="appliances_deployment_live",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def is_billed(self) -> bool:
        return DeploymentState(self.state) in BILLED_STATES
