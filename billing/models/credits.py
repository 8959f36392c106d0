"""Credits: packages, computing vouchers and promotional credit, and what each paid for."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.money import CURRENCY
from tenants.models import TenantOwned


class CreditKind(models.TextChoices):
    PACKAGE = "package", _("Resource package")
    VOUCHER = "voucher", _("Computing voucher")
    PROMO = "promo", _("Promotional credit")


class CreditState(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    REJECTED = "rejected", _("Rejected")
    ISSUED = "issued", _("Issued")
    ACTIVE = "active", _("Active")
    EXHAUSTED = "exhausted", _("Used up")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


# Using the last of a lot and giving it back are the database's own moves.
CREDIT_TRANSITIONS: dict[str, frozenset[str]] = {
    CreditState.PROPOSED: frozenset({CreditState.ISSUED, CreditState.ACTIVE, CreditState.REJECTED}),
    CreditState.REJECTED: frozenset(),
    CreditState.ISSUED: frozenset({CreditState.ACTIVE, CreditState.EXPIRED, CreditState.REVOKED}),
    CreditState.ACTIVE: frozenset(
        {CreditState.EXHAUSTED, CreditState.EXPIRED, CreditState.REVOKED}
    ),
    CreditState.EXHAUSTED: frozenset({CreditState.ACTIVE}),
    CreditState.EXPIRED: frozenset(),
    CreditState.REVOKED: frozenset(),
}


class CreditScope(models.TextChoices):
    SKU = "sku", _("One SKU")
    METER = "meter", _("One meter")
    SERVICE = "service", _("A service")
    ANY = "any", _("Everything")


class Funder(models.TextChoices):
    GOVERNMENT = "government", _("Government")
    CENTRE = "centre", _("The centre")
    TENANT = "tenant", _("Paid by the tenant")


class VoucherMode(models.TextChoices):
    INSTANT = "instant", _("Deducted when the invoice is issued")
    REIMBURSE = "reimburse", _("Paid first, claimed afterwards")


class AfterExpiry(models.TextChoices):
    GRACE = "grace", _("A lot of its own with a few more days")
    LAPSE = "lapse", _("It lapses")


class CreditLot(TenantOwned):
    """An amount that may pay for certain use until a certain time. It is the tenant's alone.

    Units: ``face`` and ``remaining`` in money with tax; a package's in base units of its meter.
    Shape: the terms are copied from the scheme when the lot is made, so that editing the scheme
    changes no lot. ``remaining`` is moved only by the database, from the uses. ``share_domestic``
    and ``share_other`` are the most of one line it may pay, by the origin of the cards.
    What the centre gives, one person proposes and another approves; a lot that nobody proposed
    was sold, or made by the product.
    """

    code = models.CharField(max_length=40)
    kind = models.CharField(max_length=20, choices=CreditKind.choices)
    state = models.CharField(max_length=20, choices=CreditState.choices)
    funder = models.CharField(max_length=20, choices=Funder.choices)
    mode = models.CharField(max_length=20, choices=VoucherMode.choices, default=VoucherMode.INSTANT)
    scheme = models.ForeignKey(
        "billing.VoucherScheme", on_delete=models.PROTECT, related_name="+", null=True
    )
    application = models.ForeignKey(
        "billing.VoucherApplication", on_delete=models.PROTECT, related_name="lots", null=True
    )
    # The lot whose refund it holds, where that one had already expired.
    grace_of = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    cap_year = models.PositiveSmallIntegerField(null=True)
    title = models.CharField(max_length=150)
    face = models.DecimalField(max_digits=24, decimal_places=2)
    remaining = models.DecimalField(max_digits=24, decimal_places=2, default=Decimal(0))
    currency = models.CharField(max_length=3, default=CURRENCY)
    meter = models.CharField(max_length=60, blank=True)
    match = models.JSONField(default=dict)
    price_net = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    price_tax = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    priority = models.PositiveSmallIntegerField(default=50)
    scope = models.CharField(max_length=20, choices=CreditScope.choices, default=CreditScope.ANY)
    scope_values = models.JSONField(default=list)
    excluded_services = models.JSONField(default=list)
    eligible_pools = models.JSONField(default=list)
    project = models.ForeignKey(
        "tenants.Project", on_delete=models.PROTECT, related_name="+", null=True
    )
    share_domestic = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal(1))
    share_other = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal(1))
    min_spend = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    is_stackable = models.BooleanField(default=True)
    after_expiry = models.CharField(
        max_length=20, choices=AfterExpiry.choices, default=AfterExpiry.GRACE
    )
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    key = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    proposed_by_id = models.UUIDField(null=True)
    approved_by = models.CharField(max_length=200, blank=True)
    approved_by_id = models.UUIDField(null=True)
    approved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="billing_creditlot_once"),
            models.UniqueConstraint(fields=["code"], name="billing_creditlot_code"),
            models.CheckConstraint(
                condition=models.Q(remaining__gte=0)
                & models.Q(remaining__lte=models.F("face"))
                & models.Q(face__gt=0),
                name="billing_creditlot_within_face",
            ),
            models.CheckConstraint(
                condition=models.Q(share_domestic__gt=0, share_domestic__lte=1)
                & models.Q(share_other__gt=0, share_other__lte=1)
                & models.Q(min_spend__gte=0, price_net__gte=0, price_tax__gte=0),
                name="billing_creditlot_terms",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at=None)
                | models.Q(expires_at__gt=models.F("effective_at")),
                name="billing_creditlot_period",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=CreditKind.values, state__in=CreditState.values)
                & models.Q(funder__in=Funder.values, mode__in=VoucherMode.values)
                & models.Q(scope__in=CreditScope.values, after_expiry__in=AfterExpiry.values),
                name="billing_creditlot_words",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=CreditKind.PACKAGE) ^ models.Q(meter=""),
                name="billing_creditlot_package_has_meter",
            ),
            models.CheckConstraint(
                # Only a voucher stands under a scheme, and then under a year of it.
                condition=(
                    models.Q(kind=CreditKind.VOUCHER, scheme__isnull=False, cap_year__isnull=False)
                    | (~models.Q(kind=CreditKind.VOUCHER) & models.Q(scheme=None))
                ),
                name="billing_creditlot_scheme",
            ),
            # A city gives yuan.
            models.CheckConstraint(
                condition=~models.Q(kind=CreditKind.VOUCHER) | models.Q(currency=CURRENCY),
                name="billing_creditlot_voucher_currency",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "expires_at"],
                name="billing_creditlot_open",
                condition=models.Q(state__in=["issued", "active"]),
            ),
        ]


class UseKind(models.TextChoices):
    USE = "use", _("Used")
    CLAIM = "claim", _("Claimed")
    RESTORE = "restore", _("Given back")


class CreditRestore(TenantOwned):
    """A refund of one invoice line, told to the credits that had paid for it; once for each key."""

    invoice_line = models.ForeignKey(
        "billing.InvoiceLine", on_delete=models.PROTECT, related_name="+"
    )
    key = models.CharField(max_length=200)
    credited = models.DecimalField(max_digits=18, decimal_places=2)
    restored = models.DecimalField(max_digits=18, decimal_places=2)
    restored_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="billing_creditrestore_once"),
            models.CheckConstraint(
                condition=models.Q(credited__gt=0, restored__gte=0)
                & models.Q(restored__lte=models.F("credited")),
                name="billing_creditrestore_sane",
            ),
        ]


class CreditUse(TenantOwned):
    """What one lot paid of one invoice line, or took back; never changed, never deleted.

    Units: as the lot's face; negative where it is given back.
    Shape: ``sequence`` is the place in the invoice's payment order; ``share`` and ``origin`` say
    by which rule it was limited.
    """

    lot = models.ForeignKey(CreditLot, on_delete=models.PROTECT, related_name="uses")
    invoice_line = models.ForeignKey(
        "billing.InvoiceLine", on_delete=models.PROTECT, related_name="+"
    )
    kind = models.CharField(max_length=20, choices=UseKind.choices, default=UseKind.USE)
    sequence = models.PositiveIntegerField()
    amount = models.DecimalField(max_digits=24, decimal_places=2)
    share = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal(1))
    origin = models.CharField(max_length=20, blank=True)
    restores = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    restore = models.ForeignKey(
        CreditRestore, on_delete=models.PROTECT, related_name="uses", null=True
    )
    transaction = models.ForeignKey(
        "billing.LedgerTransaction", on_delete=models.PROTECT, related_name="+", null=True
    )
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lot", "invoice_line", "sequence"], name="billing_credituse_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=UseKind.values)
                & models.Q(share__gt=0, share__lte=1)
                & (
                    models.Q(
                        kind=UseKind.RESTORE,
                        amount__lt=0,
                        restores__isnull=False,
                        restore__isnull=False,
                    )
                    | (
                        ~models.Q(kind=UseKind.RESTORE)
                        & models.Q(amount__gt=0, restores=None, restore=None)
                    )
                ),
                name="billing_credituse_direction",
            ),
        ]
        indexes = [
            models.Index(fields=["invoice_line"], name="billing_credituse_line"),
            models.Index(fields=["used_at"], name="billing_credituse_month"),
        ]
