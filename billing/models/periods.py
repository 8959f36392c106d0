"""Billing periods: the months usage is gathered in until an invoice closes them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class PeriodState(models.TextChoices):
    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")


class BillingPeriod(TenantOwned):
    """A stretch of a tenant's time that one invoice closes; usage is gathered in open ones only.

    Shape: a month of the centre's calendar, cut in two where an invoice ends within it: ``root``
    is then the period it was cut from. Periods of a tenant follow one another without gaps.
    """

    # Short, where every tenant's own rows have a random one: it is repeated in the largest tables.
    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=PeriodState.choices, default=PeriodState.OPEN)
    root = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    invoice = models.ForeignKey(
        "billing.Invoice", on_delete=models.PROTECT, related_name="periods", null=True
    )
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="billing_billingperiod_not_empty",
            ),
            models.CheckConstraint(
                condition=models.Q(state=PeriodState.OPEN, invoice=None, closed_at=None)
                | models.Q(
                    state=PeriodState.CLOSED, invoice__isnull=False, closed_at__isnull=False
                ),
                name="billing_billingperiod_closed_by_invoice",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "starts_at"], name="billing_period_in_order"),
        ]
