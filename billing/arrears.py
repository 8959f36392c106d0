"""When a tenant is in arrears, what follows from it and until when: arithmetic and tables only.

Billing states this; whoever runs work or sells it reads the statement and obeys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.money import FEN
from tenants.permissions import Permission


class ArrearsState(TextChoices):
    NORMAL = "normal", pgettext_lazy("arrears", "Normal")
    WARNING = "warning", pgettext_lazy("arrears", "Warning")
    URGENT = "urgent", pgettext_lazy("arrears", "Urgent")
    GRACE = "grace", pgettext_lazy("arrears", "Grace period")
    RETENTION = "retention", pgettext_lazy("arrears", "Retention")
    RELEASED = "released", pgettext_lazy("arrears", "Released")


class ResourceClass(TextChoices):
    """What ends at different times: work by the hour, and what was committed for a period."""

    ON_DEMAND = "on_demand", _("On demand")
    RESERVED = "reserved", _("Reserved")


S = ArrearsState
P = Permission

# Nothing is owed that is not covered: only how long the money will last differs.
COVERED = frozenset({S.NORMAL, S.WARNING, S.URGENT})
# In arrears, from mild to hard; each needs the one before it.
OWING = (S.GRACE, S.RETENTION, S.RELEASED)

# Paying leads from everywhere back to whatever the forecast then says.
TRANSITIONS: Mapping[ArrearsState, frozenset[ArrearsState]] = {
    S.NORMAL: frozenset({S.WARNING, S.URGENT, S.GRACE}),
    S.WARNING: frozenset({S.NORMAL, S.URGENT, S.GRACE}),
    S.URGENT: frozenset({S.NORMAL, S.WARNING, S.GRACE}),
    S.GRACE: frozenset({S.NORMAL, S.WARNING, S.URGENT, S.RETENTION}),
    S.RETENTION: frozenset({S.NORMAL, S.WARNING, S.URGENT, S.RELEASED}),
    S.RELEASED: frozenset({S.NORMAL, S.WARNING, S.URGENT}),
}

# From which state on a permission no longer lets anything new begin. What is not listed always
# works: looking, paying, stopping, cancelling, revoking, and reporting what was used.
REFUSED_FROM: Mapping[Permission, ArrearsState] = {
    P.RESERVATION_CREATE: S.GRACE,
    P.DEPLOYMENT_CREATE: S.GRACE,
    P.KEY_MANAGE: S.RETENTION,
    P.PROJECT_MANAGE: S.RETENTION,
}


def refuses(permission: Permission, state: ArrearsState) -> bool:
    """Whether a tenant in this state is refused what the permission otherwise allows."""
    first = REFUSED_FROM.get(permission)
    return first is not None and state in OWING and OWING.index(state) >= OWING.index(first)


@dataclass(frozen=True)
class Figures:
    """One tier's figures; the defaults are what holds where operators have set none.

    Units: hours, days and minutes, as the names say. ``payment_days`` is from an invoice's issue
    to its due date.
    """

    on_demand_grace_hours: int = 24
    on_demand_retention_hours: int = 168
    reserved_grace_hours: int = 168
    reserved_retention_hours: int = 168
    warning_days: int = 3
    urgent_days: int = 1
    checkpoint_minutes: int = 10
    payment_days: int = 15


@dataclass(frozen=True)
class Position:
    """A tenant's money as the assessment sees it.

    Units: gross. ``funds`` is wallet + credit limit − owed − used and not invoiced, so neither
    vouchers nor promotional credit are in it; ``overdue`` is the open part of invoices past their
    due date; ``daily_spend`` is what became owed in a day, on average.
    """

    funds: Decimal
    overdue: Decimal
    daily_spend: Decimal

    @property
    def is_owing(self) -> bool:
        return self.funds < 0 or self.overdue > 0

    @property
    def amount_needed(self) -> Decimal:
        """What has to be paid in, in whole fen, so that nothing is owed that is not covered."""
        needed = max(-self.funds, self.overdue, Decimal(0))
        return needed.quantize(FEN, rounding=ROUND_UP)

    @property
    def days_left(self) -> Decimal | None:
        """How long the funds last at the last days' pace; None where nothing is being spent."""
        if self.daily_spend <= 0:
            return None
        left = max(self.funds, Decimal(0)) / self.daily_spend
        return min(left, Decimal(99999)).quantize(Decimal("0.01"), rounding=ROUND_DOWN)


