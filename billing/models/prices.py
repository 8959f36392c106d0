"""The price book and the tax table, shared by all tenants."""

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7


class VersionState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")


class PriceVersion(models.Model):
    """A whole price list from an instant on; the database refuses edits once it is published."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(
        max_length=20, choices=VersionState.choices, default=VersionState.DRAFT
    )
    title = models.CharField(max_length=100, blank=True)
    currency = models.CharField(max_length=3, default="CNY")
    effective_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    published_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["effective_at"],
                condition=models.Q(state=VersionState.PUBLISHED),
                name="billing_priceversion_one_per_instant",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=VersionState.values),
                name="billing_priceversion_state_known",
            ),
        ]


class Price(models.Model):
    """What a unit of one meter costs where ``match`` is part of the usage's dimensions.

    Units: ``unit_price`` is net, per ``unit_quantity`` base units of the meter.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(PriceVersion, on_delete=models.PROTECT, related_name="prices")
    meter = models.CharField(max_length=60)
    match = models.JSONField(default=dict)
    sku = models.CharField(max_length=80)
    title_en = models.CharField(max_length=150)
    title_zh = models.CharField(max_length=150)
    model = models.CharField(max_length=20, default="flat")
    unit_price = models.DecimalField(max_digits=30, decimal_places=15)
    unit_quantity = models.BigIntegerField()
    tax_code = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "meter", "match"], name="billing_price_one_per_match"
            ),
            models.UniqueConstraint(fields=["version", "sku"], name="billing_price_one_per_sku"),
            models.CheckConstraint(
                condition=models.Q(unit_price__gte=0) & models.Q(unit_quantity__gt=0),
                name="billing_price_amounts",
            ),
        ]


class TaxRate(models.Model):
    """The rate of one tax code over a half-open stretch of time; stretches never overlap."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tax_code = models.CharField(max_length=40)
    rate = models.DecimalField(max_digits=6, decimal_places=5)
    during = DateTimeRangeField()
    title_en = models.CharField(max_length=100)
    title_zh = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rate__gte=0) & models.Q(rate__lt=1),
                name="billing_taxrate_sane",
            ),
        ]
