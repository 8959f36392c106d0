"""How a tenant stands, and how it came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import F

from billing.models import Account, Hold, HoldState, LedgerEntry, LedgerKind
from billing.money import CURRENCY


@dataclass(frozen=True)
class Standing:
    """A tenant's money in five numbers.

    Units: gross. ``balance`` is the wallet less what is owed on issued invoices; ``unbilled`` is
    the draft invoice at the last accrual; ``available`` is what a new promise may take.
    """

    currency: str
    balance: Decimal
    credit_limit: Decimal
    held: Decimal
    unbilled: Decimal
    available: Decimal

    @classmethod
    def of(cls, account: Account) -> "Standing":
        balance = account.wallet - account.receivable
        return cls(
            currency=account.currency,
            balance=balance,
            credit_limit=account.credit_limit,
            held=account.held,
            unbilled=account.unbilled,
            available=balance + account.credit_limit - account.held - account.unbilled,
        )


NOTHING = Standing(CURRENCY, Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(0))


def standing(tenant_id: UUID) -> Standing:
    """How the tenant stands; one row read. All zero before its first movement."""
    account = Account.objects.filter(tenant_id=tenant_id).first()
    return NOTHING if account is None else Standing.of(account)


@dataclass(frozen=True)
class Funds:
    """What a tenant may still promise, and when by the database's clock its use was last counted.

    Shape: use that was committed before ``read_at`` is taken off ``available`` already.
    """

    available: Decimal
    read_at: datetime | None


def funds_snapshot() -> Mapping[UUID, Funds]:
    """What each tenant may still spend, for callers that must answer without the database.

    Shape: every tenant with an account; one that is missing has no funds. Needs operator scope.
    """
    spendable = F("wallet") - F("receivable") + F("credit_limit") - F("held") - F("unbilled")
    rows = Account.objects.annotate(spendable=spendable)
    found = rows.values_list("tenant_id", "spendable", "accrual_read_at")
    return {tenant_id: Funds(available, read_at) for tenant_id, available, read_at in found}


@dataclass(frozen=True)
class HoldRow:
    key: str
    amount: Decimal
    expires_at: datetime | None
    created_at: datetime


def active_holds(tenant_id: UUID) -> tuple[HoldRow, ...]:
    """Money promised and not yet released, oldest first."""
    rows = Hold.objects.filter(tenant_id=tenant_id, state=HoldState.ACTIVE).order_by("created_at")
    return tuple(HoldRow(row.key, row.amount, row.expires_at, row.created_at) for row in rows)


@dataclass(frozen=True)
class StatementRow:
    """One movement as the tenant sees it: money in is positive; ``cursor`` leads to the next."""

    transaction_id: UUID
    kind: str
    reference: str
    booked_at: datetime
    wallet: Decimal
    receivable: Decimal
    cursor: str


STATEMENT = """
SELECT movement.id, movement.kind, movement.reference, movement.booked_at,
    coalesce(sum(-entry.amount) FILTER (WHERE side.kind = %(wallet)s), 0),
    coalesce(sum(entry.amount) FILTER (WHERE side.kind = %(receivable)s), 0)
FROM (
    SELECT * FROM billing_ledgertransaction
    WHERE tenant_id = %(tenant)s
        AND (%(at)s::timestamptz IS NULL OR (booked_at, id) < (%(at)s, %(id)s))
    ORDER BY booked_at DESC, id DESC LIMIT %(limit)s
) movement
JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
JOIN billing_ledgeraccount side ON side.id = entry.account_id
GROUP BY movement.id, movement.kind, movement.reference, movement.booked_at
ORDER BY movement.booked_at DESC, movement.id DESC
"""


def statement(
    *, tenant_id: UUID, after: str | None = None, limit: int = 50
) -> tuple[StatementRow, ...]:
    """The movements of a tenant's money, newest first, from after a row's cursor on."""
    at, _, row_id = (after or "").partition("|")
    values = {
        "tenant": tenant_id,
        "at": datetime.fromisoformat(at) if at else None,
        "id": UUID(row_id) if row_id else None,
        "limit": limit,
        "wallet": LedgerKind.WALLET,
        "receivable": LedgerKind.RECEIVABLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, values)
        rows = cursor.fetchall()
    return tuple(StatementRow(*(*row, f"{row[3].isoformat()}|{row[0]}")) for row in rows)


def ledger_entries(*, tenant_id: UUID, transaction_id: UUID) -> tuple[tuple[str, Decimal], ...]:
    """Both sides of one movement: the kind of account and the amount, debit positive."""
    rows = LedgerEntry.objects.filter(tenant_id=tenant_id, transaction_id=transaction_id)
    return tuple(rows.order_by("line").values_list("account__kind", "amount"))
