"""The invoice run: one row for each tenant whose month has ended, worked off one by one."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from tenants.models import TenantOwned


class RunState(models.TextChoices):
    DRAFTING = "drafting", _("Drafting")
    REVIEW = "review", _("To be reviewed")
    ISSUING = "issuing", _("Issuing")
    DONE = "done", _("Done")


# A done run takes up again when a tenant is found that it did not have.
RUN_TRANSITIONS: dict[str, frozenset[str]] = {
    RunState.DRAFTING: frozenset({RunState.REVIEW, RunState.ISSUING, RunState.DONE}),
    RunState.REVIEW: frozenset({RunState.DRAFTING, RunState.ISSUING, RunState.DONE}),
    RunState.ISSUING: frozenset({RunState.DRAFTING, RunState.REVIEW, RunState.DONE}),
    RunState.DONE: frozenset({RunState.DRAFTING, RunState.REVIEW, RunState.ISSUING}),
}


class RunItemState(models.TextChoices):
    PENDING = "pending", _("Waiting")
    DRAFTED = "drafted", _("Drafted")
    REVIEWED = "reviewed", _("Reviewed")
    ISSUED = "issued", _("Issued")
    EMPTY = "empty", _("Nothing to invoice")
    FAILED = "failed", _("Failed")


RUN_ITEM_TRANSITIONS: dict[str, frozenset[str]] = {
    RunItemState.PENDING: frozenset({RunItemState.FAILED, RunItemState.DRAFTED}),
    RunItemState.DRAFTED: frozenset({RunItemState.PENDING}),
    RunItemState.REVIEWED: frozenset({RunItemState.DRAFTED}),
    # At once where nobody reviews.
    RunItemState.ISSUED: frozenset({RunItemState.PENDING, RunItemState.REVIEWED}),
    RunItemState.EMPTY: frozenset({RunItemState.PENDING, RunItemState.REVIEWED}),
    RunItemState.FAILED: frozenset({RunItemState.PENDING, RunItemState.REVIEWED}),
}


class InvoiceRun(models.Model):
    """The invoices of one month's end. Its rows are the queue; this one only says where it is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    period_end = models.DateTimeField(unique=True)
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.DRAFTING)
    is_automatic = models.BooleanField()
    created_at = models.DateTimeField()
    # Drafting and issuing are worked off by then, or an operator is told.
    deadline_at = models.DateTimeField()
    is_late = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=RunState.values), name="billing_invoicerun_known"
            ),
        ]


class InvoiceRunItem(TenantOwned):
    """One tenant's invoice in a run: drafted with what is odd about it, agreed to, issued.

    Shape: ``oddities`` are codes: first, negative, unpriced, much_more, much_less.
    """

    run = models.ForeignKey(InvoiceRun, on_delete=models.PROTECT, related_name="items")
    state = models.CharField(
        max_length=20, choices=RunItemState.choices, default=RunItemState.PENDING
    )
    net = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    tax = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    gross = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    line_count = models.PositiveIntegerField(null=True)
    last_gross = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    oddities = models.JSONField(default=list)
    drafted_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewer_name = models.CharField(max_length=200, blank=True)
    invoice = models.ForeignKey(
        "billing.Invoice", on_delete=models.PROTECT, related_name="+", null=True
    )
    issued_at = models.DateTimeField(null=True)
    failure_code = models.CharField(max_length=60, blank=True)
    failure = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "tenant"], name="billing_invoicerunitem_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=RunItemState.values),
                name="billing_invoicerunitem_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state=RunItemState.ISSUED, invoice__isnull=False)
                | (~models.Q(state=RunItemState.ISSUED) & models.Q(invoice=None)),
                name="billing_invoicerunitem_issued_has_invoice",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=RunItemState.FAILED) | ~models.Q(failure_code=""),
                name="billing_invoicerunitem_failed_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["run", "state", "id"], name="billing_invoicerunitem_queue"),
        ]
