"""Fapiao: the tax documents, their lines, and which money each stands for."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.money import CURRENCY
from tenants.models import TenantOwned


class FapiaoKind(models.TextChoices):
    SPECIAL = "digital_special", _("Special VAT fapiao")
    ORDINARY = "digital_ordinary", _("Ordinary fapiao")


class FapiaoBasis(models.TextChoices):
    """What a tenant's fapiao stand for; never both, or the same money would be taxed twice."""

    ON_CONSUMPTION = "on_consumption", _("What is invoiced")
    ON_TOP_UP = "on_topup", _("What is paid in")


class FapiaoDirection(models.TextChoices):
    BLUE = "blue", _("Blue")
    RED = "red", _("Red letter")


class FapiaoState(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    ISSUING = "issuing", _("With the tax system")
    ISSUED = "issued", _("Issued")
    DELIVERED = "delivered", _("Delivered")
    RED_PENDING = "red_pending", _("Red letter awaiting confirmation")
    RED_ISSUED = "red_issued", _("Red letter issued")
    FAILED = "failed", _("Failed")


# Into a state, from which. A failed one frees its money for another request.
FAPIAO_TRANSITIONS: dict[str, frozenset[str]] = {
    FapiaoState.ISSUING: frozenset({FapiaoState.REQUESTED}),
    FapiaoState.ISSUED: frozenset({FapiaoState.ISSUING}),
    FapiaoState.DELIVERED: frozenset({FapiaoState.ISSUED}),
    FapiaoState.RED_ISSUED: frozenset({FapiaoState.RED_PENDING}),
    FapiaoState.FAILED: frozenset(
        {FapiaoState.REQUESTED, FapiaoState.ISSUING, FapiaoState.RED_PENDING}
    ),
}


class RedInitiator(models.TextChoices):
    SELLER = "seller", _("The centre")
    BUYER = "buyer", _("The tenant")


class TaxProfile(TenantOwned):
    """Whom a tenant's fapiao are made out to, and what they stand for."""

    buyer_name = models.CharField(max_length=200)
    tax_number = models.CharField(max_length=18, blank=True)
    address_phone = models.CharField(max_length=200, blank=True)
    bank_account = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, choices=FapiaoKind.choices)
    basis = models.CharField(
        max_length=20, choices=FapiaoBasis.choices, default=FapiaoBasis.ON_CONSUMPTION
    )
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="billing_taxprofile_one_per_tenant"),
            models.CheckConstraint(
                condition=models.Q(basis__in=FapiaoBasis.values)
                & models.Q(kind__in=FapiaoKind.values),
                name="billing_taxprofile_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind=FapiaoKind.SPECIAL) | ~models.Q(tax_number=""),
                name="billing_taxprofile_special_has_number",
            ),
        ]


