"""What tenants are told of their credits.

A notice's detail has codes, base units and dates, for programs; the sentences are made of the words
for them in the reader's language.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from billing.credit_days import last_day
from billing.meters import declared, in_display_unit
from billing.models import CreditLot
from tenants.notices import JSON, Kind, declare

GRANTED = "credit.granted"
EXPIRING = "credit.expiring"
EXPIRED = "credit.expired"
DECIDED = "voucher_application.decided"
CLAIM_PAID = "voucher_claim.paid"
CLAIM_RETURNED = "voucher_claim.returned"
NO_END = "—"


def said_unit(lot: CreditLot) -> dict[str, str]:
    """What a notice's amounts of a lot are of: a package's meter, in base units, or a currency."""
    return {"meter": lot.meter} if lot.meter else {"currency": lot.currency}


def said_end(lot: CreditLot) -> str:
    """The last valid day as it is written, or a dash."""
    if lot.expires_at is None:
        return NO_END
    return last_day(lot.expires_at, settings.CENTRE_TIME_ZONE).isoformat()


def _amount(told: Mapping[str, JSON], name: str) -> str:
    """Money with its currency, or what a package holds in the unit its meter is shown in."""
    said = str(told[name])
    meter = declared().get(str(told.get("meter", "")))
    if meter is None:
        return f"{said} {told.get('currency', '')}".strip()
    return f"{in_display_unit(Decimal(said), meter.display_divisor):f} {meter.display_unit}"


def _until(day: JSON) -> str:
    if day == NO_END:
        return gettext("without an end")
    return gettext("until %(day)s") % {"day": day}


def _granted(told: Mapping[str, JSON]) -> Mapping[str, JSON]:
    return {**told, "face": _amount(told, "face"), "until": _until(told["expires"])}


def _expiring(told: Mapping[str, JSON]) -> Mapping[str, JSON]:
    days = int(str(told["days"]))
    left = ngettext("in %(days)s day", "in %(days)s days", days) % {"days": days}
    when = left if days else pgettext("a credit expires", "today")
    return {**told, "remaining": _amount(told, "remaining"), "when": when}


def _expired(told: Mapping[str, JSON]) -> Mapping[str, JSON]:
    return {**told, "remaining": _amount(told, "remaining")}


def _decided(told: Mapping[str, JSON]) -> Mapping[str, JSON]:
    if told["decision"] == "granted":
        # Where the last day has no name of its own, an older notice has it for a reason.
        until = _until(told.get("expires", told["reason"]))
        said = {"amount": _amount(told, "amount"), "until": until}
        outcome = gettext("Granted: %(amount)s, valid %(until)s.") % said
    elif told["reason"]:
        outcome = gettext("Rejected: %(reason)s") % {"reason": told["reason"]}
    else:
        outcome = gettext("Rejected, without a reason given.")
    return {**told, "outcome": outcome}


def declare_kinds() -> None:
    """Declare the kinds; called once when the app is ready."""
    declare(
        Kind(
            GRANTED,
            _("%(code)s is there to use"),
            _("%(code)s, %(face)s in all, pays for use %(until)s."),
            _granted,
        )
    )
    declare(
        Kind(
            EXPIRING,
            _("%(code)s expires %(when)s"),
            _("%(remaining)s of %(code)s are left. What is not used by %(expires)s lapses."),
            _expiring,
        )
    )
    declare(
        Kind(
            EXPIRED,
            _("%(code)s has expired"),
            _("%(remaining)s of %(code)s were left and have lapsed."),
            _expired,
        )
    )
    declare(
        Kind(
            DECIDED,
            _("Your application for %(scheme)s is decided"),
            "%(outcome)s",
            _decided,
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
