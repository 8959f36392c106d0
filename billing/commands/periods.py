"""Opening billing periods for usage, and closing them with an invoice."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Max

from billing.locks import busy_when_waiting
from billing.models import BillingPeriod, Invoice, PeriodState, UsageBucket
from common.period import floor_hour, month_of


class OpenPeriod(NamedTuple):
    """A period that takes usage."""

    id: int
    starts_at: datetime
    ends_at: datetime


# Row locks alone would do, and the database takes them; but sharers of a row lock go on joining
# past one who waits to have it alone, and a busy tenant would never be invoiced.
LOCK = "SELECT pg_advisory_xact_lock{shared}(hashtextextended('billing.periods:' || %s, 0))"


def open_periods(tenant_id: UUID, earliest: datetime, latest: datetime) -> tuple[OpenPeriod, ...]:
    """The tenant's open periods, those of the given instants among them, opened if need be.

    Months that an invoice has closed stay closed: their usage goes to the oldest open period.
    Locks: the tenant's periods, shared, until the transaction ends: none closes meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK.format(shared="_shared"), [str(tenant_id)])
    wanted_from, wanted_to = floor_hour(earliest), floor_hour(latest)
    periods = _open(tenant_id)
    if not periods or wanted_from < periods[0].starts_at or wanted_to >= periods[-1].ends_at:
        _open_months(tenant_id, wanted_from, wanted_to)
        periods = _open(tenant_id)
    return periods


def _open(tenant_id: UUID) -> tuple[OpenPeriod, ...]:
    rows = BillingPeriod.objects.filter(tenant_id=tenant_id, state=PeriodState.OPEN)
    return tuple(
        OpenPeriod(*row)
        for row in rows.order_by("starts_at").values_list("id", "starts_at", "ends_at")
    )


def _open_months(tenant_id: UUID, earliest: datetime, latest: datetime) -> None:
    """Make the missing months, from where the last closed one ended and without gaps."""
    zone = settings.CENTRE_TIME_ZONE
    known = BillingPeriod.objects.filter(tenant_id=tenant_id)
    closed_until = known.filter(state=PeriodState.CLOSED).aggregate(end=Max("ends_at"))["end"]
    open_until = {period.starts_at: period.ends_at for period in _open(tenant_id)}
    start = min([month_of(earliest, zone).start, *open_until])
    if closed_until is not None:
        start = closed_until
    end = max([month_of(latest, zone).end, month_of(start, zone).end, *open_until.values()])
    missing = []
    while start < end:
        following = open_until.get(start)
        if following is None:
            following = month_of(start, zone).end
            missing.append(BillingPeriod(tenant_id=tenant_id, starts_at=start, ends_at=following))
        start = following
    # Another batch of this tenant may open the same month at this moment: one of them makes it.
    BillingPeriod.objects.bulk_create(missing, ignore_conflicts=True)


def periods_to_close(tenant_id: UUID, until: datetime) -> tuple[OpenPeriod, ...]:
    """The open periods that begin before ``until``, in order.

    Locks: the tenant's periods, alone, until the transaction ends: batches of usage wait.
    Raises: AccountBusy after the time the account's lock is waited for.
    """
    with busy_when_waiting(), connection.cursor() as cursor:
        cursor.execute(LOCK.format(shared=""), [str(tenant_id)])
    return tuple(period for period in _open(tenant_id) if period.starts_at < until)


def close_periods(
    invoice: Invoice, periods: Sequence[OpenPeriod], *, until: datetime, now: datetime
) -> None:
    """Close what an invoice bills; the rest of a month it cuts through stays open.

    Locks: none of its own; the caller holds the periods alone.
    """
    last = periods[-1]
    if last.ends_at > until:
        BillingPeriod.objects.filter(pk=last.id).update(ends_at=until)
        root = BillingPeriod.objects.values_list("root_id", flat=True).get(pk=last.id)
        rest = BillingPeriod.objects.create(
            tenant_id=invoice.tenant_id,
            starts_at=until,
            ends_at=last.ends_at,
            root_id=root or last.id,
        )
        UsageBucket.objects.filter(period_id=last.id, hour__gte=until).update(period_id=rest.pk)
    BillingPeriod.objects.filter(pk__in=[period.id for period in periods]).update(
        state=PeriodState.CLOSED, invoice_id=invoice.pk, closed_at=now
    )
