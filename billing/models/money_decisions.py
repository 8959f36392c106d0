"""Money that leaves a wallet, and debts that end: each decided by one person and then another."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class DecisionKind(models.TextChoices):
    """What is decided; the movement it becomes in the ledger has the same name."""

    TOP_UP_REVERSAL = "top_up_reversal", _("Top-up taken back")
    PAY_OUT = "pay_out", _("Paid back to the tenant")
    WRITE_OFF = "write_off", _("Debt written off")
    RECOVERY = "write_off_recovery", _("Written-off debt recovered")


class DecisionState(models.TextChoices):
    PROPOSED = "proposed", _("Proposed")
    DONE = "done", _("Done")
    REJECTED = "rejected", _("Rejected")


DECISION_TRANSITIONS: dict[str, frozenset[str]] = {
    DecisionState.DONE: frozenset({DecisionState.PROPOSED}),
    DecisionState.REJECTED: frozenset({DecisionState.PROPOSED}),
}
# Which of its references each kind has; the others stay empty.
ABOUT: dict[str, str] = {
    DecisionKind.TOP_UP_REVERSAL: "top_up",
    DecisionKind.WRITE_OFF: "invoice",
    DecisionKind.RECOVERY: "write_off",
}
_REFERENCES = ("top_up", "invoice", "write_off")


def _about(kind: str) -> models.Q:
    empty = {f"{name}__isnull": name != ABOUT.get(kind) for name in _REFERENCES}
    return models.Q(kind=kind, **empty)


class MoneyDecision(TenantOwned):
    """An amount somebody wants to take out of a wallet, or off a debt, and what became of it.

    Units: gross, in the account's currency. ``reference`` is that of the bank transfer where money
    is paid back. ``transaction`` is the movement it became; the database lets it be done only with
    one that moves exactly this amount between exactly these sides.
    """

    kind = models.CharField(max_length=20, choices=DecisionKind.choices)
    state = models.CharField(
        max_length=20, choices=DecisionState.choices, default=DecisionState.PROPOSED
    )
    amount = models.DecimalField(max_digits=18, decimal_places=2)
    reason = models.CharField(max_length=500)
    reference = models.CharField(max_length=200, blank=True)
    top_up = models.ForeignKey(
        "billing.LedgerTransaction", on_delete=models.PROTECT, related_name="reversals", null=True
    )
    invoice = models.ForeignKey(
        "billing.Invoice", on_delete=models.PROTECT, related_name="write_offs", null=True
    )
    write_off = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="recoveries", null=True
    )
    transaction = models.OneToOneField(
        "billing.LedgerTransaction", on_delete=models.PROTECT, related_name="decision", null=True
    )
    proposed_at = models.DateTimeField()
    proposed_by_id = models.UUIDField(null=True)
    proposed_by = models.CharField(max_length=200)
    decided_at = models.DateTimeField(null=True)
    decided_by_id = models.UUIDField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=DecisionState.values),
                name="billing_moneydecision_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gt=0), name="billing_moneydecision_above_zero"
            ),
            models.CheckConstraint(
                condition=_about(DecisionKind.TOP_UP_REVERSAL)
                | _about(DecisionKind.PAY_OUT)
                | _about(DecisionKind.WRITE_OFF)
                | _about(DecisionKind.RECOVERY),
                name="billing_moneydecision_about",
            ),
            models.CheckConstraint(
                condition=~models.Q(reason="")
                & (~models.Q(kind=DecisionKind.PAY_OUT) | ~models.Q(reference="")),
                name="billing_moneydecision_says_why",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state=DecisionState.DONE, transaction__isnull=False, decided_at__isnull=False
                )
                | (~models.Q(state=DecisionState.DONE) & models.Q(transaction=None)),
                name="billing_moneydecision_done_is_booked",
            ),
            # A top-up is taken back once, and an invoice written off once.
            models.UniqueConstraint(
                fields=["top_up"],
                condition=~models.Q(state=DecisionState.REJECTED),
                name="billing_moneydecision_top_up_once",
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=~models.Q(state=DecisionState.REJECTED),
                name="billing_moneydecision_invoice_once",
            ),
            # What nobody proposed the product did with its own; nobody agrees with themselves.
            models.CheckConstraint(
                condition=~models.Q(state=DecisionState.DONE)
                | models.Q(proposed_by_id=None, decided_by_id=None)
                | (
                    models.Q(proposed_by_id__isnull=False, decided_by_id__isnull=False)
                    & ~models.Q(decided_by_id=models.F("proposed_by_id"))
                ),
                name="billing_moneydecision_four_eyes",
            ),
        ]
        indexes = [
            models.Index(
                fields=["proposed_at"],
                name="billing_decision_waiting",
                condition=models.Q(state=DecisionState.PROPOSED),
            ),
        ]
