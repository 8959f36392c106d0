"""What asks for a tenant's next invoice: open periods, adjustments that wait, agreed amounts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.models import TermKind
from billing.money import CURRENCY, tax_on
from common.period import month_of


@dataclass(frozen=True)
class AdjustmentFact:
    """One adjustment as a line: its tax is that of its code when the invoice ends."""

    id: UUID
    title_en: str
    title_zh: str
    tax_code: str
    tax_rate: Decimal
    net: Decimal

    @property
    def tax(self) -> Decimal:
        return tax_on(self.net, self.tax_rate)

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


# Together with the periods, because a page that shows the draft counts its statements; most tenants
# have no credit that might pay and no contract term to look for. Where no period is open, one row
# without a period says so.
OPEN = """
SELECT period.id, period.starts_at, NULL::uuid, NULL, NULL, NULL, NULL::numeric, NULL::numeric,
    EXISTS (SELECT FROM billing_creditlot lot
        WHERE lot.tenant_id = %(tenant)s AND lot.state = 'active'),
    EXISTS (SELECT FROM billing_contractterm term
        WHERE term.tenant_id = %(tenant)s AND term.in_force IS NOT NULL), NULL::timestamptz,
    account.currency
FROM (SELECT) AS once
LEFT JOIN billing_billingperiod period
    ON period.tenant_id = %(tenant)s AND period.state = 'open' AND period.starts_at < %(until)s
LEFT JOIN billing_account account ON account.tenant_id = %(tenant)s
UNION ALL
SELECT NULL, adjustment.proposed_at, adjustment.id, adjustment.title_en, adjustment.title_zh,
    adjustment.tax_code, tax.rate, adjustment.net, NULL, NULL,
    -- Where the next period begins, if none is open yet.
    (SELECT max(ends_at) FROM billing_billingperiod period
        WHERE period.tenant_id = %(tenant)s AND period.state = 'closed'), NULL
FROM billing_adjustment adjustment
JOIN billing_taxrate tax ON tax.tax_code = adjustment.tax_code
    AND tax.during @> (%(until)s::timestamptz - interval '1 microsecond')
WHERE adjustment.tenant_id = %(tenant)s AND adjustment.state = 'approved'
ORDER BY 2, 1, 3
"""

Periods = tuple[tuple[int, datetime], ...]


@dataclass(frozen=True)
class Opened:
    """The open periods in order, and what else the next invoice might have to look for.

    Shape: ``starts_at`` is where the next invoice begins; None where nothing asks for one.
    """

    starts_at: datetime | None
    periods: Periods
    adjustments: tuple[AdjustmentFact, ...]
    has_credits: bool
    has_terms: bool
    currency: str


def open_periods(*, tenant_id: UUID, until: datetime) -> Opened:
    """The open periods that begin before ``until``, and the adjustments that wait for an invoice.

    One statement. An adjustment needs no use beside it: without an open period it opens one.
    """
    with connection.cursor() as cursor:
        cursor.execute(OPEN, {"tenant": tenant_id, "until": until})
        rows = cursor.fetchall()
    waiting = [row for row in rows if row[2] is not None]
    found = [row for row in rows if row[2] is None]
    periods = tuple((row[0], row[1]) for row in found if row[0] is not None)
    adjustments = tuple(AdjustmentFact(*row[2:8]) for row in waiting)
    starts_at = periods[0][1] if periods else None
    if waiting and not periods:
        begins = _begins(waiting[0][10], until)
        starts_at = begins if begins < until else None
    return Opened(
        starts_at=starts_at,
        periods=periods,
        adjustments=adjustments if starts_at is not None else (),
        has_credits=found[0][8],
        has_terms=found[0][9],
        currency=found[0][11] or CURRENCY,
    )


def _begins(closed_until: datetime | None, until: datetime) -> datetime:
    """Where the period would begin that an invoice up to ``until`` opens."""
    return closed_until or month_of(until - timedelta(hours=1), settings.CENTRE_TIME_ZONE).start


@dataclass(frozen=True)
class MonthsWanted:
    """What asks for a period even where nothing was used.

    Shape: ``agreed_from`` is where the first agreed amount begins; None where none was agreed.
    """

    agreed_from: datetime | None
    is_adjusted: bool


WANTED = """
SELECT (SELECT min(lower(term.in_force)) FROM billing_contractterm term
        WHERE term.tenant_id = %(tenant)s AND term.kind = ANY(%(spends)s)
            AND NOT isempty(term.in_force) AND lower(term.in_force) < %(until)s),
    EXISTS (SELECT FROM billing_adjustment adjustment
        WHERE adjustment.tenant_id = %(tenant)s AND adjustment.state = 'approved')
"""


def months_wanted(tenant_id: UUID, until: datetime) -> MonthsWanted:
    """The agreed amounts that begin before ``until``, and adjustments that wait; one statement."""
    values: dict[str, UUID | datetime | list[str]] = {
        "tenant": tenant_id,
        "until": until,
        "spends": [TermKind.MINIMUM.value, TermKind.COMMITMENT.value],
    }
    with connection.cursor() as cursor:
        cursor.execute(WANTED, values)
        return MonthsWanted(*cursor.fetchone())
