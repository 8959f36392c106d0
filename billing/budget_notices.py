"""What tenants are told of their budgets and of their spending."""

from django.utils.translation import gettext_lazy as _

from tenants.notices import Kind, declare

THRESHOLD = Kind(
    "budget.threshold_reached",
    _("%(threshold)s%% of the budget “%(name)s” is spent"),
    _("%(spent)s of %(amount)s %(currency)s net are spent in %(month)s. Nothing is stopped."),
)
REACHED = Kind(
    "budget.reached",
    _("The budget “%(name)s” is reached and stops new spending"),
    _(
        "%(spent)s of %(amount)s %(currency)s net are spent in %(month)s. New work and model "
        "calls under this budget are refused until the amount is raised or the next month begins."
    ),
)
WORK_STOPPED = Kind(
    "budget.work_stopped",
    _("“%(deployment)s” was stopped by the budget “%(name)s”"),
    _(
        "The budget of %(amount)s %(currency)s net is reached in %(month)s and stops running work. "
        "Deploy it again once the budget is raised or the next month has begun."
    ),
)
UNUSUAL = Kind(
    "spend.unusual",
    _("Unusual spending on %(day)s"),
    _(
        "%(day)s has cost %(net)s %(currency)s net so far; the median of the %(days)s days before "
        "is %(usual)s. The largest part is the project “%(project)s” with %(project_net)s."
    ),
)


def of_threshold(threshold: int, *, stops: bool) -> Kind:
    """Which kind says that a threshold is reached: the last one may stop things."""
    return REACHED if threshold == 100 and stops else THRESHOLD


def declare_kinds() -> None:
    """Make the kinds known; called once when the app is ready."""
    for kind in (THRESHOLD, REACHED, WORK_STOPPED, UNUSUAL):
        declare(kind)
