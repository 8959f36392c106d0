"""The cost explorer's sheet: a month's costs under one heading, for the page, the file and the API.

All three are made of the same sheet, so they cannot say different numbers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from billing.adapters.csv import csv_file
from billing.meters import Meter, declared
from billing.queries.costs import CostPart, month_costs
from common.errors import DomainError
from common.period import Period
from common.zone import centre_zone
from portal.cost_names import GROUPINGS, Grouping, grouping
from portal.exports import month_label, month_named
from tenants.permissions import Actor
from tenants.queries.projects import project_named

Text = str | Promise
NOTHING = Decimal(0)
USUAL = "sku"
# What stands in a query for the use that names no project; no project's code begins so.
NO_PROJECT = "-"
USAGE = "usage"


class GroupingRefused(DomainError):
    """Costs are not counted under this heading."""

    code = "grouping_refused"
    status = 422
    message = gettext_lazy("Costs can be grouped by %(known)s.")


class MeterRefused(DomainError):
    """The filter names a meter that nobody declared."""

    code = "meter_refused"
    status = 422
    message = gettext_lazy("There is no meter of this name.")


@dataclass(frozen=True)
class Asked:
    """What to show of which month. ``project`` is a code; empty means all."""

    label: str
    month: Period
    by: str
    project: str
    meter: str


@dataclass(frozen=True)
class Group:
    """One value of the heading and what it cost.

    Shape: ``value`` is empty for what is not attributed; ``kind`` is "usage", "true_up" or
    "adjustment". Units: ``quantity`` in base units, and only of one meter.
    """

    kind: str
    value: str
    name: str
    net: Decimal
    quantity: int
    share: Decimal

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True)
class DayCosts:
    """One day's amounts by the groups' keys; ``day`` is None for what belongs to no day."""

    day: date | None
    nets: Mapping[str, Decimal]
    quantities: Mapping[str, int]

    @property
    def net(self) -> Decimal:
        return sum(self.nets.values(), NOTHING)


@dataclass(frozen=True)
class Sheet:
    """Shape: ``groups`` the dearest first and what is not attributed last; ``days`` in order, only
    those with something, use of earlier months under its own day, None last. Both add up to
    ``total``, which is ``invoiced`` and ``open``.
    """

    asked: Asked
    currency: str
    meter: Meter | None
    groups: tuple[Group, ...]
    days: tuple[DayCosts, ...]
    total: Decimal
    invoiced: Decimal
    open: Decimal
    draft_elsewhere: Decimal | None
    quantity: int
    until: datetime
    since: datetime | None
    unpriced_meters: tuple[str, ...]
    projects: tuple[tuple[str, str], ...]
    meters: tuple[Meter, ...]

    @property
    def first_day(self) -> date:
        return self.asked.month.start.astimezone(centre_zone()).date()

    @property
    def last_day(self) -> date:
        """The month's last day, or today while it lasts."""
        end = min(self.asked.month.end - timedelta(seconds=1), self.until)
        return max(end.astimezone(centre_zone()).date(), self.first_day)


def asked_for(*, month: str, by: str, project: str, meter: str, now: datetime) -> Asked:
    """Read what is asked for from its words; what is left out is the usual.

    Raises: MonthRefused, GroupingRefused, MeterRefused.
    """
    label = month or month_label(now)
    period = month_named(label)
    if by and by not in GROUPINGS:
        raise GroupingRefused(known=", ".join(GROUPINGS))
    if meter and meter not in declared():
        raise MeterRefused
    return Asked(label, period, by or USUAL, project, meter)


