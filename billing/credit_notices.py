"""What tenants are told of their credits."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare

GRANTED = "credit.granted"
EXPIRING = "credit.expiring"
EXPIRED = "credit.expired"
DECIDED = "voucher_application.decided"
CLAIM_PAID = "voucher_claim.paid"
CLAIM_RETURNED = "voucher_claim.returned"


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
    declare(
        Kind(
            CLAIM_PAID,
            _("The city has paid your claim for %(month)s"),
            _(
                "%(amount)s %(currency)s of scheme %(scheme)s came into the wallet. What was open "
                "is paid from it."
            ),
        )
    )
    declare(
        Kind(
            CLAIM_RETURNED,
            _("The city takes %(amount)s %(currency)s back"),
            _(
                "Refunds lower the claim for %(month)s under scheme %(scheme)s. %(from_wallet)s "
                "%(currency)s were taken from the wallet and %(owed)s %(currency)s are owed."
            ),
        )
    )
