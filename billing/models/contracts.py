"""What a tenant agreed with the centre: contracts and their dated terms."""

from collections.abc import Mapping

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.money import CURRENCY
from tenants.models import TenantOwned


class ContractState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    ACTIVE = "active", pgettext_lazy("contract", "Active")
    ENDED = "ended", _("Ended")


CONTRACT_TRANSITIONS: Mapping[ContractState, frozenset[ContractState]] = {
    ContractState.DRAFT: frozenset({ContractState.ACTIVE}),
    ContractState.ACTIVE: frozenset({ContractState.ENDED}),
    ContractState.ENDED: frozenset(),
}


class Contract(TenantOwned):
    """An agreement over a half-open period; its terms are frozen when it becomes active.

    Shape: ``ends_at`` is moved earlier when a contract is ended before its time.
    """

    number = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=150)
    state = models.CharField(
        max_length=20, choices=ContractState.choices, default=ContractState.DRAFT
    )
    currency = models.CharField(max_length=3, default=CURRENCY)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    drafted_by = models.CharField(max_length=200)
    drafted_at = models.DateTimeField()
    # Everybody who changed the draft; none of them activates it.
    authors = ArrayField(models.UUIDField(), default=list, blank=True)
    activated_by = models.CharField(max_length=200, blank=True)
    activated_by_id = models.UUIDField(null=True)
    activated_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ContractState.values),
                name="billing_contract_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gte=models.F("starts_at")),
                name="billing_contract_period",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "state"], name="billing_contract_of_tenant")]


class TermKind(models.TextChoices):
    DISCOUNT = "discount", _("Discount")
    PRICE = "price", _("Fixed price")
    MINIMUM = "minimum", _("Minimum spend")
    COMMITMENT = "commitment", _("Committed spend")


class TermInterval(models.TextChoices):
    """Over what an agreed amount is counted: each month of the centre, or the whole term."""

    MONTH = "month", _("Each month")
    TERM = "term", _("The whole period")


class ContractTerm(TenantOwned):
    """One agreed thing over a half-open stretch of whole hours.

    Shape: discounts and prices name what they are for (``meter``, ``sku``, ``match``; empty is
    all); minimum and commitment carry ``amount``, ``interval`` and ``tax_code``. ``in_force`` is
    kept by the database from the contract's state; None while the contract is a draft.
    Units: ``discount_percent`` of the list price; ``amount`` net, in the contract's currency.
    """

    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="terms")
    kind = models.CharField(max_length=20, choices=TermKind.choices)
    meter = models.CharField(max_length=60, blank=True)
    sku = models.CharField(max_length=80, blank=True)
    match = models.JSONField(default=dict)
    discount_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    model = models.CharField(max_length=20, blank=True)
    unit_price = models.DecimalField(max_digits=30, decimal_places=15, null=True)
    unit_quantity = models.BigIntegerField(null=True)
    tiers = models.JSONField(default=list)
    amount = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    interval = models.CharField(max_length=10, choices=TermInterval.choices, blank=True)
    tax_code = models.CharField(max_length=40, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    in_force = DateTimeRangeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    kind=TermKind.DISCOUNT,
                    discount_percent__gt=0,
                    discount_percent__lte=100,
                    unit_price__isnull=True,
                    amount__isnull=True,
                )
                | models.Q(
                    kind=TermKind.PRICE,
                    unit_price__gte=0,
                    unit_quantity__gt=0,
                    discount_percent__isnull=True,
                    amount__isnull=True,
                )
                | models.Q(
                    kind__in=[TermKind.MINIMUM, TermKind.COMMITMENT],
                    amount__gt=0,
                    interval__in=TermInterval.values,
                    tax_code__gt="",
                    discount_percent__isnull=True,
                    unit_price__isnull=True,
                    meter="",
                    sku="",
                    match={},
                ),
                name="billing_contractterm_kind_whole",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind=TermKind.MINIMUM) | models.Q(interval=TermInterval.MONTH),
                name="billing_contractterm_minimum_monthly",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="billing_contractterm_period",
            ),
        ]
