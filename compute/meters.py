"""What compute measures, declared to billing."""

from dataclasses import replace
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from billing.focus import services
from billing.focus.services import FocusMeter, Role
from billing.meters import Aggregation, Meter, register
from billing.sources import reserve

CARD_SECONDS = "compute.card_seconds"
RESERVED_CARD_SECONDS = "compute.reserved_card_seconds"
SHARED_CARD_MILLISECONDS = "compute.shared_card_milliseconds"
STORAGE = "compute.storage"

ON_DEMAND = "on_demand"
COVERED = "covered"
COMMITTED = "committed"

SECONDS_PER_HOUR = 3600
MILLISECONDS_PER_HOUR = 1000 * SECONDS_PER_HOUR
# A month of storage is 730 hours, in February and in March alike: a GiB kept all year is 12 GiB-
# months.
HOURS_PER_STORAGE_MONTH = 730
MIB_SECONDS_PER_GIB_MONTH = 1024 * HOURS_PER_STORAGE_MONTH * SECONDS_PER_HOUR
STORAGE_HOLDS_FOR = timedelta(hours=2)


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
    register(
        Meter(
            code=SHARED_CARD_MILLISECONDS,
            base_unit="card-millisecond",
            title=_("Shares of cards"),
            dimensions=("chip", "pool", "service_class", "workload"),
            display_unit=_("card-hour"),
            display_divisor=MILLISECONDS_PER_HOUR,
            line_dimensions=("chip", "pool", "service_class"),
        )
    )
    register(
        Meter(
            code=STORAGE,
            base_unit="MiB-second",
            title=_("Storage"),
            dimensions=("pool", "storage_class", "volume"),
            display_unit=_("GiB-month"),
            display_divisor=MIB_SECONDS_PER_GIB_MONTH,
            line_dimensions=("pool", "storage_class"),
            aggregation=Aggregation.TIME_WEIGHTED,
            holds_for=STORAGE_HOLDS_FOR,
        )
    )
    _declare_for_focus()


def _declare_for_focus() -> None:
    """How the meters are written in cost exports: a reservation is bought, then used up."""
    shares = FocusMeter(
        meter=SHARED_CARD_MILLISECONDS,
        service="Accelerator cards",
        category="Compute",
        subcategory="Other (Compute)",
        sku_meter="Hours of shares of a card",
        unit="Hours",
        base_unit="Milliseconds",
        divisor=MILLISECONDS_PER_HOUR,
    )
    cards = replace(
        shares,
        meter=CARD_SECONDS,
        sku_meter="Card hours",
        base_unit="Seconds",
        divisor=SECONDS_PER_HOUR,
        role=Role.DRAWS,
        commitment_dimension="reservation",
        sku_details=(("GpuCount", 1),),
    )
    reserved = replace(
        cards, meter=RESERVED_CARD_SECONDS, sku_meter="Reserved card hours", role=Role.BUYS
    )
    storage = FocusMeter(
        meter=STORAGE,
        service="Storage",
        category="Storage",
        subcategory="Other (Storage)",
        sku_meter="GiB-months",
        unit="GiB-Months",
        base_unit="MiB-Seconds",
        divisor=MIB_SECONDS_PER_GIB_MONTH,
    )
    for one in (cards, reserved, shares, storage):
        services.declare(one)
