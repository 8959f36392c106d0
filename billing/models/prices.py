"""The price book and the tax table, shared by all tenants."""

from collections.abc import Mapping

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.money import CURRENCIES, CURRENCY
from common.ids import uuid7


class VersionState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Submitted")
    PUBLISHED = "published", _("Published")


# A list that ships with the product has no author and is published from its draft.
VERSION_TRANSITIONS: Mapping[VersionState, frozenset[VersionState]] = {
    VersionState.DRAFT: frozenset({VersionState.SUBMITTED, VersionState.PUBLISHED}),
    VersionState.SUBMITTED: frozenset({VersionState.DRAFT, VersionState.PUBLISHED}),
    VersionState.PUBLISHED: frozenset(),
}


class PriceVersion(models.Model):
    """A whole price list of one currency from an instant on; the database refuses edits once it is
    published.

    Shape: ``authors`` are the ids of everybody who changed the draft; none of them publishes it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(
        max_length=20, choices=VersionState.choices, default=VersionState.DRAFT
    )
    title = models.CharField(max_length=100, blank=True)
    currency = models.CharField(max_length=3, default=CURRENCY)
    effective_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    published_by = models.CharField(max_length=200, blank=True)
    published_by_id = models.UUIDField(null=True)
    authors = ArrayField(models.UUIDField(), default=list, blank=True)
    drafted_by = models.CharField(max_length=200, blank=True)
    submitted_by = models.CharField(max_length=200, blank=True)
    submitted_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "effective_at"],
                condition=models.Q(state=VersionState.PUBLISHED),
                name="billing_priceversion_one_per_instant",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__in=CURRENCIES),
                name="billing_priceversion_currency_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=VersionState.values),
                name="billing_priceversion_state_known",
            ),
        ]


class Price(models.Model):
    """What a unit of one meter costs where ``match`` is part of the usage's dimensions.

    Shape: ``tiers`` is a list of {up_to, unit_price, fee}, amounts as text, for models that have
    tiers.
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
    tiers = models.JSONField(default=list)

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


class SpotPrice(models.Model):
    """What a unit of a spot SKU costs from one whole hour until the next quote's hour.

    Units: net, per the unit quantity of the SKU's price in the list.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sku = models.CharField(max_length=80)
    currency = models.CharField(max_length=3, default=CURRENCY)
    starts_at = models.DateTimeField()
    unit_price = models.DecimalField(max_digits=30, decimal_places=15)
    quoted_at = models.DateTimeField()
    quoted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sku", "currency", "starts_at"], name="billing_spotprice_key"
            ),
            models.CheckConstraint(
                condition=models.Q(unit_price__gte=0)
                & models.Q(starts_at__gte=models.F("quoted_at")),
                name="billing_spotprice_ahead",
            ),
        ]


class TaxChangeState(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")


TAX_CHANGE_TRANSITIONS: Mapping[TaxChangeState, frozenset[TaxChangeState]] = {
    TaxChangeState.PROPOSED: frozenset({TaxChangeState.APPROVED, TaxChangeState.REJECTED}),
    TaxChangeState.APPROVED: frozenset(),
    TaxChangeState.REJECTED: frozenset(),
}


class TaxChange(models.Model):
    """A rate that one person proposes from a whole hour on and another one approves."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(
        max_length=20, choices=TaxChangeState.choices, default=TaxChangeState.PROPOSED
    )
    tax_code = models.CharField(max_length=40)
    rate = models.DecimalField(max_digits=6, decimal_places=5)
    starts_at = models.DateTimeField()
    title_en = models.CharField(max_length=100)
    title_zh = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    proposed_by_id = models.UUIDField()
    proposed_by = models.CharField(max_length=200)
    proposed_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=TaxChangeState.values)
                & (models.Q(state=TaxChangeState.PROPOSED) | models.Q(decided_at__isnull=False)),
                name="billing_taxchange_state_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=TaxChangeState.APPROVED)
                | (
                    models.Q(decided_by_id__isnull=False)
                    & ~models.Q(decided_by_id=models.F("proposed_by_id"))
                ),
                name="billing_taxchange_four_eyes",
            ),
            models.CheckConstraint(
                condition=models.Q(rate__gte=0) & models.Q(rate__lt=1),
                name="billing_taxchange_sane",
            ),
        ]


class TaxRate(models.Model):
    """The rate of one tax code over a half-open stretch of time; stretches never overlap.

    Shape: ``change`` is what made it; None for a rate that ships with the product.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tax_code = models.CharField(max_length=40)
    rate = models.DecimalField(max_digits=6, decimal_places=5)
    during = DateTimeRangeField()
    title_en = models.CharField(max_length=100)
    title_zh = models.CharField(max_length=100)
    change = models.ForeignKey(TaxChange, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rate__gte=0) & models.Q(rate__lt=1),
                name="billing_taxrate_sane",
            ),
        ]
