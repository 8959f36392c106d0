"""What this app itself tells tenants."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare


def declare_kinds() -> None:
    """Declare the kinds of notice; called once when the app is ready."""
    declare(
        Kind(
            code="webhook.disabled",
            title=_("A webhook address was disabled"),
            body=_(
                "Nothing is delivered to %(url)s any more: it said it is gone, or it has failed "
                "for days. Enable it again in the console once it answers."
            ),
        )
    )
