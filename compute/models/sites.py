"""Where cards stand: centres, their clusters, the pools sold from them, and nodes."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

CODE = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?$",
    _("Use lower-case letters, digits and hyphens."),
)


class Centre(models.Model):
    """One computing centre: a site with its clusters."""

    code = models.CharField(max_length=60, unique=True, validators=[CODE])
    name_en = models.CharField(max_length=100)
    name_zh = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name_en


class Cluster(models.Model):
    """One scheduler and how to reach it.

    Shape: ``connection`` holds addresses and paths, never a secret: a credential is named by the
    file or variable that holds it. ``last_synced_at`` is the last complete answer; what is shown
    of a cluster is as old as that, and says so.
    """

    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="clusters")
    code = models.CharField(max_length=60, unique=True, validators=[CODE])
    name = models.CharField(max_length=100)
    engine = models.CharField(max_length=40)
    connection = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    version = models.CharField(max_length=100, blank=True)
    last_synced_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    usage_cursor = models.TextField(blank=True)
    usage_read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Pool(models.Model):
    """Cards of one chip model in one cluster, sold together; its profile says how many are free."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="pools")
    chip = models.ForeignKey("compute.ChipModel", on_delete=models.PROTECT, related_name="pools")
    profile = models.OneToOneField("compute.Profile", on_delete=models.PROTECT, related_name="pool")
    code = models.CharField(max_length=60, unique=True, validators=[CODE])
    name_en = models.CharField(max_length=100)
    name_zh = models.CharField(max_length=100)
    gres = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "gres"], name="compute_pool_gres_key"),
        ]

    def __str__(self) -> str:
        return self.name_en


class NodeState(models.TextChoices):
    UP = "up", _("Up")
    DRAINING = "draining", _("Draining")
    DRAINED = "drained", _("Drained")
    DOWN = "down", _("Down")
    UNKNOWN = "unknown", _("Unknown")


class NodeOrder(models.TextChoices):
    """What an operator wants of a node, whatever its scheduler last said of it."""

    DRAIN = "drain", _("Drain")
    RESUME = "resume", _("Resume")


class OrderState(models.TextChoices):
    NONE = "none", _("None")
    ASKED = "asked", _("Asked")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")


# An order that is not carried out yet may be replaced by the opposite one.
ORDER_TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.NONE: frozenset({OrderState.ASKED}),
    OrderState.ASKED: frozenset({OrderState.ASKED, OrderState.DONE, OrderState.REFUSED}),
    OrderState.DONE: frozenset({OrderState.ASKED}),
    OrderState.REFUSED: frozenset({OrderState.ASKED}),
}


class Node(models.Model):
    """One machine as last seen, and what an operator wants of it.

    Shape: ``state`` is only ever what the scheduler said. ``order`` is what was asked of the
    scheduler; its generation tells an answer to this order from one to an earlier order.
    Units: whole cards, memory in MiB.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="nodes")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="nodes")
    name = models.CharField(max_length=100)
    cards = models.PositiveIntegerField()
    cards_allocated = models.PositiveIntegerField(default=0)
    cpus = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=20, choices=NodeState.choices, default=NodeState.UNKNOWN)
    reason = models.CharField(max_length=500, blank=True)
    observed_at = models.DateTimeField(null=True)
    order = models.CharField(max_length=20, choices=NodeOrder.choices, blank=True, default="")
    order_state = models.CharField(
        max_length=20, choices=OrderState.choices, default=OrderState.NONE
    )
    order_reason = models.CharField(max_length=500, blank=True, default="")
    order_answer = models.CharField(max_length=500, blank=True, default="")
    order_generation = models.PositiveIntegerField(default=0)
    ordered_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="compute_node_name_key"),
            models.CheckConstraint(
                condition=models.Q(state__in=NodeState.values), name="compute_node_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(order="", order_state="none", ordered_at__isnull=True)
                | models.Q(
                    order__in=["drain", "resume"],
                    order_state__in=["asked", "done", "refused"],
                    ordered_at__isnull=False,
                ),
                name="compute_node_order_known",
            ),
        ]
        indexes = [
            models.Index(fields=["pool", "name"], name="compute_node_by_pool"),
            models.Index(
                fields=["ordered_at"],
                name="compute_node_asked",
                condition=models.Q(order_state="asked"),
            ),
        ]

    def __str__(self) -> str:
        return self.name