def cost_sheet(*, actor: Actor, tenant_id: UUID, asked: Asked, now: datetime) -> Sheet:
    """A month's costs under one heading.

    Raises: PermissionRefused, NotFound also for the project, CostsBusy.
    """
    costs = month_costs(actor=actor, tenant_id=tenant_id, month=asked.month, now=now)
    named = {part.used.project_code: part.used.project_name for part in costs.parts}
    if asked.project not in {"", NO_PROJECT, *named}:
        # Nothing was used for it: it may still be one of the tenant's.
        project_named(actor=actor, tenant_id=tenant_id, code=asked.project)
    parts = [part for part in costs.parts if _is_wanted(part, asked)]
    heading = grouping(
        asked.by,
        actor=actor,
        tenant_id=tenant_id,
        parts=parts,
        language=get_language() or "en",
    )
    used = {part.bought.meter for part in costs.parts if part.bought.meter}
    known = declared()
    return Sheet(
        asked=asked,
        currency=costs.currency,
        meter=known.get(asked.meter),
        groups=_groups(parts, heading),
        days=_days(parts, heading),
        total=_sum(parts),
        invoiced=_sum(part for part in parts if part.is_invoiced),
        open=_sum(part for part in parts if not part.is_invoiced),
        draft_elsewhere=costs.draft_elsewhere,
        quantity=sum(part.quantity for part in parts),
        until=costs.until,
        since=costs.since,
        unpriced_meters=costs.unpriced_meters,
        projects=tuple(sorted((code, name) for code, name in named.items() if code)),
        meters=tuple(known[code] for code in sorted(used) if code in known),
    )


def _is_wanted(part: CostPart, asked: Asked) -> bool:
    if asked.meter and part.bought.meter != asked.meter:
        return False
    if asked.project == NO_PROJECT:
        return not part.used.project_code
    return not asked.project or part.used.project_code == asked.project


def _sum(parts: Iterable[CostPart]) -> Decimal:
    return sum((part.net for part in parts), NOTHING)


def _place(part: CostPart, heading: Grouping) -> tuple[str, str]:
    return (part.bought.kind, heading.value_of(part))


def _groups(parts: Sequence[CostPart], heading: Grouping) -> tuple[Group, ...]:
    nets: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    quantities: dict[tuple[str, str], int] = defaultdict(int)
    for part in parts:
        place = _place(part, heading)
        nets[place] += part.net
        quantities[place] += part.quantity
    total = sum(nets.values(), NOTHING)
    groups = [
        Group(
            kind=kind,
            value=value,
            name=heading.name_of(value),
            net=net,
            quantity=quantities[kind, value],
            share=net / total if total else NOTHING,
        )
        for (kind, value), net in nets.items()
    ]
    return tuple(
        sorted(
            groups,
            key=lambda one: (one.kind != USAGE, not one.value, -one.net, -one.quantity, one.value),
        )
    )


def _days(parts: Sequence[CostPart], heading: Grouping) -> tuple[DayCosts, ...]:
    nets: dict[date | None, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    quantities: dict[date | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for part in parts:
        key = ":".join(_place(part, heading))
        nets[part.day][key] += part.net
        quantities[part.day][key] += part.quantity
    return tuple(
        DayCosts(day, dict(nets[day]), dict(quantities[day]))
        for day in sorted(nets, key=lambda one: (one is None, one or date.min))
    )


def group_name(group: Group) -> str:
    """What a group is called in the reader's language; what is not attributed says so."""
    if group.name:
        return group.name
    if group.kind == "true_up":
        return _("True-up of an agreed amount")
    if group.kind == "adjustment":
        return _("Adjustment")
    return _("Not attributed")


def shown_quantity(quantity: int, meter: Meter | None) -> Decimal:
    """A quantity in the unit a person reads it in, to the hundredth."""
    return (Decimal(quantity) / (meter.display_divisor if meter else 1)).quantize(Decimal("0.01"))


def cost_csv(sheet: Sheet) -> bytes:
    """A row for each day and group, which a spreadsheet adds up to the same total."""
    heading = [_("Day"), str(GROUPINGS[sheet.asked.by]), _("Code"), _("Net"), _("Currency")]
    if sheet.meter:
        heading += [_("Quantity"), _("Unit")]
    rows = (
        _csv_row(day, group, sheet)
        for day in sheet.days
        for group in sheet.groups
        if group.key in day.nets
    )
    return csv_file(heading, rows, figures=(3, 5))


def _csv_row(day: DayCosts, group: Group, sheet: Sheet) -> list[str]:
    meter = sheet.meter
    cells = [
        day.day.isoformat() if day.day else _("No day"),
        group_name(group),
        group.value,
        f"{day.nets[group.key]:.2f}",
        sheet.currency,
    ]
    if meter:
        shown = Decimal(day.quantities[group.key]) / meter.display_divisor
        cells += [f"{shown.normalize():f}", str(meter.display_unit)]
    return cells
