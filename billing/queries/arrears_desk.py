"""What operators see of arrears: who stands how, how old the debts are, and how it came to that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.arrears import ArrearsState
from billing.models import ArrearsMove
from billing.money import CURRENCY
from billing.queries.arrears import Arrears, as_arrears, standings
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class Ageing:
    """Open invoices by how long they have been due.

    Units: gross; ``days_0`` is due for less than 30 days, ``days_30`` for 30 to 59, and so on.
    """

    not_due: Decimal = Decimal(0)
    days_0: Decimal = Decimal(0)
    days_30: Decimal = Decimal(0)
    days_60: Decimal = Decimal(0)
    days_90: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.not_due + self.days_0 + self.days_30 + self.days_60 + self.days_90

    def plus(self, other: "Ageing") -> "Ageing":
        return Ageing(
            self.not_due + other.not_due,
            self.days_0 + other.days_0,
            self.days_30 + other.days_30,
            self.days_60 + other.days_60,
            self.days_90 + other.days_90,
        )


@dataclass(frozen=True)
class Debtor:
    """One tenant that owes something or does not stand as normal."""

    code: str
    name: str
    tier: str
    arrears: Arrears
    ageing: Ageing


DEBTORS = """
SELECT tenant.id, tenant.code, tenant.name, coalesce(account.currency, %(own)s),
    coalesce(terms.tier_id, (SELECT code FROM billing_arrearstier WHERE is_default), ''),
    coalesce(sum(bill.open) FILTER (WHERE bill.age IS NULL OR bill.age < interval '0'), 0),
    coalesce(sum(bill.open) FILTER (
        WHERE bill.age >= interval '0' AND bill.age < interval '720 hours'), 0),
    coalesce(sum(bill.open) FILTER (
        WHERE bill.age >= interval '720 hours' AND bill.age < interval '1440 hours'), 0),
    coalesce(sum(bill.open) FILTER (
        WHERE bill.age >= interval '1440 hours' AND bill.age < interval '2160 hours'), 0),
    coalesce(sum(bill.open) FILTER (WHERE bill.age >= interval '2160 hours'), 0)
FROM tenants_organisation tenant
LEFT JOIN billing_account account ON account.tenant_id = tenant.id
LEFT JOIN billing_arrearsterms terms ON terms.tenant_id = tenant.id
LEFT JOIN billing_arrearsstanding standing ON standing.tenant_id = tenant.id
LEFT JOIN LATERAL (
    SELECT invoice.gross - settled.amount AS open, %(now)s - due.due_at AS age
    FROM billing_invoice invoice
    JOIN billing_invoicedue due ON due.invoice_id = invoice.id
    LEFT JOIN LATERAL (
        -- What was paid, and what credit notes took off before it was, and what was written off.
        SELECT coalesce((
            SELECT sum(amount) FROM billing_invoicepayment WHERE invoice_id = invoice.id
        ), 0) + coalesce((
            SELECT sum(from_due) FROM billing_creditnote WHERE invoice_id = invoice.id
        ), 0) + coalesce((
            SELECT sum(decision.amount) FROM billing_moneydecision decision
            WHERE decision.invoice_id = invoice.id AND decision.state = 'done'
        ), 0) AS amount
    ) settled ON true
    WHERE account.receivable > 0 AND invoice.tenant_id = tenant.id
        AND invoice.gross > settled.amount
) bill ON true
WHERE CASE WHEN %(tenant)s::uuid IS NULL THEN account.receivable > 0
        OR standing.state <> 'normal' OR standing.exempt_until > %(now)s
    ELSE tenant.id = %(tenant)s END
GROUP BY tenant.id, tenant.code, tenant.name, account.currency, terms.tier_id
ORDER BY tenant.name, tenant.id
"""


def debtors(*, actor: Actor, now: datetime) -> tuple[Debtor, ...]:
    """Every tenant with an open invoice, a standing that is not normal, or a whitelisting.

    Shape: the hardest standing first, then the largest debt. Two statements.
    Raises: PermissionRefused.
    """
    require(actor, Permission.TENANT_READ_ALL)
    found = list(_read(None, now))
    hardness = list(ArrearsState)
    found.sort(key=lambda one: (-hardness.index(one.arrears.state), -one.ageing.total, one.code))
    return tuple(found)


def debtor(*, actor: Actor, tenant_id: UUID, now: datetime) -> Debtor:
    """One tenant's row, whether it owes or not. Raises: PermissionRefused."""
    require(actor, Permission.TENANT_READ_ALL, tenant_id)
    (one,) = _read(tenant_id, now)
    return one


def _read(tenant_id: UUID | None, now: datetime) -> tuple[Debtor, ...]:
    with connection.cursor() as cursor:
        cursor.execute(DEBTORS, {"now": now, "tenant": tenant_id, "own": CURRENCY})
        rows = cursor.fetchall()
    known = {
        row.tenant_id: as_arrears(row, now)
        for row in standings().filter(tenant_id__in=[row[0] for row in rows])
    }
    return tuple(
        Debtor(
            code,
            name,
            tier,
            known.get(key, Arrears(state=ArrearsState.NORMAL, currency=currency)),
            Ageing(*ages),
        )
        for key, code, name, currency, tier, *ages in rows
    )


def sums_of(rows: Sequence[Debtor]) -> Mapping[str, Ageing]:
    """The debts of all rows together in each currency, the centre's own first and always."""
    sums = {CURRENCY: Ageing()}
    for row in sorted(rows, key=lambda one: one.arrears.currency):
        sums[row.arrears.currency] = sums.get(row.arrears.currency, Ageing()).plus(row.ageing)
    return sums


@dataclass(frozen=True)
class MoveRow:
    """One move as the history shows it."""

    at: datetime
    from_state: str
    to_state: str
    cause: str
    funds: Decimal
    overdue: Decimal
    daily_spend: Decimal


def history(tenant_id: UUID, limit: int = 50) -> tuple[MoveRow, ...]:
    """The moves of a tenant's standing, newest first."""
    rows = ArrearsMove.objects.filter(tenant_id=tenant_id).order_by("-sequence")[:limit]
    return tuple(
        MoveRow(
            at=row.at,
            from_state=row.from_state,
            to_state=row.to_state,
            cause=row.get_cause_display(),
            funds=row.funds,
            overdue=row.overdue,
            daily_spend=row.daily_spend,
        )
        for row in rows
    )
