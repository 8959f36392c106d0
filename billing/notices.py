"""What billing tells tenants: the kinds of notice it posts."""

from django.utils.translation import gettext_lazy as _

from billing.arrears import ArrearsState
from tenants.notices import Kind, declare

S = ArrearsState

OF_STATE: dict[ArrearsState, Kind] = {
    S.WARNING: Kind(
        code="arrears.warned",
        title=_("Funds are running low"),
        body=_(
            "At the pace of the last days the funds last %(days_left)s days. Top up in time: "
            "without funds nothing new can be started, and later running work is stopped."
        ),
    ),
    S.URGENT: Kind(
        code="arrears.urged",
        title=_("Funds last less than a day"),
        body=_(
            "At the pace of the last days the funds last %(days_left)s days. Top up today, or the "
            "account falls into arrears."
        ),
    ),
    S.GRACE: Kind(
        code="arrears.grace_started",
        title=_("The account is in arrears"),
        body=_(
            "%(amount_needed)s %(currency)s are needed. What runs keeps running and is billed; "
            "nothing new can be started. Work on demand is stopped after "
            "%(on_demand_freeze_at)s, reserved work after %(reserved_freeze_at)s."
        ),
    ),
    S.RETENTION: Kind(
        code="arrears.retention_started",
        title=_("Running work is being stopped"),
        body=_(
            "%(amount_needed)s %(currency)s are needed. Work is stopped after a notice of "
            "%(checkpoint_minutes)s minutes, model endpoints last. What was stopped starts again "
            "by itself after a top-up until %(release_at)s; after that it is given up."
        ),
    ),
    S.RELEASED: Kind(
        code="arrears.released",
        title=_("Reserved and stopped resources have been given up"),
        body=_(
            "The account stayed in arrears: %(amount_needed)s %(currency)s are needed. "
            "Reservations are cancelled and deployments are stopped for good."
        ),
    ),
    S.NORMAL: Kind(
        code="arrears.cleared",
        title=_("The account is in order again"),
        body=_("Everything can be started again."),
    ),
}


def declare_kinds() -> None:
    """Make the kinds known; called when the app is ready."""
    for kind in OF_STATE.values():
        declare(kind)
