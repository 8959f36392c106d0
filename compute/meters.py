"""What compute measures, declared to billing."""

from django.utils.translation import gettext_lazy as _

from billing.focus import services
from billing.focus.services import FocusMeter, Role
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
    _declare_for_focus()


def _declare_for_focus() -> None:
    """How the two meters are written in cost exports: a reservation is bought, then used up."""
    for code, sku_meter, role in (
        (CARD_SECONDS, "Card hours", Role.DRAWS),
        (RESERVED_CARD_SECONDS, "Reserved card hours", Role.BUYS),
    ):
        services.declare(
            FocusMeter(
                meter=code,
                service="Accelerator cards",
                category="Compute",
                subcategory="Other (Compute)",
                sku_meter=sku_meter,
                unit="Hours",
                base_unit="Seconds",
                divisor=SECONDS_PER_HOUR,
                role=role,
                commitment_dimension="reservation",
                sku_details=(("GpuCount", 1),),
            )
        )
