"""Money: the tenant's account, the double-entry ledger under it, and holds."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.fields import TransactionIdField
from billing.money import CURRENCIES, CURRENCY
from tenants.models import TenantOwned


class Account(TenantOwned):
    """A tenant's standing in one row: what it has, owes, may owe, has promised and has used.

    Shape: ``wallet``, ``receivable`` and ``held`` are moved only by the database, from ledger
    entries and holds; ``unbilled`` is the gross of the draft invoice at the last accrual.
    Everything that is money of the tenant is in ``currency``, fixed once anything happened.
    Locks: this row is the lock of everything that takes money (``billing.locks.lock_account``).
    """

    currency = models.CharField(max_length=3, default=CURRENCY)
    wallet = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    receivable = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    held = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    credit_limit = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    unbilled = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))
    accrued_at = models.DateTimeField(null=True)
    accrued_xmin = TransactionIdField(null=True)
    # By the database's clock, before the accrual read: what was committed earlier is counted.
    accrual_read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="billing_account_one_per_tenant"),
            # What rows of money refer to, so that all of a tenant's are in one currency.
            models.UniqueConstraint(
                fields=["tenant", "currency"], name="billing_account_currency_key"
            ),
            models.CheckConstraint(
                condition=models.Q(currency__in=CURRENCIES), name="billing_account_currency_known"
            ),
            models.CheckConstraint(
                condition=models.Q(wallet__gte=0)
                & models.Q(receivable__gte=0)
                & models.Q(held__gte=0)
                & models.Q(credit_limit__gte=0)
                & models.Q(unbilled__gte=0),
                name="billing_account_never_negative",
            ),
        ]


class LedgerKind(models.TextChoices):
    CASH = "cash", _("Cash at bank")
    WALLET = "wallet", _("Wallet")
    RECEIVABLE = "receivable", _("Receivable")
    REVENUE = "revenue", _("Revenue")
    VAT_OUTPUT = "vat_output", _("Output VAT")
    SUBSIDY_RECEIVABLE = "subsidy_receivable", _("Subsidy receivable")
    VOUCHER_LIABILITY = "voucher_liability", _("Vouchers not yet used")
    PROMOTION = "promotion", _("Promotional credit given")
    DEFERRED_REVENUE = "deferred_revenue", _("Packages not yet used")
    BREAKAGE = "breakage", _("Packages expired unused")
    BAD_DEBT = "bad_debt", _("Debts written off")


class LedgerAccount(TenantOwned):
    """One side money stands on. ``balance`` is the sum of its entries, kept by the database.

    Units: debit is positive, credit negative; a wallet with money in it is a credit.
    """

    kind = models.CharField(max_length=20, choices=LedgerKind.choices)
    currency = models.CharField(max_length=3, default=CURRENCY)
    balance = models.DecimalField(max_digits=24, decimal_places=6, default=Decimal(0))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "currency"], name="billing_ledgeraccount_key"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=LedgerKind.values),
                name="billing_ledgeraccount_kind_known",
            ),
        ]


class LedgerTransaction(TenantOwned):
    """One balanced movement of money; the same ``idem_key`` is booked once."""

    kind = models.CharField(max_length=40)
    idem_key = models.CharField(max_length=255)
    reference = models.CharField(max_length=200, blank=True)
    booked_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "idem_key"], name="billing_ledgertransaction_once"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-booked_at", "-id"], name="billing_ledgertx_recent"),
        ]


class LedgerEntry(TenantOwned):
    """One leg of a transaction; all legs are written in one statement and sum to zero."""

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    line = models.PositiveSmallIntegerField()
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+")
    amount = models.DecimalField(max_digits=24, decimal_places=6)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "line"], name="billing_ledgerentry_line"
            ),
            models.CheckConstraint(
                condition=~models.Q(amount=0), name="billing_ledgerentry_not_zero"
            ),
        ]


class HoldState(models.TextChoices):
    ACTIVE = "active", _("Held")
    RELEASED = "released", _("Released")
    EXPIRED = "expired", _("Expired")


# Raising a hold again after it ended is a new promise and needs funds like the first.
HOLD_TRANSITIONS: dict[str, frozenset[str]] = {
    HoldState.ACTIVE: frozenset({HoldState.RELEASED, HoldState.EXPIRED}),
    HoldState.RELEASED: frozenset({HoldState.ACTIVE}),
    HoldState.EXPIRED: frozenset({HoldState.ACTIVE}),
}


class Hold(TenantOwned):
    """Money promised to something that will be used, by the caller's own key. Gross."""

    key = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=24, decimal_places=2)
    state = models.CharField(max_length=20, choices=HoldState.choices, default=HoldState.ACTIVE)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="billing_hold_key"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="billing_hold_not_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=HoldState.values), name="billing_hold_state_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="billing_hold_expiring",
                condition=models.Q(state=HoldState.ACTIVE),
            ),
        ]
