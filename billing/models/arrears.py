"""How a tenant stands with what it owes: its tier, its standing with deadlines, and every move."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.arrears import COVERED, ArrearsState, Deadlines, Figures
from common.ids import uuid7
from tenants.models import TenantOwned


class ArrearsTier(models.Model):
    """One customer tier; its figures are dated rows of their own."""

    code = models.CharField(max_length=20, primary_key=True)
    title_en = models.CharField(max_length=100)
    title_zh = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField(default=0)
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="billing_arrearstier_one_default",
            ),
        ]


class ArrearsFigures(models.Model):
    """A tier's figures from an instant on. Append-only: a change is a later row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tier = models.ForeignKey(ArrearsTier, on_delete=models.PROTECT, related_name="figures")
    effective_at = models.DateTimeField()
    on_demand_grace_hours = models.PositiveIntegerField()
    on_demand_retention_hours = models.PositiveIntegerField()
    reserved_grace_hours = models.PositiveIntegerField()
    reserved_retention_hours = models.PositiveIntegerField()
    warning_days = models.PositiveIntegerField()
    urgent_days = models.PositiveIntegerField()
    checkpoint_minutes = models.PositiveIntegerField()
    payment_days = models.PositiveIntegerField()
    source = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "arrears figures"
        constraints = [
            models.UniqueConstraint(
                fields=["tier", "effective_at"], name="billing_arrearsfigures_key"
            ),
            models.CheckConstraint(
                condition=Q(urgent_days__lte=F("warning_days")) & Q(checkpoint_minutes__gte=1),
                name="billing_arrearsfigures_sane",
            ),
        ]

    @property
    def as_figures(self) -> Figures:
        return Figures(
            on_demand_grace_hours=self.on_demand_grace_hours,
            on_demand_retention_hours=self.on_demand_retention_hours,
            reserved_grace_hours=self.reserved_grace_hours,
            reserved_retention_hours=self.reserved_retention_hours,
            warning_days=self.warning_days,
            urgent_days=self.urgent_days,
            checkpoint_minutes=self.checkpoint_minutes,
            payment_days=self.payment_days,
        )


class ArrearsTerms(TenantOwned):
    """What was agreed with one tenant: its tier, days to pay, and a whitelisting that ends.

    Shape: without a row, or without a value, the default tier's figures hold.
    """

    tier = models.ForeignKey(ArrearsTier, on_delete=models.PROTECT, related_name="+", null=True)
    payment_days = models.PositiveIntegerField(null=True)
    exempt_from = models.DateTimeField(null=True)
    exempt_until = models.DateTimeField(null=True)
    exempt_reason = models.CharField(max_length=500, blank=True)
    exempt_by = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "arrears terms"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="billing_arrearsterms_one_per_tenant"),
            models.CheckConstraint(
                condition=Q(exempt_until__isnull=True)
                | (Q(exempt_until__gt=F("exempt_from")) & ~Q(exempt_reason="")),
                name="billing_arrearsterms_exemption_ends",
            ),
        ]


_DEADLINES = (
    "on_demand_freeze_at",
    "on_demand_release_at",
    "reserved_freeze_at",
    "reserved_release_at",
)


class ArrearsStanding(TenantOwned):
    """How a tenant stands, and the deadlines of its arrears where it is in any.

    Shape: ``episode`` names one run of arrears from grace until it is paid; the amounts are those
    of the last assessment. The database lets only the moves of ``arrears.TRANSITIONS`` happen and
    none before its deadline.
    """

    state = models.CharField(
        max_length=12, choices=ArrearsState.choices, default=ArrearsState.NORMAL
    )
    state_at = models.DateTimeField()
    episode = models.UUIDField(null=True)
    owing_since = models.DateTimeField(null=True)
    on_demand_freeze_at = models.DateTimeField(null=True)
    on_demand_release_at = models.DateTimeField(null=True)
    reserved_freeze_at = models.DateTimeField(null=True)
    reserved_release_at = models.DateTimeField(null=True)
    checkpoint_minutes = models.PositiveIntegerField(default=10)
    exempt_until = models.DateTimeField(null=True)
    amount_needed = models.DecimalField(max_digits=24, decimal_places=2, default=Decimal(0))
    daily_spend = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    days_left = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    warn_below = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    assessed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], name="billing_arrearsstanding_one_per_tenant"
            ),
            models.CheckConstraint(
                condition=Q(state__in=ArrearsState.values),
                name="billing_arrearsstanding_state_known",
            ),
            # In arrears all deadlines stand on the row; otherwise there is none to enforce.
            models.CheckConstraint(
                condition=(
                    Q(state__in=sorted(COVERED), episode__isnull=True, owing_since__isnull=True)
                    & Q(**{f"{name}__isnull": True for name in _DEADLINES})
                )
                | (
                    ~Q(state__in=sorted(COVERED))
                    & Q(episode__isnull=False, owing_since__isnull=False)
                    & Q(**{f"{name}__isnull": False for name in _DEADLINES})
                ),
                name="billing_arrearsstanding_deadlines",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"],
                name="billing_arrears_not_normal",
                condition=~Q(state=ArrearsState.NORMAL),
            ),
        ]

    @property
    def deadlines(self) -> Deadlines | None:
        """The stored deadlines, None outside arrears."""
        if (
            self.on_demand_freeze_at is None
            or self.on_demand_release_at is None
            or self.reserved_freeze_at is None
            or self.reserved_release_at is None
        ):
            return None
        return Deadlines(
            on_demand_freeze_at=self.on_demand_freeze_at,
            on_demand_release_at=self.on_demand_release_at,
            reserved_freeze_at=self.reserved_freeze_at,
            reserved_release_at=self.reserved_release_at,
        )


class MoveCause(models.TextChoices):
    ASSESSED = "assessed", _("Assessed")
    PAID = "paid", _("Paid in")
    OPERATOR = "operator", _("Decided by an operator")


class ArrearsMove(TenantOwned):
    """One move of a standing, with the money it was decided by. Append-only."""

    from_state = models.CharField(max_length=12, choices=ArrearsState.choices)
    to_state = models.CharField(max_length=12, choices=ArrearsState.choices)
    at = models.DateTimeField()
    cause = models.CharField(max_length=12, choices=MoveCause.choices)
    episode = models.UUIDField(null=True)
    funds = models.DecimalField(max_digits=24, decimal_places=6)
    overdue = models.DecimalField(max_digits=24, decimal_places=6)
    daily_spend = models.DecimalField(max_digits=24, decimal_places=6)
    # The order of moves made at one instant.
    sequence = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "sequence"], name="billing_arrearsmove_sequence"
            ),
        ]


class SpendSample(TenantOwned):
    """What a tenant had come to owe in all at one instant of an hour; the forecast's memory.

    Shape: ``spent`` is everything invoiced and everything used since; the first reading of an
    hour is kept, and those older than the forecast looks back are dropped.
    """

    hour = models.DateTimeField()
    at = models.DateTimeField()
    spent = models.DecimalField(max_digits=24, decimal_places=6)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "hour"], name="billing_spendsample_hour"),
        ]


class InvoiceDue(TenantOwned):
    """When an invoice has to be paid, by the terms at its issue. Append-only."""

    invoice = models.OneToOneField(
        "billing.Invoice", on_delete=models.PROTECT, related_name="due", db_index=False
    )
    payment_days = models.PositiveIntegerField()
    due_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "invoice due dates"
