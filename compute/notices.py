"""What compute tells tenants: the kinds of notice it posts."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare

STOP_ANNOUNCED = Kind(
    code="workload.stop_announced",
    title=_("Running work is stopped in %(minutes)s minutes"),
    body=_(
        "The account is in arrears: %(amount_needed)s %(currency)s are needed. Write your "
        "checkpoints now: %(workloads)s running workloads are stopped at %(stop_at)s, jobs "
        "first and model endpoints last. A top-up before then keeps them running."
    ),
)
PREEMPTED = Kind(
    code="workload.preempted",
    title=_("Shared work gave way in pool %(pool)s"),
    body=_(
        "Work of a higher class took its %(cards)s cards, so it has ended. The time it ran is "
        "charged, and what was set aside beyond that comes back. Start it again when you need it."
    ),
)


def declare_kinds() -> None:
    """Make the kinds known; called when the app is ready."""
    declare(STOP_ANNOUNCED)
    declare(PREEMPTED)
