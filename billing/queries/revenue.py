"""What the centre earned, as it was booked: invoices, credit notes, what was paid and with what.

One currency at a time: amounts of two are never added up. Everything stands on the day it was
booked, by the centre's calendar, so that the days of a month add up to what the ledger moved in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from billing.money import CURRENCY
from billing.queries.currencies import refuse_unknown
from common.errors import DomainError
from common.period import Period
from tenants.permissions import Actor, Permission, require

HEADINGS = ("tenant", "sku", "pool", "chip")
NOTHING = Decimal(0)


@dataclass(frozen=True)
class RevenueRow:
    """What was booked on one day under one heading. Units: net of tax.

    Shape: ``value`` is empty for lines that do not say, such as those of prices with tiers;
    ``credited`` is what credit notes took back, above zero.
    """

    day: date
    value: str
    name: str
    invoiced: Decimal
    credited: Decimal

    @property
    def net(self) -> Decimal:
        return self.invoiced - self.credited


# The heading is one of a few names checked by the caller, never text of a reader.
BOOKED = """
WITH booked AS (
    SELECT (invoice.issued_at AT TIME ZONE %(zone)s)::date AS day, line.id AS line_id,
        line.net AS invoiced, 0::numeric AS credited
    FROM billing_invoice invoice JOIN billing_invoiceline line ON line.invoice_id = invoice.id
    WHERE invoice.issued_at >= %(start)s AND invoice.issued_at < %(end)s
        AND invoice.currency = %(currency)s
    UNION ALL
    SELECT (note.issued_at AT TIME ZONE %(zone)s)::date, part.invoice_line_id, 0, part.net
    FROM billing_creditnote note JOIN billing_creditnoteline part ON part.credit_note_id = note.id
    WHERE note.issued_at >= %(start)s AND note.issued_at < %(end)s
        AND note.currency = %(currency)s
)
SELECT booked.day,
    CASE %(heading)s WHEN 'tenant' THEN tenant.code WHEN 'sku' THEN line.sku
        ELSE coalesce(line.dimensions ->> %(heading)s, '') END AS value,
    max(CASE %(heading)s WHEN 'tenant' THEN tenant.name ELSE '' END),
    sum(booked.invoiced), sum(booked.credited)
FROM booked
JOIN billing_invoiceline line ON line.id = booked.line_id
JOIN tenants_organisation tenant ON tenant.id = line.tenant_id
GROUP BY 1, 2 ORDER BY 1, 2
"""


class HeadingRefused(DomainError):
    """Revenue is not counted under this heading."""

    code = "heading_refused"
    status = 422
    message = _("Revenue can be grouped by %(known)s.")


def revenue(
    *, actor: Actor, period: Period, heading: str, currency: str = CURRENCY
) -> tuple[RevenueRow, ...]:
    """What was invoiced and taken back in one currency, by day and heading; one statement.

    Raises: PermissionRefused, HeadingRefused, CurrencyUnknown.
    """
    require(actor, Permission.REVENUE_READ)
    if heading not in HEADINGS:
        raise HeadingRefused(known=", ".join(HEADINGS))
    refuse_unknown(currency)
    values: dict[str, str | datetime] = {
        "zone": settings.CENTRE_TIME_ZONE,
        "start": period.start,
        "end": period.end,
        "heading": heading,
        "currency": currency,
    }
    with connection.cursor() as cursor:
        cursor.execute(BOOKED, values)
        return tuple(RevenueRow(*row) for row in cursor.fetchall())


@dataclass(frozen=True)
class Received:
    """How invoices were settled in a time, and what is still to come. Units: with tax, ``net`` not.

    Shape: ``net`` is what was invoiced less what was credited; ``unbilled`` is the drafts of all
    tenants as last accrued; ``deferred`` is what packages were sold for and is not used yet;
    ``written_off`` were debts that nobody will pay, of which ``recovered`` was paid after all.
    """

    net: Decimal
    by_credits: Decimal
    from_wallet: Decimal
    unbilled: Decimal
    owed: Decimal
    deferred: Decimal
    written_off: Decimal
    recovered: Decimal


# Credits settle invoices through payments too, so what they paid is taken off the rest.
RECEIVED = """
SELECT
    coalesce((SELECT sum(net) FROM billing_invoice
        WHERE currency = %(currency)s AND issued_at >= %(start)s AND issued_at < %(end)s), 0)
    - coalesce((SELECT sum(net) FROM billing_creditnote
        WHERE currency = %(currency)s AND issued_at >= %(start)s AND issued_at < %(end)s), 0),
    coalesce((SELECT sum(payment.amount) FROM billing_invoicepayment payment
        JOIN billing_invoice invoice ON invoice.id = payment.invoice_id
        WHERE invoice.currency = %(currency)s
            AND payment.paid_at >= %(start)s AND payment.paid_at < %(end)s), 0),
    coalesce((SELECT sum(used.amount) FROM billing_credituse used
        JOIN billing_creditlot lot ON lot.id = used.lot_id
        WHERE lot.currency = %(currency)s AND lot.kind <> 'package' AND used.kind <> 'claim'
            AND used.used_at >= %(start)s AND used.used_at < %(end)s), 0),
    coalesce((SELECT sum(unbilled) FROM billing_account WHERE currency = %(currency)s), 0),
    coalesce((SELECT sum(receivable) FROM billing_account WHERE currency = %(currency)s), 0),
    -coalesce((SELECT sum(balance) FROM billing_ledgeraccount
        WHERE currency = %(currency)s AND kind = 'deferred_revenue'), 0),
    lost.written_off, lost.recovered
FROM (
    SELECT coalesce(sum(decision.amount) FILTER (WHERE decision.kind = 'write_off'), 0)
            AS written_off,
        coalesce(sum(decision.amount) FILTER (WHERE decision.kind = 'write_off_recovery'), 0)
            AS recovered
    FROM billing_moneydecision decision
    JOIN billing_account account ON account.tenant_id = decision.tenant_id
        AND account.currency = %(currency)s
    WHERE decision.state = 'done'
        AND decision.decided_at >= %(start)s AND decision.decided_at < %(end)s
) lost
"""


def received(*, actor: Actor, period: Period, currency: str = CURRENCY) -> Received:
    """What came in, and what is still open now, in one currency; one statement.

    Raises: PermissionRefused.
    """
    require(actor, Permission.REVENUE_READ)
    values: dict[str, str | datetime] = {
        "start": period.start,
        "end": period.end,
        "currency": currency,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECEIVED, values)
        net, paid, by_credits, *rest = cursor.fetchone()
    return Received(net, by_credits, paid - by_credits, *rest)


def totals(rows: tuple[RevenueRow, ...]) -> Mapping[str, tuple[str, Decimal, Decimal]]:
    """Each value's name, what was invoiced and what was taken back."""
    found: dict[str, tuple[str, Decimal, Decimal]] = {}
    for row in rows:
        name, invoiced, credited = found.get(row.value, ("", NOTHING, NOTHING))
        found[row.value] = (row.name or name, invoiced + row.invoiced, credited + row.credited)
    return found
