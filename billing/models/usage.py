"""What was measured: series, events, the keys that make them count once, and hourly buckets."""

from django.db import models
from django.db.models.functions import Now

from billing.meters import Aggregation
from billing.models.fields import TransactionIdField
from tenants.models import TenantOwned
from tenants.scoping import TenantManager


class Series(TenantOwned):
    """One combination of meter, project, dimensions and quoted price that a tenant has used.

    Shape: ``key`` is the MD5 of the canonical combination, so that every process finds the same
    row; events and buckets name the series by its short number instead of repeating the text.
    ``aggregation`` and ``holds_for_seconds`` are the meter's of when the series began: how a meter
    counts never changes for what it has counted.
    """

    # Short, where every tenant's own rows have a random one: it is repeated in the largest tables.
    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    key = models.UUIDField()
    meter = models.CharField(max_length=60)
    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True
    )
    dimensions = models.JSONField()
    price = models.ForeignKey(
        "billing.Price", on_delete=models.PROTECT, related_name="+", null=True, db_index=False
    )
    aggregation = models.CharField(max_length=20, db_default=Aggregation.SUM)
    holds_for_seconds = models.PositiveIntegerField(db_default=0)

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="billing_series_key"),
        ]


class UsageBatch(TenantOwned):
    """One accepted call of ingest; tells the accrual which tenants have something new."""

    received_at = models.DateTimeField(db_default=Now())
    accepted = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    xact = TransactionIdField(db_default=models.Func(function="pg_current_xact_id"))

    class Meta:
        indexes = [models.Index(fields=["tenant", "xact"], name="billing_usagebatch_xact")]


class EventKey(models.Model):
    """That an event was counted: 16 bytes of identity and 16 of content, kept across all days.

    Shape: hash-partitioned by ``key`` (MD5 of tenant, source and id); ``payload`` is the MD5 of
    what the event said, so that the same id with other content is told from a repetition. ``at``
    leads to the event's own day; None for keys of before it was kept.
    """

    key = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey(
        "tenants.Organisation",
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    payload = models.UUIDField()
    at = models.DateTimeField(null=True)

    objects = TenantManager()


class UsageEvent(models.Model):
    """One measured fact, append-only, partitioned by the day of service.

    Shape: ``kind`` is "usage", or that of the ``Correction`` whose difference the row books: only
    then may the quantity be below zero.
    """

    key = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey(
        "tenants.Organisation",
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    series = models.ForeignKey(
        Series, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # None for what was counted before periods were kept.
    period = models.ForeignKey(
        "billing.BillingPeriod",
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_constraint=False,
        db_index=False,
    )
    at = models.DateTimeField()
    quantity = models.BigIntegerField()
    source = models.CharField(max_length=100)
    event_id = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, db_default="usage")
    received_at = models.DateTimeField(db_default=Now())
    xact = TransactionIdField(db_default=models.Func(function="pg_current_xact_id"))

    objects = TenantManager()


class EventValue(models.Model):
    """What an event of a ``unique`` meter said of the dimension whose values are counted."""

    key = models.UUIDField(primary_key=True)
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()
    value = models.CharField(max_length=100)

    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["series", "at"], name="billing_eventvalue_series")]


class UsageBucket(models.Model):
    """What one series used in one clock hour, as one billing period counts it.

    Shape: a projection of the events, kept in their transaction. Usage that comes in after its
    hour's period was closed stands in a later period under the same hour. The database refuses
    any change to the buckets of a closed period.
    """

    pk = models.CompositePrimaryKey("series_id", "hour", "period_id")
    series = models.ForeignKey(
        Series, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    hour = models.DateTimeField()
    period = models.ForeignKey(
        "billing.BillingPeriod",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    quantity = models.BigIntegerField()
    events = models.BigIntegerField()

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["period", "series", "hour"], name="billing_usagebucket_period"),
        ]


class RejectedEvent(TenantOwned):
    """An event that was not counted, kept with its reason for the sender to see."""

    source = models.CharField(max_length=100)
    event_id = models.CharField(max_length=200)
    code = models.CharField(max_length=40)
    payload = models.JSONField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "-received_at"], name="billing_rejected_recent")]
