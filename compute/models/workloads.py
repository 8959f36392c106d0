"""What runs on cards: services and jobs, and what the engine's accounting says of them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from tenants.models import TenantOwned
from tenants.scoping import TenantManager


class WorkloadState(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    PLACING = "placing", _("Placing")
    STARTING = "starting", _("Starting")
    RUNNING = "running", _("Running")
    STOPPING = "stopping", _("Stopping")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")
    LOST = "lost", _("Lost")


S = WorkloadState

TRANSITIONS: dict[WorkloadState, frozenset[WorkloadState]] = {
    S.REQUESTED: frozenset({S.PLACING, S.STOPPED}),
    S.PLACING: frozenset({S.STARTING, S.RUNNING, S.STOPPING, S.STOPPED, S.FAILED, S.LOST}),
    S.STARTING: frozenset({S.RUNNING, S.STOPPING, S.STOPPED, S.FAILED, S.LOST}),
    S.RUNNING: frozenset({S.STOPPING, S.STOPPED, S.FAILED, S.LOST}),
    S.STOPPING: frozenset({S.STOPPED, S.FAILED, S.LOST}),
    S.STOPPED: frozenset(),
    S.FAILED: frozenset(),
    S.LOST: frozenset(),
}

TERMINAL = frozenset(state for state, nexts in TRANSITIONS.items() if not nexts)
# The engine may know it, so it is observed.
ON_ENGINE = frozenset({S.PLACING, S.STARTING, S.RUNNING, S.STOPPING})


class Kind(models.TextChoices):
    SERVICE = "service", _("Service")
    JOB = "job", _("Job")


class ServiceClass(models.TextChoices):
    """What work is sold as: the first three are chosen, the last is what a reservation gives."""

    ON_DEMAND = "on_demand", _("On demand")
    SHARED = "shared", _("Shared")
    URGENT = "urgent", _("Urgent")
    COVERED = "covered", _("Covered")


CHOSEN_CLASSES = frozenset(ServiceClass) - {ServiceClass.COVERED}


class Workload(TenantOwned):
    """One thing run on cards, in a reservation or of a class of its own until an instant.

    Shape: ``argv`` is a list, never a shell string; ``subject`` names what it was made for
    ("appliances.deployment:<id>"); ``last_lines`` are the engine's own last words.
    ``absences`` counts observations in a row that did not find it. ``service_class`` is fixed: the
    database refuses to change it.
    """

    project = models.ForeignKey("tenants.Project", on_delete=models.PROTECT, related_name="+")
    pool = models.ForeignKey("compute.Pool", on_delete=models.PROTECT, related_name="+")
    reservation = models.ForeignKey(
        "compute.Reservation", on_delete=models.PROTECT, related_name="workloads", null=True
    )
    claim = models.OneToOneField("compute.Claim", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    service_class = models.CharField(
        max_length=20, choices=ServiceClass.choices, default=ServiceClass.ON_DEMAND
    )
    argv = ArrayField(models.TextField())
    env = models.JSONField(default=dict)
    health_path = models.CharField(max_length=200, default="/health")
    cards = models.PositiveIntegerField()
    until = models.DateTimeField()
    subject = models.CharField(max_length=200)
    state = models.CharField(
        max_length=20, choices=WorkloadState.choices, default=WorkloadState.REQUESTED
    )
    price_id = models.UUIDField(null=True)
    gross = models.DecimalField(max_digits=20, decimal_places=6, null=True)

    generation = models.PositiveIntegerField(default=1)
    endpoint = models.CharField(max_length=300, blank=True)
    node = models.CharField(max_length=100, blank=True)
    cards_detail = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    engine_job_id = models.CharField(max_length=100, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    last_lines = ArrayField(models.TextField(), default=list, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    observed_at = models.DateTimeField(null=True)
    absences = models.PositiveSmallIntegerField(default=0)

    stop_requested_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    attention = models.CharField(max_length=500, blank=True)
    money_settled_at = models.DateTimeField(null=True)

    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=WorkloadState.values),
                name="compute_workload_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=Kind.values), name="compute_workload_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    reservation__isnull=True, service_class__in=sorted(CHOSEN_CLASSES)
                )
                | models.Q(reservation__isnull=False, service_class=ServiceClass.COVERED),
                name="compute_workload_class_known",
            ),
            models.CheckConstraint(condition=models.Q(cards__gt=0), name="compute_workload_some"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="compute_workload_recent"),
            models.Index(fields=["pool", "state"], name="compute_workload_by_state"),
        ]

    @property
    def engine_key(self) -> str:
        """The name the engine knows it by, made from the row alone."""
        return f"acp-w-{self.pk.hex}"

    @property
    def money_key(self) -> str:
        return f"workload:{self.pk}"

    @property
    def audit_subject(self) -> str:
        return f"compute.workload:{self.pk}"


class EngineUsage(models.Model):
    """One accounting row of an engine, kept once and followed until it ends.

    Shape: ``billed_until`` is how far usage events were made of it. A row of no workload of ours
    has no tenant and is shown to operators as unbilled, with ``reason``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", null=True
    )
    cluster = models.ForeignKey(
        "compute.Cluster", on_delete=models.PROTECT, related_name="usage_rows"
    )
    workload = models.ForeignKey(
        Workload, on_delete=models.PROTECT, related_name="usage_rows", null=True
    )
    record_key = models.CharField(max_length=200)
    workload_key = models.CharField(max_length=200)
    reservation_key = models.CharField(max_length=200, blank=True)
    engine_job_id = models.CharField(max_length=100)
    node = models.CharField(max_length=100)
    gres = models.CharField(max_length=60)
    cards = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    seen_until = models.DateTimeField()
    billed_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "record_key"], name="compute_engineusage_record_key"
            ),
        ]
        indexes = [
            models.Index(fields=["workload", "started_at"], name="compute_usage_by_workload"),
        ]
