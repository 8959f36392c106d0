"""What tenants are told about invoices and fapiao; each kind is a webhook event type too."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare


def declare_kinds() -> None:
    """Declare them all; called once while the app gets ready."""
    for kind in (
        Kind(
            "invoice.drafted",
            _("The next invoice is drafted"),
            _("Used up to %(until)s: %(gross)s %(currency)s with tax. It is not issued yet."),
        ),
        Kind(
            "invoice.issued",
            _("Invoice %(number)s is issued"),
            _("%(gross)s %(currency)s with tax."),
        ),
        Kind(
            "invoice.paid",
            _("Invoice %(number)s is paid"),
            _("%(gross)s %(currency)s were settled in full."),
        ),
        Kind(
            "invoice.voided",
            _("Invoice %(number)s is void"),
            _("Credit note %(note)s takes all of it back."),
        ),
        Kind(
            "credit_note.issued",
            _("Credit note %(number)s is issued"),
            _("%(gross)s %(currency)s of invoice %(invoice)s are taken back: %(reason)s"),
        ),
        Kind(
            "dispute.answered",
            _("Your objection to invoice %(number)s is answered"),
            _("%(answer)s"),
        ),
        Kind(
            "fapiao.issued",
            _("Fapiao %(number)s is issued"),
            _("It stands for %(gross)s CNY with tax."),
        ),
        Kind(
            "fapiao.red",
            _("Red letter %(number)s is issued"),
            _("It takes %(gross)s CNY of a fapiao back."),
        ),
        Kind(
            "fapiao.failed",
            _("A fapiao was not issued"),
            _("The request over %(gross)s CNY was given up: %(reason)s"),
        ),
    ):
        declare(kind)
