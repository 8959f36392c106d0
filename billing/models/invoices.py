"""Issued invoices: rows that never change, down to the bucket hours behind each line."""

from django.db import models

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
                condition=models.Q(gross=models.F("net") + models.F("tax"))
                & models.Q(net__gte=0)
                & models.Q(tax__gte=0),
                name="billing_invoice_total",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-period_end", "-id"], name="billing_invoice_recent"),
        ]


class InvoiceLine(TenantOwned):
    """One rated quantity: rounded here, once, half up, to the fen.

    Shape: ``is_late`` marks usage of an earlier, already invoiced period, which keeps its own
    service period; a zero price is a line like any other, so that covered usage is seen.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    price = models.ForeignKey("billing.Price", on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True
    )
    project_name = models.CharField(max_length=100, blank=True)
    meter = models.CharField(max_length=60)
    sku = models.CharField(max_length=80)
    title_en = models.CharField(max_length=150)
    title_zh = models.CharField(max_length=150)
    dimensions = models.JSONField(default=dict)
    service_from = models.DateTimeField()
    service_to = models.DateTimeField()
    is_late = models.BooleanField(default=False)
    quantity = models.BigIntegerField()
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
                condition=models.Q(service_to__gt=models.F("service_from"))
                & models.Q(quantity__gte=0)
                & models.Q(net__gte=0)
                & models.Q(tax__gte=0),
                name="billing_invoiceline_sane",
            ),
        ]


class Allocation(TenantOwned):
    """How much of one bucket stands on one invoice line; writing it marks the bucket as billed."""

    # Short, where every tenant's own rows have a random one: it is repeated in the largest tables.
    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    line = models.ForeignKey(
        InvoiceLine, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    series = models.ForeignKey("billing.Series", on_delete=models.PROTECT, related_name="+")
    hour = models.DateTimeField()
    quantity = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["line", "series", "hour"], name="billing_allocation_once_per_line"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0), name="billing_allocation_positive"
            ),
        ]


class InvoicePayment(TenantOwned):
    """What was paid on an invoice, by one ledger transaction."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    transaction = models.ForeignKey(
        "billing.LedgerTransaction", on_delete=models.PROTECT, related_name="+"
    )
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    paid_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gt=0), name="billing_invoicepayment_positive"
            ),
        ]
