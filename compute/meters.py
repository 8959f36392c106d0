"""What compute measures, declared to billing."""

from django.utils.translation import gettext_lazy as _

from billing.meters import Meter, register
from billing.sources import reserve

CARD_SECONDS = "compute.card_seconds"
RESERVED_CARD_SECONDS = "compute.reserved_card_seconds"

ON_DEMAND = "on_demand"
COVERED = "covered"
COMMITTED = "committed"

SECONDS_PER_HOUR = 3600


def declare() -> None:
    """Register the meters; called once when the app is ready."""
    reserve("compute.engine", "compute.reservation")
    register(
        Meter(
            code=CARD_SECONDS,
            base_unit="card-second",
            title=_("Cards in use"),
            dimensions=("chip", "pool", "service_class", "reservation", "workload"),
            display_unit=_("card-hour"),
            display_divisor=SECONDS_PER_HOUR,
            line_dimensions=("chip", "pool", "service_class"),
        )
    )
    register(
        Meter(
            code=RESERVED_CARD_SECONDS,
            base_unit="card-second",
            title=_("Reserved cards"),
            dimensions=("chip", "pool", "service_class", "reservation"),
            display_unit=_("card-hour"),
            display_divisor=SECONDS_PER_HOUR,
        )
    )
