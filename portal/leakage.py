"""Capacity that was taken and not billed: compute's claims beside what billing counted.

Billing knows no cards and compute no bills, so the two meet here: each claim's card-seconds of a
day less those metered for it. See docs/algorithms/cost-explorer.md.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.adapters.csv import csv_file
from billing.queries.leaks import (
    CountedRow,
    Lost,
    RefusedRow,
    UnpricedRow,
    counted_by,
    refused_events,
    valued,
)
from common.period import Period, floor_hour
from common.zone import centre_zone
from compute.meters import CARD_SECONDS, COMMITTED, ON_DEMAND, RESERVED_CARD_SECONDS
from compute.queries.allocated import Taken, Unordered, out_of_work, taken, unordered
from tenants.permissions import Actor, Permission, require

Text = str | Promise
# Hours are charged some minutes after they end; until then they are not missing.
SETTLING = timedelta(minutes=10)
RESERVATION, WORKLOAD = "reservation", "workload"
NAMES = ("pool", "reservation", "workload", "service_class")
UNCONFIRMED = frozenset({"held", "awaiting_approval", "expired", "cancelled", "rejected"})

CAUSES: Mapping[str, Text] = {
    "no_usage": gettext_lazy("It ran, and the engine counted nothing"),
    "refused": gettext_lazy("Billing refused its usage"),
    "not_charged": gettext_lazy("An active reservation was not charged"),
    "late_activation": gettext_lazy("Reserved, and made available late or never"),
    "lapsed_hold": gettext_lazy("Held or waiting, and never confirmed"),
    "never_ran": gettext_lazy("It took cards and never ran"),
    "start_and_end": gettext_lazy("Cards taken before it started or after it ended"),
    "unordered": gettext_lazy("Work that nobody ordered here"),
}


@dataclass(frozen=True)
class PoolDay:
    """One pool on one day. Units: card-seconds.

    Shape: ``sold`` less ``metered`` is ``missing`` less ``surplus``; ``covered`` is work inside
    reservations, which is paid for by them and is no leak; maintenance is not sold.
    """

    pool: str
    day: date
    reserved: int = 0
    on_demand: int = 0
    metered_reserved: int = 0
    metered_on_demand: int = 0
    covered: int = 0
    maintenance: int = 0
    missing: int = 0

    @property
    def sold(self) -> int:
        return self.reserved + self.on_demand

    @property
    def metered(self) -> int:
        return self.metered_reserved + self.metered_on_demand

    @property
    def surplus(self) -> int:
        """Charged on top: the agreed rest of reservations that were ended early, and the like."""
        return self.metered - self.sold + self.missing


@dataclass(frozen=True)
class Leak:
    """One thing that took cards and was not metered for all of them. Units: card-seconds; net."""

    cause: str
    kind: str
    subject_id: UUID | None
    tenant_code: str
    tenant_name: str
    pool: str
    since: datetime
    card_seconds: int
    worth: Decimal | None
    note: str


@dataclass(frozen=True)
class CauseSum:
    cause: str
    count: int
    card_seconds: int
    worth: Decimal


@dataclass(frozen=True)
class Leakage:
    """Shape: ``until`` is up to when hours are counted; leaks the dearest first."""

    until: datetime
    days: tuple[PoolDay, ...]
    leaks: tuple[Leak, ...]
    causes: tuple[CauseSum, ...]
    refused: tuple[RefusedRow, ...]
    unpriced: tuple[UnpricedRow, ...]
    out_of_work: Mapping[str, int]

    @property
    def card_seconds(self) -> int:
        return sum(one.card_seconds for one in self.leaks)

    @property
    def worth(self) -> Decimal:
        return sum((one.worth or Decimal(0) for one in self.leaks), Decimal(0))


def settled_until(month: Period, now: datetime) -> datetime:
    """Up to when the hours of a month should have been charged."""
    return max(month.start, min(month.end, floor_hour(now - SETTLING)))


def leakage(*, actor: Actor, month: Period, now: datetime) -> Leakage:
    """What was taken and not billed in a month; the same few statements however much it was.

    Raises: PermissionRefused.
    """
    require(actor, Permission.REVENUE_READ)
    until = settled_until(month, now)
    if until <= month.start:
        return Leakage(until, (), (), (), (), (), {})
    period = Period(month.start, until)
    claims = taken(actor=actor, period=period)
    counted = counted_by(
        actor=actor, meters=(CARD_SECONDS, RESERVED_CARD_SECONDS), names=NAMES, period=period
    )
    strangers = unordered(actor=actor, period=period)
    days, missing = _compared(claims, counted)
    short = [claim for claim in claims if missing.get(_subject(claim))]
    lost = [_lost(claim, missing[_subject(claim)]) for claim in short]
    found = valued(actor=actor, lost=[*lost, *map(_lost_stranger, strangers)], period=period)
    leaks = [
        *(
            _leak(claim, one.quantity, worth)
            for claim, one, worth in zip(short, lost, found.worth[: len(short)], strict=True)
        ),
        *(
            _stranger(one, worth)
            for one, worth in zip(strangers, found.worth[len(short) :], strict=True)
        ),
    ]
    leaks.sort(key=lambda one: (-(one.worth or Decimal(0)), -one.card_seconds, str(one.subject_id)))
    return Leakage(
        until=until,
        days=days,
        leaks=tuple(leaks),
        causes=_by_cause(leaks),
        refused=refused_events(actor=actor, period=month),
        unpriced=found.unpriced,
        out_of_work=out_of_work(actor=actor),
    )


Subject = tuple[str, str]


def _subject(claim: Taken) -> Subject:
    return (claim.kind, str(claim.subject_id))


def _compared(
    claims: Sequence[Taken], counted: Sequence[CountedRow]
) -> tuple[tuple[PoolDay, ...], Mapping[Subject, int]]:
    """Each pool's days, and what is missing of each claim: day by day, never offset by others."""
    sums: dict[tuple[str, date], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    metered: dict[tuple[Subject, date], int] = defaultdict(int)
    for row in counted:
        pool, reservation, workload, service_class = row.values
        place = sums[pool, row.day]
        if row.meter == RESERVED_CARD_SECONDS:
            place["metered_reserved"] += row.quantity
            metered[(RESERVATION, reservation), row.day] += row.quantity
        elif service_class == "covered":
            place["covered"] += row.quantity
        else:
            place["metered_on_demand"] += row.quantity
            metered[(WORKLOAD, workload), row.day] += row.quantity
    missing: dict[Subject, int] = defaultdict(int)
    for claim in claims:
        for day, seconds in _by_day(claim.period):
            place, amount = sums[claim.pool, day], claim.cards * seconds
            if not claim.is_sold:
                place["maintenance"] += amount
                continue
            place["reserved" if claim.kind == RESERVATION else "on_demand"] += amount
            lacking = max(amount - metered[_subject(claim), day], 0)
            place["missing"] += lacking
            missing[_subject(claim)] += lacking
    days = tuple(PoolDay(pool, day, **sums[pool, day]) for pool, day in sorted(sums))
    return days, missing


def _by_day(period: Period) -> Iterator[tuple[date, int]]:
    """The days of the centre's calendar a period touches, with the whole seconds in each."""
    zone = centre_zone()
    start = period.start
    while start < period.end:
        local = start.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        end = min(midnight, period.end)
        yield local.date(), int((end - start).total_seconds())
        start = end


def _lost(claim: Taken, quantity: int) -> Lost:
    is_reservation = claim.kind == RESERVATION
    return Lost(
        meter=RESERVED_CARD_SECONDS if is_reservation else CARD_SECONDS,
        dimensions={
            "chip": claim.chip,
            "pool": claim.pool,
            "service_class": COMMITTED if is_reservation else claim.service_class,
            "reservation": str(claim.subject_id) if is_reservation else "",
        },
        quantity=quantity,
        at=floor_hour(claim.period.start),
        price_id=claim.price_id,
    )


def _lost_stranger(one: Unordered) -> Lost:
    said = {"chip": one.chip, "pool": one.pool, "service_class": ON_DEMAND}
    return Lost(CARD_SECONDS, said, one.card_seconds, floor_hour(one.started_at))


def _leak(claim: Taken, quantity: int, worth: Decimal | None) -> Leak:
    cause = _reservation_cause(claim, quantity) if claim.kind == RESERVATION else _cause(claim)
    return Leak(
        cause=cause,
        kind=claim.kind,
        subject_id=claim.subject_id,
        tenant_code=claim.tenant_code,
        tenant_name=claim.tenant_name,
        pool=claim.pool,
        since=claim.period.start,
        card_seconds=quantity,
        worth=worth,
        note=claim.reason or claim.attention,
    )


def _cause(claim: Taken) -> str:
    if claim.reason:
        return "refused"
    if claim.records:
        return "start_and_end"
    return "no_usage" if claim.began_at is not None else "never_ran"


def _reservation_cause(claim: Taken, quantity: int) -> str:
    if claim.attention.startswith("usage refused"):
        return "refused"
    if claim.state in UNCONFIRMED:
        return "lapsed_hold"
    if claim.began_at is None:
        return "late_activation"
    late = max((claim.began_at - claim.period.start).total_seconds(), 0) * claim.cards
    return "late_activation" if quantity <= late + claim.cards else "not_charged"


def _stranger(one: Unordered, worth: Decimal | None) -> Leak:
    return Leak(
        cause="unordered",
        kind="",
        subject_id=None,
        tenant_code="",
        tenant_name="",
        pool=one.pool or one.cluster,
        since=one.started_at,
        card_seconds=one.card_seconds,
        worth=worth,
        note=f"{one.engine_job_id} · {one.node}",
    )


def _by_cause(leaks: Sequence[Leak]) -> tuple[CauseSum, ...]:
    found: dict[str, list[Leak]] = defaultdict(list)
    for leak in leaks:
        found[leak.cause].append(leak)
    return tuple(
        CauseSum(
            cause,
            len(found[cause]),
            sum(one.card_seconds for one in found[cause]),
            sum((one.worth or Decimal(0) for one in found[cause]), Decimal(0)),
        )
        for cause in CAUSES
        if cause in found
    )


def leakage_csv(found: Leakage) -> bytes:
    """One row a leak, for a spreadsheet."""
    heading = (
        _("Cause"),
        _("Kind"),
        _("Id"),
        _("Tenant"),
        _("Pool"),
        _("Since"),
        _("Card-seconds"),
        _("Worth at list price, net"),
        _("Note"),
    )
    rows = (
        (
            str(CAUSES[leak.cause]),
            leak.kind,
            str(leak.subject_id or ""),
            leak.tenant_code,
            leak.pool,
            leak.since.isoformat(timespec="seconds"),
            str(leak.card_seconds),
            "" if leak.worth is None else f"{leak.worth:.2f}",
            leak.note,
        )
        for leak in found.leaks
    )
    return csv_file(heading, rows, figures=(6, 7))
