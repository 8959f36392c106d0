"""A month's costs in the smallest parts that can be grouped: by day, series and what was bought.

The month is that of the bills, as in cost exports: invoices whose period ends in it, and the part
of the draft that belongs to it. No price is looked up here: the money is that of issued lines and
of the draft.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from billing.charging import RatedCharge
from billing.costs import Place, spread
from billing.models import LineKind
from billing.queries.draft_months import charge_month, first_month, true_up_month
from billing.queries.drafts import Draft, draft
from billing.queries.trueups import true_up_line
from common.errors import DomainError
from common.period import Period
from tenants.permissions import Actor, Permission, require

TRIES = 5
NOTHING = Decimal(0)


class CostsBusy(DomainError):
    """Invoices of the tenant were issued all the while its costs were read."""

    code = "costs_busy"
    status = 503
    retryable = True
    message = _("Invoices are being issued. Try again in a minute.")


@dataclass(frozen=True)
class Bought:
    """What money was spent on: use at a price, a true-up, an adjustment."""

    kind: str
    meter: str
    sku: str
    title_en: str
    title_zh: str


@dataclass(frozen=True)
class Used:
    """A series: for which project it was used, and what its events said of it."""

    project_id: UUID | None = None
    project_code: str = ""
    project_name: str = ""
    dimensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CostPart:
    """What one series cost on one day. Units: base units of the meter; net, in whole fen.

    Shape: ``day`` is None for money that belongs to none: true-ups, adjustments, and a charge
    whose quantities add up to nothing.
    """

    day: date | None
    bought: Bought
    used: Used
    quantity: int
    net: Decimal
    is_invoiced: bool


@dataclass(frozen=True)
class MonthCosts:
    """Shape: the parts add up to the nets of the month's invoices and of its part of the draft.

    ``draft_elsewhere`` is the rest of the draft, which belongs to other months; None where the
    reader sees one project only. ``since`` is when the tenant's first period began.
    """

    month: Period
    currency: str
    until: datetime
    parts: tuple[CostPart, ...]
    draft_elsewhere: Decimal | None
    since: datetime | None
    unpriced_meters: tuple[str, ...]

    @property
    def invoiced(self) -> Decimal:
        return sum((part.net for part in self.parts if part.is_invoiced), NOTHING)

    @property
    def open(self) -> Decimal:
        return sum((part.net for part in self.parts if not part.is_invoiced), NOTHING)

    @property
    def total(self) -> Decimal:
        return sum((part.net for part in self.parts), NOTHING)


class _Charge(NamedTuple):
    """A charge to be shared out: of an invoice, or of the draft."""

    bought: Bought
    net: Decimal
    is_invoiced: bool


def month_costs(*, actor: Actor, tenant_id: UUID, month: Period, now: datetime) -> MonthCosts:
    """A tenant's costs of one month; a key of one project sees that project's.

    The draft's statements and one more, however much was used.
    Raises: PermissionRefused, NotFound, CostsBusy.
    """
    require(actor, Permission.USAGE_READ, tenant_id)
    for _try in range(TRIES):
        open_use = draft(tenant_id=tenant_id, until=now)
        bills = _bills(tenant_id, month, open_use)
        if not bills.closed:
            break
    else:
        raise CostsBusy
    parts = [*_shared(bills), *bills.others, *_unused(open_use, month)]
    elsewhere = open_use.net - sum((one.net for one in parts if not one.is_invoiced), NOTHING)
    if actor.project_id is not None:
        parts = [one for one in parts if one.used.project_id == actor.project_id]
    return MonthCosts(
        month=month,
        currency=open_use.currency,
        until=now,
        parts=tuple(parts),
        draft_elsewhere=elsewhere if actor.project_id is None else None,
        since=bills.since,
        unpriced_meters=tuple(sorted({one.meter for one in open_use.unpriced})),
    )


def _open_charges(of: Draft, month: Period) -> Iterator[tuple[int, _Charge]]:
    """The draft's charges that belong to the month, by their place in the draft."""
    for place, charge in enumerate(of.charges):
        if charge_month(of, charge.key) == month.start:
            yield place, _Charge(_bought(charge), _net(charge), is_invoiced=False)


