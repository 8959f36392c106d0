"""Approved adjustments that wait for the tenant's next invoice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.money import CURRENCY, tax_on
from billing.queries.currencies import currency_of
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
# have no credit that might pay and no contract term to look for.
OPEN = """
SELECT period.id, period.starts_at, NULL::uuid, NULL, NULL, NULL, NULL::numeric, NULL::numeric,
    EXISTS (SELECT FROM billing_creditlot lot
        WHERE lot.tenant_id = %(tenant)s AND lot.state = 'active'),
    EXISTS (SELECT FROM billing_contractterm term
        WHERE term.tenant_id = %(tenant)s AND term.in_force IS NOT NULL), NULL::timestamptz,
    account.currency
FROM billing_billingperiod period
LEFT JOIN billing_account account ON account.tenant_id = period.tenant_id
WHERE period.tenant_id = %(tenant)s AND period.state = 'open' AND period.starts_at < %(until)s
UNION ALL
SELECT NULL, adjustment.proposed_at, adjustment.id, adjustment.title_en, adjustment.title_zh,
    adjustment.tax_code, tax.rate, adjustment.net, NULL, NULL,
    -- Where the next period begins, if none is open yet.
    (SELECT max(ends_at) FROM billing_billingperiod period
        WHERE period.tenant_id = %(tenant)s AND period.state = 'closed'), account.currency
FROM billing_adjustment adjustment
LEFT JOIN billing_account account ON account.tenant_id = adjustment.tenant_id
JOIN billing_taxrate tax ON tax.tax_code = adjustment.tax_code
    AND tax.during @> (%(until)s::timestamptz - interval '1 microsecond')
WHERE adjustment.tenant_id = %(tenant)s AND adjustment.state = 'approved'
ORDER BY 2, 1, 3
"""

Periods = tuple[tuple[int, datetime], ...]


@dataclass(frozen=True)
class Opened:
    """The open periods in order, and what else the next invoice might have to look for.

    Shape: without an open period only the contract terms themselves know whether they ask for one.
    ``starts_at`` is where the next invoice begins; None where nothing asks for one.
    """

    starts_at: datetime | None
    periods: Periods
    adjustments: tuple[AdjustmentFact, ...]
    has_credits: bool
    may_have_terms: bool
    currency: str


def open_periods(*, tenant_id: UUID, until: datetime) -> Opened:
    """The open periods that begin before ``until``, and the adjustments that wait for an invoice.

    One statement, and one more where there is neither. An adjustment needs no use
    beside it: without an open period it opens one.
    """
    with connection.cursor() as cursor:
        cursor.execute(OPEN, {"tenant": tenant_id, "until": until})
        rows = cursor.fetchall()
    open_rows = [row for row in rows if row[0] is not None]
    waiting = [row for row in rows if row[0] is None]
    adjustments = tuple(AdjustmentFact(*row[2:8]) for row in waiting)
    if not open_rows:
        begins = _begins(waiting[0][10], until) if waiting else None
        currency = (waiting[0][11] or CURRENCY) if waiting else currency_of(tenant_id)
        asks = begins is not None and begins < until
        return Opened(
            starts_at=begins if asks else None,
            periods=(),
            adjustments=adjustments if asks else (),
            has_credits=asks,
            may_have_terms=True,
            currency=currency,
        )
    return Opened(
        starts_at=open_rows[0][1],
        periods=tuple((row[0], row[1]) for row in open_rows),
        adjustments=adjustments,
        has_credits=open_rows[0][8],
        may_have_terms=open_rows[0][9],
        currency=open_rows[0][11] or CURRENCY,
    )


def _begins(closed_until: datetime | None, until: datetime) -> datetime:
    """Where the period would begin that an invoice up to ``until`` opens."""
    return closed_until or month_of(until - timedelta(hours=1), settings.CENTRE_TIME_ZONE).start
