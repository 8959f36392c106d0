"""That a deployment was stopped for its tenant's arrears, and what became of it after."""

from collections.abc import Mapping

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from appliances.models.deployment import Deployment
from billing.arrears import ResourceClass
from tenants.models import TenantOwned


class InterruptionState(models.TextChoices):
    WAITING = "waiting", _("Waiting for payment")
    RESUMED = "resumed", _("Started again")
    FAILED = "failed", _("Could not be started again")
    GIVEN_UP = "given_up", _("Given up")


S = InterruptionState

# Each is tried once: what could not be started again is the tenant's to deploy.
INTERRUPTION_TRANSITIONS: Mapping[InterruptionState, frozenset[InterruptionState]] = {
    S.WAITING: frozenset({S.RESUMED, S.FAILED, S.GIVEN_UP}),
    S.RESUMED: frozenset(),
    S.FAILED: frozenset(),
    S.GIVEN_UP: frozenset(),
}


class Interruption(TenantOwned):
    """One deployment's stop for arrears; ``resumed_as`` is the deployment started in its place."""

    deployment = models.OneToOneField(Deployment, on_delete=models.PROTECT, related_name="+")
    resource_class = models.CharField(max_length=12, choices=ResourceClass.choices)
    state = models.CharField(
        max_length=12, choices=InterruptionState.choices, default=InterruptionState.WAITING
    )
    stopped_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    resumed_as = models.OneToOneField(
        Deployment, on_delete=models.PROTECT, related_name="+", null=True
    )
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=InterruptionState.values)
                & Q(resource_class__in=ResourceClass.values),
                name="appliances_interruption_known",
            ),
            models.CheckConstraint(
                condition=Q(state=InterruptionState.RESUMED, resumed_as__isnull=False)
                | (~Q(state=InterruptionState.RESUMED) & Q(resumed_as__isnull=True)),
                name="appliances_interruption_resumed_as",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant"],
                name="appliances_interruption_waits",
                condition=Q(state=InterruptionState.WAITING),
            ),
        ]
