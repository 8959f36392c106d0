"""What tenants are told of their credits."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare

GRANTED = "credit.granted"
EXPIRING = "credit.expiring"
EXPIRED = "credit.expired"
DECIDED = "voucher_application.decided"


def declare_kinds() -> None:
    """Declare the kinds; called once when the app is ready."""
    declare(
        Kind(
            GRANTED,
            _("%(code)s is there to use"),
            _("%(code)s, %(face)s in all, pays for use until %(expires)s."),
        )
    )
    declare(
        Kind(
            EXPIRING,
            _("%(code)s expires in %(days)s days"),
            _("%(remaining)s of %(code)s are left. What is not used by %(expires)s lapses."),
        )
    )
    declare(
        Kind(
            EXPIRED,
            _("%(code)s has expired"),
            _("%(remaining)s of %(code)s were left and have lapsed."),
        )
    )
    declare(
        Kind(
            DECIDED,
            _("Your application for %(scheme)s is decided"),
            _("Decision: %(decision)s. Amount: %(amount)s. %(reason)s"),
        )
    )
