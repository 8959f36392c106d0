"""The account statement: where a tenant's balance stood, what moved it, where it stands."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.models import LedgerKind
from billing.queries.currencies import billed_in
from common.period import Period
from tenants.models import Organisation
from tenants.permissions import Actor, Permission, require


@dataclass(frozen=True)
class StatementEntry:
    """One movement. Units: ``amount`` moves the balance: charged is below zero, money in above.

    Shape: ``amount`` is zero where the wallet only paid what is owed; ``paid`` says how much then.
    """

    at: datetime
    kind: str
    reference: str
    amount: Decimal
    paid: Decimal
    balance: Decimal


@dataclass(frozen=True)
class AccountStatement:
    """A period of a tenant's account. ``opening`` plus every amount is ``closing``."""

    tenant_code: str
    tenant_name: str
    credit_code: str
    currency: str
    start: datetime
    end: datetime
    opening: Decimal
    closing: Decimal
    invoiced: Decimal
    credited: Decimal
    topped_up: Decimal
    paid: Decimal
    other: Decimal
    entries: tuple[StatementEntry, ...]


SIDES = "(%(wallet)s, %(receivable)s)"
OPENING = f"""
SELECT coalesce(-sum(entry.amount), 0)
FROM billing_ledgertransaction movement
JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
JOIN billing_ledgeraccount side ON side.id = entry.account_id AND side.kind IN {SIDES}
WHERE movement.tenant_id = %(tenant)s AND movement.booked_at < %(start)s
"""  # noqa: S608 - names of parameters
ENTRIES = f"""
SELECT movement.booked_at, movement.kind, movement.reference, -sum(entry.amount),
    greatest(coalesce(-sum(entry.amount) FILTER (WHERE side.kind = %(receivable)s
        AND entry.amount < 0), 0), 0)
FROM billing_ledgertransaction movement
JOIN billing_ledgerentry entry ON entry.transaction_id = movement.id
JOIN billing_ledgeraccount side ON side.id = entry.account_id AND side.kind IN {SIDES}
WHERE movement.tenant_id = %(tenant)s
    AND movement.booked_at >= %(start)s AND movement.booked_at < %(end)s
GROUP BY movement.id, movement.booked_at, movement.kind, movement.reference
ORDER BY movement.booked_at, movement.id
"""  # noqa: S608 - names of parameters
NOTHING = Decimal(0)


def account_statement(*, actor: Actor, tenant_id: UUID, period: Period) -> AccountStatement:
    """Everything that moved a tenant's balance in a period; three statements.

    The balance is what the wallet holds less what is owed on invoices, so a payment of an invoice
    from the wallet is shown and moves nothing.
    Raises: PermissionRefused.
    """
    require(actor, Permission.WALLET_READ, tenant_id)
    tenant = Organisation.objects.annotate(currency=billed_in(tenant_id)).get(pk=tenant_id)
    values: dict[str, UUID | datetime | str] = {
        "tenant": tenant_id,
        "start": period.start,
        "end": period.end,
        "wallet": LedgerKind.WALLET,
        "receivable": LedgerKind.RECEIVABLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(OPENING, values)
        (opening,) = cursor.fetchone()
        cursor.execute(ENTRIES, values)
        rows = cursor.fetchall()
    entries = []
    balance = opening
    sums = dict.fromkeys(("invoice", "credit_note", "top_up", "other"), NOTHING)
    settled = NOTHING
    for at, kind, reference, amount, paid in rows:
        balance += amount
        is_invoice = kind == "settlement"
        told = paid if is_invoice or kind == "shortfall_paid" else NOTHING
        entries.append(StatementEntry(at, kind, reference, amount, told, balance))
        settled += paid if is_invoice else NOTHING
        sums[kind if kind in sums else "other"] += amount
    return AccountStatement(
        tenant_code=tenant.code,
        tenant_name=tenant.legal_name or tenant.name,
        credit_code=tenant.credit_code,
        currency=tenant.currency,
        start=period.start,
        end=period.end,
        opening=opening,
        closing=balance,
        invoiced=-sums["invoice"],
        credited=sums["credit_note"],
        topped_up=sums["top_up"],
        paid=settled,
        other=sums["other"],
        entries=tuple(entries),
    )
