"""Chip models: what a card is, how sure we are, and whether it may be sold."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

TFLOPS_PER_PFLOPS = Decimal(1000)


class Confidence(models.TextChoices):
    HIGH = "high", _("High")
    MEDIUM = "medium", _("Medium")
    LOW = "low", _("Low")
    UNVERIFIED = "unverified", _("Unverified")


class ChipModel(models.Model):
    """One accelerator as the catalogue describes it; null is "not found", never zero.

    Units: memory in the vendor's nominal GB; TFLOPS are dense, without sparsity. ``facts`` is the
    catalogue's whole row with its sources and contradicting values, for whoever needs more.
    """

    code = models.CharField(max_length=60, primary_key=True)
    family = models.CharField(max_length=40)
    vendor_en = models.CharField(max_length=60)
    vendor_zh = models.CharField(max_length=60)
    name = models.CharField(max_length=120)
    aliases = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    memory_gb = models.PositiveIntegerField(null=True)
    memory_bandwidth_gbps = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    dense_fp16_tflops = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    interconnect = models.CharField(max_length=120, blank=True)
    tdp_watts = models.PositiveIntegerField(null=True)
    dies_per_card = models.PositiveSmallIntegerField(default=1)
    confidence = models.CharField(max_length=20, choices=Confidence.choices)
    notes = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    signed_off_at = models.DateTimeField(null=True)
    signed_off_by = models.UUIDField(null=True)
    evidence = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confidence__in=Confidence.values),
                name="compute_chipmodel_confidence_known",
            ),
            models.CheckConstraint(
                # A sign-off without what it rests on is no sign-off.
                condition=models.Q(signed_off_at__isnull=True) | ~models.Q(evidence=""),
                name="compute_chipmodel_signed_with_evidence",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def sellable(self) -> bool:
        """Sure enough to put a price on: by its sources, or by an operator's sign-off."""
        return self.signed_off_at is not None or self.confidence in {
            Confidence.HIGH,
            Confidence.MEDIUM,
        }

    @property
    def petaflops(self) -> Decimal | None:
        """P of one card: PFLOPS of dense FP16; None where no source states it."""
        if self.dense_fp16_tflops is None:
            return None
        return self.dense_fp16_tflops / TFLOPS_PER_PFLOPS