@dataclass(frozen=True)
class Deadlines:
    """When each class of resources is frozen and when it is given up."""

    on_demand_freeze_at: datetime
    on_demand_release_at: datetime
    reserved_freeze_at: datetime
    reserved_release_at: datetime

    @property
    def first_freeze_at(self) -> datetime:
        return min(self.on_demand_freeze_at, self.reserved_freeze_at)

    @property
    def last_release_at(self) -> datetime:
        return max(self.on_demand_release_at, self.reserved_release_at)

    def freeze_at(self, kind: ResourceClass) -> datetime:
        on_demand = kind == ResourceClass.ON_DEMAND
        return self.on_demand_freeze_at if on_demand else self.reserved_freeze_at

    def release_at(self, kind: ResourceClass) -> datetime:
        on_demand = kind == ResourceClass.ON_DEMAND
        return self.on_demand_release_at if on_demand else self.reserved_release_at


def deadlines_from(now: datetime, figures: Figures) -> Deadlines:
    """The deadlines of arrears that begin now."""
    on_demand = now + timedelta(hours=figures.on_demand_grace_hours)
    reserved = now + timedelta(hours=figures.reserved_grace_hours)
    return Deadlines(
        on_demand_freeze_at=on_demand,
        on_demand_release_at=on_demand + timedelta(hours=figures.on_demand_retention_hours),
        reserved_freeze_at=reserved,
        reserved_release_at=reserved + timedelta(hours=figures.reserved_retention_hours),
    )


def kept_long_enough(deadlines: Deadlines, now: datetime) -> Deadlines:
    """The deadlines where freezing begins late: nobody gets a shorter retention for that."""
    kept = deadlines.on_demand_release_at - deadlines.on_demand_freeze_at
    reserved_kept = deadlines.reserved_release_at - deadlines.reserved_freeze_at
    return Deadlines(
        on_demand_freeze_at=deadlines.on_demand_freeze_at,
        on_demand_release_at=max(now, deadlines.on_demand_freeze_at) + kept,
        reserved_freeze_at=deadlines.reserved_freeze_at,
        reserved_release_at=max(now, deadlines.reserved_freeze_at) + reserved_kept,
    )


def put_off(deadlines: Deadlines, by: timedelta, now: datetime) -> Deadlines:
    """The same deadlines later, those that have passed left where they are."""

    def later(at: datetime) -> datetime:
        return at + by if at > now else at

    return Deadlines(
        on_demand_freeze_at=later(deadlines.on_demand_freeze_at),
        on_demand_release_at=later(deadlines.on_demand_release_at),
        reserved_freeze_at=later(deadlines.reserved_freeze_at),
        reserved_release_at=later(deadlines.reserved_release_at),
    )


def next_state(
    state: ArrearsState,
    position: Position,
    *,
    figures: Figures,
    deadlines: Deadlines | None,
    is_exempt: bool,
    now: datetime,
) -> ArrearsState:
    """Where the tenant stands after one step; the same state where nothing moves.

    Shape: ``deadlines`` are those of the arrears it is in. An exempt tenant is never in arrears.
    """
    if is_exempt or not position.is_owing:
        return _by_forecast(position, figures)
    if deadlines is None or state in COVERED:
        return S.GRACE
    if state == S.GRACE and deadlines.first_freeze_at <= now:
        return S.RETENTION
    if state == S.RETENTION and deadlines.last_release_at <= now:
        return S.RELEASED
    return state


def _by_forecast(position: Position, figures: Figures) -> ArrearsState:
    left = position.days_left
    if position.is_owing or (left is not None and left < figures.urgent_days):
        return S.URGENT
    if left is not None and left < figures.warning_days:
        return S.WARNING
    return S.NORMAL