def _bought(charge: RatedCharge) -> Bought:
    price = charge.price
    return Bought(LineKind.USAGE.value, price.meter, price.sku, price.title_en, price.title_zh)


def _net(charge: RatedCharge) -> Decimal:
    return sum((line.net for line in charge.lines), NOTHING)


def _unused(of: Draft, month: Period) -> Iterator[CostPart]:
    """The draft's true-ups and adjustments that belong to the month."""
    for lacking in of.true_ups:
        if true_up_month(of, lacking) == month.start:
            line = true_up_line(lacking)
            bought = Bought(line.kind, "", line.sku, line.title_en, line.title_zh)
            yield CostPart(None, bought, Used(), 0, lacking.net, is_invoiced=False)
    for fact in of.adjustments:
        if first_month(of) == month.start:
            kind = LineKind.ADJUSTMENT.value
            bought = Bought(kind, "", kind, fact.title_en, fact.title_zh)
            yield CostPart(None, bought, Used(), 0, fact.net, is_invoiced=False)


# Hours become days before they leave the database: a month of ten thousand buckets is a row for
# each series of a charge. A charge that nets to nothing has no line, and is shown all the same.
BILLS = """
WITH counted AS (
    SELECT charge.id AS charge_id, NULL::int AS place, segment.series_id,
        (bucket.hour AT TIME ZONE %(zone)s)::date AS day, sum(bucket.quantity)::bigint AS quantity
    FROM billing_invoice invoice
    JOIN billing_charge charge ON charge.invoice_id = invoice.id
    JOIN billing_chargesegment segment ON segment.charge_id = charge.id
    JOIN billing_billingperiod period ON period.invoice_id = invoice.id
    JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
        AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
        AND bucket.period_id = period.id
    WHERE invoice.tenant_id = %(tenant)s
        AND invoice.period_end > %(start)s AND invoice.period_end <= %(end)s
    GROUP BY 1, 3, 4
    UNION ALL
    SELECT NULL, stretch.place, stretch.series_id,
        (bucket.hour AT TIME ZONE %(zone)s)::date, sum(bucket.quantity)::bigint
    FROM unnest(%(series)s::bigint[], %(from)s::timestamptz[], %(to)s::timestamptz[],
        %(places)s::int[]) AS stretch (series_id, starts_at, ends_at, place)
    JOIN billing_usagebucket bucket ON bucket.series_id = stretch.series_id
        AND bucket.hour >= stretch.starts_at AND bucket.hour < stretch.ends_at
        AND bucket.hour < %(until)s AND bucket.period_id = ANY(%(periods)s)
    GROUP BY 2, 3, 4
), by_series AS (
    SELECT charge_id, place, series_id, array_agg(day) AS days, array_agg(quantity) AS quantities
    FROM counted GROUP BY 1, 2, 3
), issued AS (
    SELECT charge.id, price.meter, price.sku, price.title_en, price.title_zh,
        coalesce((SELECT sum(net) FROM billing_invoiceline WHERE charge_id = charge.id), 0) AS net
    FROM billing_invoice invoice
    JOIN billing_charge charge ON charge.invoice_id = invoice.id
    JOIN billing_price price ON price.id = charge.price_id
    WHERE invoice.tenant_id = %(tenant)s
        AND invoice.period_end > %(start)s AND invoice.period_end <= %(end)s
)
SELECT 'usage', issued.meter, issued.sku, issued.title_en, issued.title_zh, issued.net,
    by_series.charge_id, by_series.place, series.id, project.id, coalesce(project.code, ''),
    coalesce(project.name, ''), series.dimensions, by_series.days, by_series.quantities
FROM by_series
JOIN billing_series series ON series.id = by_series.series_id
LEFT JOIN issued ON issued.id = by_series.charge_id
LEFT JOIN tenants_project project ON project.id = series.project_id
UNION ALL
SELECT line.kind, line.meter, line.sku, line.title_en, line.title_zh, line.net,
    NULL, NULL, NULL, NULL, '', '', NULL, NULL, NULL
FROM billing_invoice invoice JOIN billing_invoiceline line ON line.invoice_id = invoice.id
WHERE invoice.tenant_id = %(tenant)s AND line.charge_id IS NULL
    AND invoice.period_end > %(start)s AND invoice.period_end <= %(end)s
UNION ALL
SELECT NULL, '', '', '', '', count(*) FILTER (WHERE id = ANY(%(periods)s) AND state <> 'open'),
    NULL, NULL, NULL, NULL, min(starts_at)::text, '', NULL, NULL, NULL
FROM billing_billingperiod WHERE tenant_id = %(tenant)s
"""


