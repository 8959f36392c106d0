"""A tenant's right to cards of a pool for a period, with its price."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.period import Period
from tenants.models import TenantOwned


class ReservationState(models.TextChoices):
    HELD = "held", _("Held")
    AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
    CONFIRMED = "confirmed", _("Confirmed")
    ACTIVATING = "activating", _("Activating")
    ACTIVE = "active", _("Active")
    ENDING = "ending", _("Ending")
    ENDED = "ended", _("Ended")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")


S = ReservationState

# ``failed`` is an activation the engine refused or that never succeeded in its period.
TRANSITIONS: dict[ReservationState, frozenset[ReservationState]] = {
    S.HELD: frozenset({S.AWAITING_APPROVAL, S.EXPIRED, S.CANCELLED}),
    S.AWAITING_APPROVAL: frozenset({S.CONFIRMED, S.REJECTED, S.CANCELLED, S.EXPIRED}),
    S.CONFIRMED: frozenset({S.ACTIVATING, S.CANCELLED, S.FAILED}),
    S.ACTIVATING: frozenset({S.ACTIVE, S.FAILED}),
    S.ACTIVE: frozenset({S.ENDING}),
    S.ENDING: frozenset({S.ENDED}),
    S.ENDED: frozenset(),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
    S.CANCELLED: frozenset(),
    S.FAILED: frozenset(),
}

# Asked for and not yet in use: what the cap per tenant counts.
UNUSED = frozenset({S.HELD, S.AWAITING_APPROVAL, S.CONFIRMED})
# Nothing more will happen.
TERMINAL = frozenset(state for state, nexts in TRANSITIONS.items() if not nexts)


class Reservation(TenantOwned):
    """A right to cards of a pool for a half-open period.

    Shape: the price fields are the quote's answer and never change; ``activated_at`` to
    ``ended_at`` is what is charged; ``accrued_until`` is how far it has been charged;
    ``early_end_seconds`` is what is charged on top, for the time given up by ending early.
    ``deadline_at`` ends every state whose name ends in -ing; past it ``attention`` says why.
    """

    project = models.ForeignKey("tenants.Project", on_delete=models.PROTECT, related_name="+")
    pool = models.ForeignKey("compute.Pool", on_delete=models.PROTECT, related_name="+")
    claim = models.OneToOneField("compute.Claim", on_delete=models.PROTECT, related_name="+")
    profile = models.OneToOneField(
        "compute.Profile", on_delete=models.PROTECT, related_name="reservation"
    )
    cards = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(
        max_length=20, choices=ReservationState.choices, default=ReservationState.HELD
    )
    service_class = models.CharField(max_length=20, default="committed")

    price_id = models.UUIDField()
    currency = models.CharField(max_length=3)
    net = models.DecimalField(max_digits=20, decimal_places=6)
    tax = models.DecimalField(max_digits=20, decimal_places=6)
    gross = models.DecimalField(max_digits=20, decimal_places=6)

    hold_expires_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    activated_at = models.DateTimeField(null=True)
    end_requested_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    accrued_until = models.DateTimeField(null=True)
    early_end_seconds = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=500, blank=True)

    generation = models.PositiveIntegerField(default=1)
    engine_nodes = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    attention = models.CharField(max_length=500, blank=True)

    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ReservationState.values),
                name="compute_reservation_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="compute_reservation_period",
            ),
            models.CheckConstraint(
                condition=models.Q(cards__gt=0), name="compute_reservation_some"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="compute_reservation_recent"),
            models.Index(fields=["state", "starts_at"], name="compute_reservation_due"),
            models.Index(fields=["pool", "starts_at"], name="compute_reservation_by_pool"),
        ]

    @property
    def period(self) -> Period:
        return Period(self.starts_at, self.ends_at)

    @property
    def subject(self) -> str:
        return f"compute.reservation:{self.pk}"

    @property
    def engine_key(self) -> str:
        """The name the engine knows it by, made from the row alone."""
        return f"acp-r-{self.pk.hex}"

    @property
    def money_key(self) -> str:
        return f"reservation:{self.pk}"
