"""Settling vouchers with the city: a month's uses of one scheme, row by row."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.credits import CreditUse
from billing.models.vouchers import VoucherScheme
from common.ids import uuid7
from tenants.models import TenantOwned


class BatchState(models.TextChoices):
    DRAFTED = "drafted", _("Drafted")
    SUBMITTED = "submitted", _("Submitted")
    REVIEWED = "reviewed", _("Reviewed")
    PAID = "paid", _("Paid")
    REJECTED = "rejected", _("Rejected")
    CLAWED_BACK = "clawed_back", _("Clawed back")


BATCH_TRANSITIONS: dict[str, frozenset[str]] = {
    BatchState.DRAFTED: frozenset({BatchState.SUBMITTED}),
    BatchState.SUBMITTED: frozenset({BatchState.REVIEWED, BatchState.REJECTED}),
    BatchState.REVIEWED: frozenset({BatchState.PAID, BatchState.REJECTED}),
    BatchState.PAID: frozenset({BatchState.CLAWED_BACK}),
    BatchState.REJECTED: frozenset(),
    BatchState.CLAWED_BACK: frozenset(),
}


class SettlementBatch(models.Model):
    """What the centre asks a scheme's issuer to pay for one month; the operators' own row.

    Shape: ``total`` and ``row_count`` are moved only by the database, from the rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scheme = models.ForeignKey(VoucherScheme, on_delete=models.PROTECT, related_name="+")
    month = models.DateField()
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=20, choices=BatchState.choices, default=BatchState.DRAFTED)
    total = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    row_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scheme", "month", "attempt"], name="billing_settlementbatch_key"
            ),
            models.UniqueConstraint(
                fields=["scheme", "month"],
                condition=~models.Q(state=BatchState.REJECTED),
                name="billing_settlementbatch_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=BatchState.values),
                name="billing_settlementbatch_state_known",
            ),
        ]


class SettlementRow(TenantOwned):
    """One use of a voucher as the city's file states it; copied when the batch is drafted.

    Shape: ``is_live`` ends when the city rejects the batch, which lets the use be asked for again.
    """

    batch = models.ForeignKey(SettlementBatch, on_delete=models.PROTECT, related_name="rows")
    use = models.ForeignKey(CreditUse, on_delete=models.PROTECT, related_name="+")
    is_live = models.BooleanField(default=True)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    tenant_name = models.CharField(max_length=200)
    credit_code = models.CharField(max_length=18, blank=True)
    contract = models.CharField(max_length=100, blank=True)
    invoice_number = models.CharField(max_length=40)
    line_position = models.PositiveIntegerField()
    service_from = models.DateTimeField()
    service_to = models.DateTimeField()
    card_hours = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    line_gross = models.DecimalField(max_digits=18, decimal_places=2)
    share = models.DecimalField(max_digits=5, decimal_places=4)
    origin = models.CharField(max_length=20, blank=True)
    voucher_code = models.CharField(max_length=40)
    evidence = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["use"],
                condition=models.Q(is_live=True),
                name="billing_settlementrow_once",
            ),
        ]