class Fapiao(TenantOwned):
    """One fapiao, blue or red, with everything its face says copied in when it was asked for.

    Shape: figures of a red letter are negative; ``original`` is the blue one it takes back.
    ``serial`` is our own number for it in the tax software, ``number`` the tax system's 20 digits.
    """

    serial = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=20, choices=FapiaoKind.choices)
    basis = models.CharField(max_length=20, choices=FapiaoBasis.choices)
    direction = models.CharField(max_length=4, choices=FapiaoDirection.choices)
    state = models.CharField(max_length=20, choices=FapiaoState.choices)
    buyer_name = models.CharField(max_length=200)
    buyer_tax_number = models.CharField(max_length=18, blank=True)
    buyer_address_phone = models.CharField(max_length=200, blank=True)
    buyer_bank_account = models.CharField(max_length=200, blank=True)
    seller_name = models.CharField(max_length=200)
    seller_tax_number = models.CharField(max_length=18, blank=True)
    seller_address_phone = models.CharField(max_length=200, blank=True)
    seller_bank_account = models.CharField(max_length=200, blank=True)
    currency = models.CharField(max_length=3, default=CURRENCY)
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    gross = models.DecimalField(max_digits=18, decimal_places=2)
    gross_words = models.CharField(max_length=100)
    remark = models.CharField(max_length=200, blank=True)
    drawer = models.CharField(max_length=100, blank=True)
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=200)
    exported_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    is_overdue = models.BooleanField(default=False)
    number = models.CharField(max_length=20, blank=True)
    issued_at = models.DateTimeField(null=True)
    pdf_reference = models.CharField(max_length=500, blank=True)
    ofd_reference = models.CharField(max_length=500, blank=True)
    delivered_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=500, blank=True)
    original = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="red_letters", null=True
    )
    red_confirmation_number = models.CharField(max_length=40, blank=True)
    red_reason = models.CharField(max_length=200, blank=True)
    red_initiator = models.CharField(max_length=10, choices=RedInitiator.choices, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=FapiaoKind.values)
                & models.Q(basis__in=FapiaoBasis.values)
                & models.Q(direction__in=FapiaoDirection.values)
                & models.Q(state__in=FapiaoState.values),
                name="billing_fapiao_known",
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax")),
                name="billing_fapiao_total",
            ),
            # The tax bureau's form is in yuan.
            models.CheckConstraint(
                condition=models.Q(currency=CURRENCY), name="billing_fapiao_currency"
            ),
            models.CheckConstraint(
                condition=models.Q(direction=FapiaoDirection.BLUE, gross__gt=0, original=None)
                | models.Q(
                    direction=FapiaoDirection.RED,
                    gross__lt=0,
                    original__isnull=False,
                    red_initiator__in=RedInitiator.values,
                ),
                name="billing_fapiao_direction",
            ),
            # The confirmation form comes first, and what is issued has its twenty digits.
            models.CheckConstraint(
                condition=~models.Q(
                    state__in=[FapiaoState.ISSUED, FapiaoState.DELIVERED, FapiaoState.RED_ISSUED]
                )
                | models.Q(number__regex=r"^[0-9]{20}$", issued_at__isnull=False),
                name="billing_fapiao_issued_has_number",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=FapiaoState.RED_ISSUED)
                | ~models.Q(red_confirmation_number=""),
                name="billing_fapiao_red_is_confirmed",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=FapiaoState.ISSUING)
                | models.Q(deadline_at__isnull=False),
                name="billing_fapiao_issuing_has_deadline",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind=FapiaoKind.SPECIAL) | ~models.Q(buyer_tax_number=""),
                name="billing_fapiao_special_has_number",
            ),
            models.UniqueConstraint(
                fields=["number"],
                condition=~models.Q(number=""),
                name="billing_fapiao_number_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["requested_at"],
                condition=models.Q(
                    state__in=[
                        FapiaoState.REQUESTED,
                        FapiaoState.ISSUING,
                        FapiaoState.RED_PENDING,
                    ]
                ),
                name="billing_fapiao_queue",
            ),
        ]


class FapiaoLine(TenantOwned):
    """One line of a fapiao's face; frozen with it."""

    fapiao = models.ForeignKey(Fapiao, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    goods_code = models.CharField(max_length=19)
    item = models.CharField(max_length=100)
    specification = models.CharField(max_length=100, blank=True)
    unit = models.CharField(max_length=20)
    quantity = models.DecimalField(max_digits=24, decimal_places=6)
    price = models.DecimalField(max_digits=30, decimal_places=15)
    net = models.DecimalField(max_digits=18, decimal_places=2)
    tax_rate = models.DecimalField(max_digits=6, decimal_places=5)
    tax = models.DecimalField(max_digits=18, decimal_places=2)
    gross = models.DecimalField(max_digits=18, decimal_places=2)
    zero_rate = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["fapiao", "position"], name="billing_fapiaoline_position"
            ),
            models.CheckConstraint(
                condition=models.Q(gross=models.F("net") + models.F("tax"))
                & models.Q(goods_code__regex=r"^[0-9]{19}$"),
                name="billing_fapiaoline_sane",
            ),
        ]


class FapiaoCover(TenantOwned):
    """How much of one invoice, or of one top-up, a fapiao stands for; negative on a red letter."""

    fapiao = models.ForeignKey(Fapiao, on_delete=models.PROTECT, related_name="covers")
    invoice = models.ForeignKey(
        "billing.Invoice", on_delete=models.PROTECT, related_name="+", null=True
    )
    top_up = models.ForeignKey(
        "billing.LedgerTransaction", on_delete=models.PROTECT, related_name="+", null=True
    )
    amount = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(invoice__isnull=False, top_up=None)
                | models.Q(invoice=None, top_up__isnull=False),
                name="billing_fapiaocover_of_one_thing",
            ),
            models.CheckConstraint(
                condition=~models.Q(amount=0), name="billing_fapiaocover_not_zero"
            ),
            models.UniqueConstraint(
                fields=["fapiao", "invoice"], name="billing_fapiaocover_invoice_once"
            ),
            models.UniqueConstraint(
                fields=["fapiao", "top_up"], name="billing_fapiaocover_top_up_once"
            ),
        ]
