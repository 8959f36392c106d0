"""Taking running work off the cards of a tenant in arrears, with notice, one class at a time."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.arrears import ResourceClass
from tenants.models import TenantOwned


class FreezeState(models.TextChoices):
    NOTIFIED = "notified", _("Notice given")
    STOPPING = "stopping", _("Stopping jobs")
    FROZEN = "frozen", _("Frozen")
    RELEASED = "released", _("Given up")
    LIFTED = "lifted", _("Lifted")


S = FreezeState

# A payment lifts a freeze at any time before everything was given up.
FREEZE_TRANSITIONS: dict[FreezeState, frozenset[FreezeState]] = {
    S.NOTIFIED: frozenset({S.STOPPING, S.LIFTED}),
    S.STOPPING: frozenset({S.FROZEN, S.LIFTED}),
    S.FROZEN: frozenset({S.RELEASED, S.LIFTED}),
    S.RELEASED: frozenset(),
    S.LIFTED: frozenset(),
}

OPEN = frozenset({S.NOTIFIED, S.STOPPING, S.FROZEN})


class Freeze(TenantOwned):
    """One class of a tenant's work being stopped for one episode of arrears.

    Shape: until ``stop_at`` everything runs, so that checkpoints can be written; then jobs are
    told to stop, and from ``frozen`` on whoever keeps endpoints stops those. ``deadline_at`` ends
    the waiting: past it what still runs is stopped whatever it is.
    """

    episode = models.UUIDField()
    resource_class = models.CharField(max_length=12, choices=ResourceClass.choices)
    state = models.CharField(
        max_length=12, choices=FreezeState.choices, default=FreezeState.NOTIFIED
    )
    notified_at = models.DateTimeField()
    stop_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # The notice is given once, however many sweepers find the tenant at a time.
            models.UniqueConstraint(
                fields=["tenant", "episode", "resource_class"], name="compute_freeze_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=FreezeState.values)
                & models.Q(resource_class__in=ResourceClass.values),
                name="compute_freeze_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=FreezeState.STOPPING)
                | models.Q(deadline_at__isnull=False),
                name="compute_freeze_stopping_ends",
            ),
            models.CheckConstraint(
                condition=models.Q(stop_at__gt=models.F("notified_at")),
                name="compute_freeze_has_notice",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant"],
                name="compute_freeze_open",
                condition=models.Q(state__in=sorted(OPEN)),
            ),
        ]

    @property
    def subject(self) -> str:
        return f"compute.freeze:{self.pk}"
