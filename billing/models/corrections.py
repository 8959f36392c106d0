"""What corrects an invoice: credit notes, disputes over a line, manual adjustments."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class CreditNoteCounter(models.Model):
    """The last credit note number an issuer gave in a year; locked while the next is taken."""

    issuer = models.CharField(max_length=20)
    year = models.PositiveSmallIntegerField()
    last_sequence = models.PositiveIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "year"], name="billing_creditnotecounter_key"
            ),
        ]


class CreditNote(TenantOwned):
    """What is taken back of one invoice. Written once, whole, like the invoice itself.

    Units: figures are what is credited. ``from_due`` was open and is owed no more; ``to_wallet``
    was paid and is paid back. ``to_credits`` went back to the credits that had paid, which made it
    open again first: it is a part of ``from_due``.
    """

    invoice = models.ForeignKey(
        "billing.Invoice", on_delete=models.PROTECT, related_name="credit_notes"
    )
    issuer = models.CharField(max_length=20)
    year = models.PositiveSmallIntegerField()
    sequence = models.PositiveIntegerField()
    number = models.CharField(max_length=40, unique=True)
    is_full = models.BooleanField()
    reason = models.CharField(max_length=500)
    currency = models.CharField(max_length=3)
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    gross = models.DecimalField(max_digits=18, decimal_places=2)
    from_due = models.DecimalField(max_digits=18, decimal_places=2)
    to_wallet = models.DecimalField(max_digits=18, decimal_places=2)
    to_credits = models.DecimalField(max_digits=18, decimal_places=2)
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
                fields=["issuer", "year", "sequence"], name="billing_creditnote_sequence"
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax"))
                & models.Q(gross=models.F("from_due") + models.F("to_wallet"))
                & models.Q(gross__gte=0, from_due__gte=0, to_wallet__gte=0, to_credits__gte=0)
                & models.Q(to_credits__lte=models.F("from_due")),
                name="billing_creditnote_total",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-issued_at", "-id"], name="billing_creditnote_recent"),
        ]


class CreditNoteLine(TenantOwned):
    """What is taken back of one invoice line: of the line's sign, and at most all of it."""

    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, related_name="lines")
    invoice_line = models.ForeignKey(
        "billing.InvoiceLine", on_delete=models.PROTECT, related_name="credit_note_lines"
    )
    position = models.PositiveIntegerField()
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    gross = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credit_note", "position"], name="billing_creditnoteline_position"
            ),
            models.UniqueConstraint(
                fields=["credit_note", "invoice_line"], name="billing_creditnoteline_once_per_note"
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax")),
                name="billing_creditnoteline_total",
            ),
        ]


class DisputeState(models.TextChoices):
    OPEN = "open", _("Open")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")


DISPUTE_TRANSITIONS: dict[str, frozenset[str]] = {
    DisputeState.ACCEPTED: frozenset({DisputeState.OPEN}),
    DisputeState.REJECTED: frozenset({DisputeState.OPEN}),
    DisputeState.WITHDRAWN: frozenset({DisputeState.OPEN}),
}


class Dispute(TenantOwned):
    """A tenant's objection to one invoice line, and what became of it."""

    invoice_line = models.ForeignKey(
        "billing.InvoiceLine", on_delete=models.PROTECT, related_name="disputes"
    )
    state = models.CharField(max_length=20, choices=DisputeState.choices, default=DisputeState.OPEN)
    reason = models.CharField(max_length=1000)
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=200)
    answer = models.CharField(max_length=1000, blank=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=200, blank=True)
    credit_note = models.ForeignKey(
        CreditNote, on_delete=models.PROTECT, related_name="disputes", null=True
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=DisputeState.values), name="billing_dispute_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state=DisputeState.ACCEPTED, credit_note__isnull=False)
                | (~models.Q(state=DisputeState.ACCEPTED) & models.Q(credit_note=None)),
                name="billing_dispute_accepted_has_note",
            ),
            models.UniqueConstraint(
                fields=["invoice_line"],
                condition=models.Q(state=DisputeState.OPEN),
                name="billing_dispute_one_open_per_line",
            ),
        ]


class AdjustmentState(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    INVOICED = "invoiced", _("On an invoice")


ADJUSTMENT_TRANSITIONS: dict[str, frozenset[str]] = {
    AdjustmentState.APPROVED: frozenset({AdjustmentState.PROPOSED}),
    AdjustmentState.REJECTED: frozenset({AdjustmentState.PROPOSED, AdjustmentState.APPROVED}),
    AdjustmentState.INVOICED: frozenset({AdjustmentState.APPROVED}),
}


class Adjustment(TenantOwned):
    """An amount an operator adds to, or takes off, a tenant's next invoice.

    Units: net of tax; positive is charged, negative is given. ``needs_two`` was decided when it was
    proposed, so that a later limit does not change who had to agree.
    """

    state = models.CharField(
        max_length=20, choices=AdjustmentState.choices, default=AdjustmentState.PROPOSED
    )
    title_en = models.CharField(max_length=150)
    title_zh = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax_code = models.CharField(max_length=40)
    needs_two = models.BooleanField()
    proposed_at = models.DateTimeField()
    proposed_by = models.UUIDField(null=True)
    proposer_name = models.CharField(max_length=200)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    decider_name = models.CharField(max_length=200, blank=True)
    invoice_line = models.OneToOneField(
        "billing.InvoiceLine", on_delete=models.PROTECT, related_name="adjustment", null=True
    )
    # What was credited and is charged again, once, where somebody decided so.
    rebills = models.ForeignKey(
        CreditNoteLine, on_delete=models.PROTECT, related_name="rebilled_by", null=True
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=AdjustmentState.values),
                name="billing_adjustment_known",
            ),
            models.CheckConstraint(condition=~models.Q(net=0), name="billing_adjustment_not_zero"),
            models.UniqueConstraint(
                fields=["rebills"],
                condition=~models.Q(state=AdjustmentState.REJECTED),
                name="billing_adjustment_rebills_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state=AdjustmentState.INVOICED, invoice_line__isnull=False)
                | (~models.Q(state=AdjustmentState.INVOICED) & models.Q(invoice_line=None)),
                name="billing_adjustment_invoiced_has_line",
            ),
            # Nobody agrees with themselves where two have to.
            models.CheckConstraint(
                condition=models.Q(needs_two=False)
                | models.Q(state__in=[AdjustmentState.PROPOSED, AdjustmentState.REJECTED])
                | (
                    models.Q(decided_by__isnull=False)
                    & models.Q(proposed_by__isnull=False)
                    & ~models.Q(decided_by=models.F("proposed_by"))
                ),
                name="billing_adjustment_two_people",
            ),
        ]
