"""Sentences of the account pages, which a library brings, that our Chinese says in other words.

The portal's catalogue stands before the library's; naming the sentences here keeps it complete.
"""

from django.utils.translation import gettext_noop as _

BORROWED = (
    _("Email Addresses"),
    _("The following email addresses are associated with your account:"),
    _("Primary"),
    _("Re-send Verification"),
    _("Add Email Address"),
    _("Add Email"),
    _("Do you really want to remove the selected email address?"),
    _("Email Changed"),
    _("Your email has been confirmed."),
    _("Email Confirmation"),
    _("Please Confirm Your Email Address"),
    _("Email address %(deleted_email)s has been removed from your account."),
    _("Email Removed"),
    _("Confirm Email Address"),
    _("You cannot remove your primary email address (%(email)s)."),
    _("You have confirmed %(email)s."),
    _("Removed email address %(email)s."),
    _("Primary email address set."),
    _("Bad Token"),
    _("Verify Your Email Address"),
    _("You cannot activate two-factor authentication until you have verified your email address."),
    _("The password reset token was invalid."),
    _("Activate"),
    _("Activate Authenticator App"),
    _("An authenticator app is not active."),
    _("Authenticator app activated."),
    _("Authenticator App Activated"),
)
