"""Issued invoices: rows that never change, down to the bucket hours behind each charge."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class InvoiceCounter(models.Model):
    """The last number an issuer gave in a year; locked while an invoice takes the next one."""

    issuer = models.CharField(max_length=20)
    year = models.PositiveSmallIntegerField()
    last_sequence = models.PositiveIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "year"], name="billing_invoicecounter_key"),
        ]


class Invoice(TenantOwned):
    """What a tenant owes for a period. Written once, whole; corrections are later documents."""

    issuer = models.CharField(max_length=20)
    year = models.PositiveSmallIntegerField()
    sequence = models.PositiveIntegerField()
    number = models.CharField(max_length=40, unique=True)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    currency = models.CharField(max_length=3)
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    gross = models.DecimalField(max_digits=18, decimal_places=2)
    line_count = models.PositiveIntegerField()
    buyer_code = models.CharField(max_length=40)
    buyer_name = models.CharField(max_length=200)
    buyer_credit_code = models.CharField(max_length=18, blank=True)
    seller_name = models.CharField(max_length=200)
    seller_credit_code = models.CharField(max_length=18, blank=True)
    issued_at = models.DateTimeField()
    content_hash = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64, blank=True)
    # Which fields the hash covers: they grow with the product, and old hashes stay checkable.
    hash_version = models.PositiveSmallIntegerField(default=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "year", "sequence"], name="billing_invoice_sequence"
            ),
            models.CheckConstraint(
                condition=models.Q(period_end__gt=models.F("period_start")),
                name="billing_invoice_period",
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax")),
                name="billing_invoice_total",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-period_end", "-id"], name="billing_invoice_recent"),
        ]


# Of what an issue writes many of, each refers to its tenant's rows with the tenant, as every such
# table does. Constraints on the bare id and on the tenant alone would look for the same rows again.
class Charge(TenantOwned):
    """One rated quantity: all use at one price, tax rate and month under one project and look.

    Shape: ``key`` names the running total it belongs to, whose earlier parts stand on earlier
    invoices; ``quantity`` is what this invoice adds to it, less than zero where use was taken
    back. Its lines say what it costs, its segments which bucket hours it is made of.
    """

    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, related_name="charges", db_constraint=False
    )
    key = models.UUIDField()
    price = models.ForeignKey("billing.Price", on_delete=models.PROTECT, related_name="+")
    quantity = models.BigIntegerField()
    service_from = models.DateTimeField()
    service_to = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(service_to__gt=models.F("service_from")),
                name="billing_charge_period",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "key"], name="billing_charge_running")]


class ChargeSegment(TenantOwned):
    """Hours of one series, from the first to before the last, whose buckets a charge counts.

    Shape: of these hours it counts the buckets of its own invoice's periods and no others.
    """

    # Short, where every tenant's own rows have a random one: nothing refers to it.
    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="segments", db_constraint=False
    )
    series = models.ForeignKey(
        "billing.Series",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="billing_chargesegment_not_empty",
            ),
        ]


class LineKind(models.TextChoices):
    USAGE = "usage", _("Usage")
    TRUE_UP = "true_up", _("True-up")
    ADJUSTMENT = "adjustment", _("Adjustment")


class InvoiceLine(TenantOwned):
    """One priced part of an invoice, in whole fen.

    Shape: usage lines are the ``portion``s of their charge (a flat price has one, tiers have one
    each) and say the difference to what earlier invoices booked of the same running total, so
    both quantity and money may be below zero. Other kinds have neither charge nor price.
    ``priced_quantity`` is what the unit price was multiplied with, ``quantity`` what was metered.
    ``is_late`` marks use of an earlier, already invoiced period, which keeps its own service
    period; a zero price is a line like any other, so that covered usage is seen.
    """

    tenant = models.ForeignKey(
        "tenants.Organisation", on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, related_name="lines", db_constraint=False
    )
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=LineKind.choices, default=LineKind.USAGE)
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="lines", null=True, db_constraint=False
    )
    portion = models.CharField(max_length=40, default="flat")
    price = models.ForeignKey(
        "billing.Price", on_delete=models.PROTECT, related_name="+", null=True
    )
    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True
    )
    project_name = models.CharField(max_length=100, blank=True)
    meter = models.CharField(max_length=60, blank=True)
    sku = models.CharField(max_length=80)
    title_en = models.CharField(max_length=150)
    title_zh = models.CharField(max_length=150)
    dimensions = models.JSONField(default=dict)
    service_from = models.DateTimeField()
    service_to = models.DateTimeField()
    is_late = models.BooleanField(default=False)
    quantity = models.BigIntegerField()
    priced_quantity = models.BigIntegerField()
    list_unit_price = models.DecimalField(max_digits=30, decimal_places=15)
    unit_price = models.DecimalField(max_digits=30, decimal_places=15)
    unit_quantity = models.BigIntegerField()
    tax_code = models.CharField(max_length=40)
    tax_rate = models.DecimalField(max_digits=6, decimal_places=5)
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    gross = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "position"], name="billing_invoiceline_position"
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax")),
                name="billing_invoiceline_total",
            ),
            models.CheckConstraint(
                condition=models.Q(service_to__gt=models.F("service_from")),
                name="billing_invoiceline_period",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=LineKind.USAGE, charge__isnull=False, price__isnull=False)
                | models.Q(
                    kind__in=[LineKind.TRUE_UP, LineKind.ADJUSTMENT], charge=None, price=None
                ),
                name="billing_invoiceline_kind",
            ),
        ]


class InvoicePayment(TenantOwned):
    """What was paid on an invoice, by one ledger transaction; a refund gives back below zero."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    transaction = models.ForeignKey(
        "billing.LedgerTransaction", on_delete=models.PROTECT, related_name="+"
    )
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    paid_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(amount=0), name="billing_invoicepayment_not_zero"
            ),
        ]
