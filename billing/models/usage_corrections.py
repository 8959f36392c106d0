"""What was said of an event afterwards: that it never was, or that it was another quantity."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class CorrectionKind(models.TextChoices):
    CORRECT = "correct", _("Corrected")
    VOID = "void", _("Voided")


class Correction(TenantOwned):
    """One link in the chain of what an event came to; the event itself is never changed.

    Shape: ``key`` is the correction's own event, whose quantity is ``after - before``; ``corrects``
    is the event that it is about, and ``number`` its place among that event's corrections. A
    correction names the one before it by number, kind and quantity, and the database finds it
    there: so the numbers have no gaps, the quantities join, and nothing follows a void.
    """

    key = models.UUIDField(unique=True)
    corrects = models.UUIDField()
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=CorrectionKind.choices)
    before = models.BigIntegerField()
    after = models.BigIntegerField()
    previous_number = models.PositiveIntegerField(null=True)
    previous_kind = models.CharField(max_length=20, null=True)  # noqa: DJ001 - with its number
    # Where the corrected event is found: the hour both are counted in.
    series = models.ForeignKey("billing.Series", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=500)
    actor_name = models.CharField(max_length=200)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["corrects", "number", "kind", "after"], name="billing_correction_link"
            ),
            models.UniqueConstraint(
                fields=["corrects", "number"], name="billing_correction_number"
            ),
            models.CheckConstraint(
                condition=models.Q(number=1, previous_number=None, previous_kind=None)
                | models.Q(
                    number__gt=1,
                    previous_number=models.F("number") - 1,
                    previous_kind=CorrectionKind.CORRECT,
                ),
                name="billing_correction_follows",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=CorrectionKind.VOID, after=0)
                | models.Q(kind=CorrectionKind.CORRECT, after__gte=0),
                name="billing_correction_not_below_zero",
            ),
        ]
