"""Computing vouchers: the cities' schemes as data, their caps, and tenants' applications."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.credits import AfterExpiry, VoucherMode
from common.ids import uuid7
from tenants.models import TenantOwned


class VoucherScheme(models.Model):
    """The rules of one city's vouchers, as its notice states them; shared by all tenants.

    Units: money with tax; shares of one line; None is "the notice sets no limit".
    Shape: ``committed`` is what is redeemed and what is pending, moved only by the database.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=40, unique=True)
    title_en = models.CharField(max_length=150)
    title_zh = models.CharField(max_length=150)
    issuer = models.CharField(max_length=100)
    notice = models.CharField(max_length=200, blank=True)
    is_example = models.BooleanField(default=False)
    is_open = models.BooleanField(default=True)
    mode = models.CharField(max_length=20, choices=VoucherMode.choices)
    share_domestic = models.DecimalField(max_digits=5, decimal_places=4)
    share_other = models.DecimalField(max_digits=5, decimal_places=4)
    cap_per_tenant_year = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    cap_per_contract = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    budget = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    committed = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    is_one_per_contract = models.BooleanField(default=False)
    scope_services = models.JSONField(default=list)
    excluded_services = models.JSONField(default=list)
    eligible_pools = models.JSONField(default=list)
    min_spend = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    needs_verification = models.BooleanField(default=True)
    needs_review = models.BooleanField(default=True)
    needs_unrelated = models.BooleanField(default=True)
    evidence = models.JSONField(default=list)
    valid_days = models.PositiveIntegerField(null=True)
    valid_until = models.DateTimeField(null=True)
    applications_from = models.DateTimeField(null=True)
    applications_until = models.DateTimeField(null=True)
    is_stackable = models.BooleanField(default=False)
    after_expiry = models.CharField(
        max_length=20, choices=AfterExpiry.choices, default=AfterExpiry.LAPSE
    )
    priority = models.PositiveSmallIntegerField(default=50)
    # Free card-hours that come with it, of the meter and match below.
    package_quantity = models.BigIntegerField(null=True)
    package_meter = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(share_domestic__gt=0, share_domestic__lte=1)
                & models.Q(share_other__gt=0, share_other__lte=1)
                & models.Q(committed__gte=0, min_spend__gte=0),
                name="billing_voucherscheme_sane",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    mode__in=VoucherMode.values, after_expiry__in=AfterExpiry.values
                ),
                name="billing_voucherscheme_words",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class VoucherCap(TenantOwned):
    """What a tenant has of one scheme in one year: redeemed and pending in one locked number."""

    scheme = models.ForeignKey(VoucherScheme, on_delete=models.PROTECT, related_name="+")
    year = models.PositiveSmallIntegerField()
    committed = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scheme", "tenant", "year"], name="billing_vouchercap_key"
            ),
            models.CheckConstraint(
                condition=models.Q(committed__gte=0), name="billing_vouchercap_not_negative"
            ),
        ]


class ApplicationState(models.TextChoices):
    DRAFTED = "drafted", _("Drafted")
    SUBMITTED = "submitted", _("Submitted")
    REVIEWED = "reviewed", _("Reviewed")
    GRANTED = "granted", _("Granted")
    REJECTED = "rejected", _("Rejected")


APPLICATION_TRANSITIONS: dict[str, frozenset[str]] = {
    ApplicationState.DRAFTED: frozenset({ApplicationState.SUBMITTED}),
    ApplicationState.SUBMITTED: frozenset({ApplicationState.REVIEWED, ApplicationState.REJECTED}),
    ApplicationState.REVIEWED: frozenset({ApplicationState.GRANTED, ApplicationState.REJECTED}),
    ApplicationState.GRANTED: frozenset(),
    ApplicationState.REJECTED: frozenset(),
}


class VoucherApplication(TenantOwned):
    """A tenant's request for a voucher under one scheme, with what it rests on.

    Shape: ``evidence`` maps each kind the scheme asks for to the reference of a document.
    """

    scheme = models.ForeignKey(VoucherScheme, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=20, choices=ApplicationState.choices, default=ApplicationState.DRAFTED
    )
    key = models.CharField(max_length=200)
    contract = models.CharField(max_length=100, blank=True)
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    granted_amount = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    is_unrelated = models.BooleanField(default=False)
    evidence = models.JSONField(default=dict)
    cap_year = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    reviewed_by_id = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    # Somebody other than the reviewer, where it is granted.
    decided_by_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key"], name="billing_voucherapplication_once"
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gt=0)
                & (
                    models.Q(granted_amount=None)
                    | models.Q(granted_amount__gt=0, granted_amount__lte=models.F("amount"))
                ),
                name="billing_voucherapplication_amounts",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ApplicationState.values),
                name="billing_voucherapplication_state_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["submitted_at"],
                name="billing_application_waiting",
                condition=models.Q(state__in=["submitted", "reviewed"]),
            ),
        ]
