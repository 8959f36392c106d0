"""What tenants are told of money that left their wallet, and of debts that ended."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare


def declare_kinds() -> None:
    """Declare them all; called once while the app gets ready."""
    for kind in (
        Kind(
            "wallet.top_up_reversed",
            _("A top-up is taken back"),
            _("%(amount)s %(currency)s of the top-up %(reference)s are taken back: %(reason)s"),
        ),
        Kind(
            "wallet.paid_out",
            _("Money of the wallet is paid back"),
            _("%(amount)s %(currency)s are paid back by transfer %(reference)s: %(reason)s"),
        ),
        Kind(
            "invoice.written_off",
            _("Invoice %(number)s is written off"),
            _(
                "%(amount)s %(currency)s were not paid and are booked as lost. What is paid for it "
                "later is still taken."
            ),
        ),
        Kind(
            "invoice.recovered",
            _("Invoice %(number)s was paid after it was written off"),
            _("%(amount)s %(currency)s of the wallet paid the debt."),
        ),
    ):
        declare(kind)
