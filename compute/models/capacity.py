"""Capacity as law: profiles, their segments, the claims that fill them.

The application writes claims and capacity changes; triggers turn them into segments, and the
segments' constraints refuse whatever takes more than there is. See docs/algorithms/capacity.md.
"""

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from tenants.scoping import TenantManager


class ClaimKind(models.TextChoices):
    RESERVATION = "reservation", _("Reservation")
    WORKLOAD = "workload", _("Workload")
    MAINTENANCE = "maintenance", _("Maintenance")


class Claim(models.Model):
    """Cards taken from a profile for a period; released by shortening, never deleted.

    Shape: ``during`` is what is taken, ``booked`` what was asked for at first; both half-open.
    ``subject`` is "compute.reservation:<id>". Maintenance belongs to no tenant.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", null=True
    )
    profile = models.ForeignKey("compute.Profile", on_delete=models.PROTECT, related_name="claims")
    cards = models.PositiveIntegerField()
    during = DateTimeRangeField()
    booked = DateTimeRangeField()
    kind = models.CharField(max_length=20, choices=ClaimKind.choices)
    subject = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(cards__gt=0), name="compute_claim_some"),
            models.CheckConstraint(
                condition=models.Q(kind__in=ClaimKind.values), name="compute_claim_kind_known"
            ),
            # One live thing takes its cards once.
            models.UniqueConstraint(fields=["subject"], name="compute_claim_subject_key"),
        ]
        indexes = [models.Index(fields=["profile"], name="compute_claim_by_profile")]


class Profile(models.Model):
    """How many cards there are and how many are taken, at every instant.

    Shape: a pool's profile gets its capacity from dated changes; a reservation's profile is backed
    by the reservation's own claim and has exactly its cards for exactly its period.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", null=True
    )
    backing = models.OneToOneField(
        Claim, on_delete=models.PROTECT, related_name="backed_profile", null=True
    )

    class Meta:
        constraints = [
            # Only then does the reference to the claim carry a tenant that PostgreSQL compares.
            models.CheckConstraint(
                condition=models.Q(backing=None) | models.Q(tenant__isnull=False),
                name="compute_profile_backed_is_owned",
            )
        ]


class CapacityChange(models.Model):
    """From ``at`` on the profile has ``cards`` cards, until the next change. Append-only."""

    profile = models.ForeignKey(Profile, on_delete=models.PROTECT, related_name="changes")
    at = models.DateTimeField()
    cards = models.PositiveIntegerField()
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["profile", "at", "id"], name="compute_change_order")]


class Segment(models.Model):
    """A stretch of time in which nothing changes; written by triggers only."""

    profile = models.ForeignKey(Profile, on_delete=models.PROTECT, related_name="segments")
    during = DateTimeRangeField()
    capacity = models.PositiveIntegerField()
    taken = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(taken__lte=models.F("capacity")),
                name="compute_segment_within_capacity",
            ),
        ]


class ReservationPolicy(models.Model):
    """The centre's limits on reserving; one row, its defaults where there is none."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    hold_minutes = models.PositiveIntegerField(default=10)
    unused_per_tenant = models.PositiveIntegerField(default=20)
    longest_days = models.PositiveIntegerField(default=366)
    furthest_days = models.PositiveIntegerField(default=180)
    # Of the time given up by ending early, how much is charged all the same.
    early_end_percent = models.PositiveSmallIntegerField(default=100)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(id=1), name="compute_reservationpolicy_single"
            ),
            models.CheckConstraint(
                condition=models.Q(early_end_percent__lte=100),
                name="compute_reservationpolicy_percent",
            ),
        ]
