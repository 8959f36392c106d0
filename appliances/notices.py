"""What appliances tell tenants: the kinds of notice they post."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare

KINDS = (
    Kind(
        code="deployment.resumed",
        title=_("%(name)s is starting again"),
        body=_("The payment has arrived, and %(name)s is being started again as %(model)s."),
    ),
    Kind(
        code="deployment.resume_failed",
        title=_("%(name)s could not be started again"),
        body=_(
            "The payment has arrived, but %(name)s could not be started again by itself: "
            "%(reason)s Deploy it again when you need it."
        ),
    ),
)


def declare_kinds() -> None:
    """Make the kinds known; called when the app is ready."""
    for kind in KINDS:
        declare(kind)