@dataclass(frozen=True)
class _Bills:
    """Every charge of the month with the use behind it, and lines that no use explains.

    Shape: ``closed`` is how many of the draft's periods an invoice has closed meanwhile.
    """

    charges: Mapping[UUID | int, _Charge]
    used: Mapping[UUID | int, Mapping[Place, int]]
    series: Mapping[int, Used]
    others: tuple[CostPart, ...]
    since: datetime | None
    closed: int


def _bills(tenant_id: UUID, month: Period, of: Draft) -> _Bills:
    """The month's invoices and its part of the draft, in parts; one statement."""
    charges: dict[UUID | int, _Charge] = dict(_open_charges(of, month))
    used: dict[UUID | int, dict[Place, int]] = {name: {} for name in charges}
    series: dict[int, Used] = {}
    others, since, closed = [], None, 0
    with connection.cursor() as cursor:
        cursor.execute(BILLS, _stretches(tenant_id, month, of, charges))
        for kind, *told in cursor.fetchall():
            *names, net, charge_id, place, number, project_id, code, name, said, days, many = told
            if kind is None:
                since, closed = code and datetime.fromisoformat(code), int(net)
                continue
            bought = Bought(kind, *names)
            if number is None:
                others.append(CostPart(None, bought, Used(), 0, net, is_invoiced=True))
                continue
            if charge_id is not None:
                charges.setdefault(charge_id, _Charge(bought, net, is_invoiced=True))
            if number not in series:
                series[number] = Used(project_id, code, name, json.loads(said))
            cells = used.setdefault(place if charge_id is None else charge_id, {})
            cells.update((Place(day, number), each) for day, each in zip(days, many, strict=True))
    return _Bills(charges, used, series, tuple(others), since or None, closed)


def _shared(bills: _Bills) -> Iterator[CostPart]:
    """Every charge in its parts, which add up to it."""
    for name, charge in bills.charges.items():
        used = bills.used[name]
        shares = spread(charge.net, used)
        for place, quantity in used.items():
            yield CostPart(
                day=place.day,
                bought=charge.bought,
                used=bills.series[place.series_id],
                quantity=quantity,
                net=shares.get(place, NOTHING),
                is_invoiced=charge.is_invoiced,
            )
        if not shares and charge.net:
            yield CostPart(None, charge.bought, Used(), 0, charge.net, charge.is_invoiced)


def _stretches(
    tenant_id: UUID, month: Period, of: Draft, charges: Mapping[UUID | int, _Charge]
) -> dict[str, UUID | str | datetime | list[object]]:
    places = {charge.key: place for place, charge in enumerate(of.charges) if place in charges}
    wanted = [part for part in of.plan.segments if part.charge in places]
    return {
        "tenant": tenant_id,
        "zone": settings.CENTRE_TIME_ZONE,
        "start": month.start,
        "end": month.end,
        "until": of.until,
        "periods": list(of.period_ids),
        "series": [part.series_id for part in wanted],
        "from": [part.start for part in wanted],
        "to": [part.end for part in wanted],
        "places": [places[part.charge] for part in wanted],
    }
