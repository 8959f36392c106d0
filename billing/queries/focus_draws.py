"""Which commitments covered use drew on: the hours behind a charge, told apart by commitment."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from billing.charging import RatedLine
from billing.focus.facts import Draw, Rate
from billing.focus.services import Role, with_role
from billing.models import Invoice, InvoiceLine, PeriodState
from billing.queries.drafts import Draft
from billing.rating import ChargeKey
from common.period import HOUR, Period

Draws = Mapping[str, Sequence[Draw]]

SETTLED = """
SELECT (SELECT count(*) FROM billing_invoice WHERE tenant_id = %(tenant)s), (
    SELECT sum(bucket.events)
    FROM billing_billingperiod period
    JOIN billing_usagebucket bucket ON bucket.period_id = period.id
    JOIN billing_series series ON series.id = bucket.series_id AND series.meter = ANY(%(meters)s)
    WHERE period.tenant_id = %(tenant)s AND period.state = %(open)s
)
"""


def settled_so_far(tenant_id: UUID) -> tuple[object, ...]:
    """The same as long as no invoice is issued and nothing of a commitment comes in.

    Invoices and events are only ever added, so that their numbers never come back.
    """
    roles = (*with_role(Role.BUYS), *with_role(Role.DRAWS))
    values: dict[str, list[str] | UUID | str] = {
        "tenant": tenant_id,
        "meters": [meter.meter for meter in roles],
        "open": PeriodState.OPEN,
    }
    with connection.cursor() as cursor:
        cursor.execute(SETTLED, values)
        (found,) = cursor.fetchall()
    return tuple(found)


INVOICE_DRAWS = """
SELECT charge.id, series.dimensions ->> %(dimension)s, sum(bucket.quantity)::bigint,
    min(bucket.hour), max(bucket.hour)
FROM billing_charge charge
JOIN billing_chargesegment segment ON segment.charge_id = charge.id
JOIN billing_series series ON series.id = segment.series_id AND series.meter = %(meter)s
    AND series.dimensions ->> %(dimension)s <> ''
JOIN billing_billingperiod period ON period.invoice_id = charge.invoice_id
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.period_id = period.id
WHERE charge.tenant_id = %(tenant)s AND charge.invoice_id = %(invoice)s
GROUP BY 1, 2 ORDER BY 1, 2
"""


def invoice_draws(invoice: Invoice) -> Draws:
    """By charge of an invoice, what it drew on each commitment; one statement a drawing meter."""
    found: dict[str, list[Draw]] = {}
    for meter in with_role(Role.DRAWS):
        values: dict[str, UUID | str] = {
            "meter": meter.meter,
            "dimension": meter.commitment_dimension,
            "tenant": invoice.tenant_id,
            "invoice": invoice.pk,
        }
        with connection.cursor() as cursor:
            cursor.execute(INVOICE_DRAWS, values)
            for charge_id, commitment_id, quantity, first, last in cursor.fetchall():
                draw = Draw(commitment_id, quantity, _hours(first, last))
                found.setdefault(str(charge_id), []).append(draw)
    return found


DRAFT_DRAWS = """
SELECT segment.place, series.dimensions ->> %(dimension)s, sum(bucket.quantity)::bigint,
    min(bucket.hour), max(bucket.hour)
FROM unnest(%(series)s::bigint[], %(start)s::timestamptz[], %(end)s::timestamptz[],
    %(place)s::text[]) AS segment (series_id, starts_at, ends_at, place)
JOIN billing_series series ON series.id = segment.series_id AND series.meter = %(meter)s
    AND series.dimensions ->> %(dimension)s <> ''
JOIN billing_usagebucket bucket ON bucket.series_id = segment.series_id
    AND bucket.hour >= segment.starts_at AND bucket.hour < segment.ends_at
    AND bucket.hour < %(until)s
JOIN billing_billingperiod period ON period.id = bucket.period_id AND period.state = %(open)s
    AND period.starts_at < %(until)s
GROUP BY 1, 2 ORDER BY 1, 2
"""


def draft_draws(draft: Draft, places: Mapping[ChargeKey, str]) -> Draws:
    """The same of a draft, whose charges are told apart by their place."""
    parts = [part for part in draft.plan.segments if part.charge in places]
    found: dict[str, list[Draw]] = {}
    for meter in with_role(Role.DRAWS):
        values: dict[str, list[object] | datetime | str] = {
            "meter": meter.meter,
            "dimension": meter.commitment_dimension,
            "series": [part.series_id for part in parts],
            "start": [part.start for part in parts],
            "end": [part.end for part in parts],
            "place": [places[part.charge] for part in parts],
            "until": draft.until,
            "open": PeriodState.OPEN,
        }
        with connection.cursor() as cursor:
            cursor.execute(DRAFT_DRAWS, values)
            for place, commitment_id, quantity, first, last in cursor.fetchall():
                draw = Draw(commitment_id, quantity, _hours(first, last))
                found.setdefault(place, []).append(draw)
    return found


def _hours(first: datetime, last: datetime) -> Period:
    return Period(first, last + HOUR)


def rates_of(
    tenant_id: UUID, draws: Draws, open_lines: Iterable[RatedLine] = ()
) -> Mapping[str, Rate]:
    """What the commitments that were drawn on cost, by their newest fee, issued or still open."""
    wanted = {draw.commitment_id for drawn in draws.values() for draw in drawn}
    found: dict[str, Rate] = {}
    if not wanted:
        return found
    for meter in with_role(Role.BUYS):
        name = meter.commitment_dimension
        fees = InvoiceLine.objects.filter(
            invoice__tenant_id=tenant_id,
            meter=meter.meter,
            **{f"dimensions__{name}__in": sorted(wanted)},
        )
        for said, price, quantity in fees.order_by("service_from").values_list(
            "dimensions", "unit_price", "unit_quantity"
        ):
            found[said[name]] = Rate(price, quantity)
        for line in open_lines:
            commitment_id = dict(line.key.running.shown).get(name, "")
            if line.price.meter == meter.meter and commitment_id in wanted:
                found[commitment_id] = Rate(line.unit_price, line.unit_quantity)
    return found
