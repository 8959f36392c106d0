"""Booking: the only way money moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from billing.models import LedgerAccount, LedgerEntry, LedgerKind, LedgerTransaction
from billing.queries.currencies import currency_of
from common.errors import DomainError


class KeyUsedDifferently(DomainError):
    """The idempotency key was used before, for something else."""

    code = "idempotency_key_reused"
    status = 422
    message = _("This key was already used for a different request.")


@dataclass(frozen=True)
class Booking:
    transaction: LedgerTransaction
    is_new: bool


def book(
    *,
    tenant_id: UUID,
    kind: str,
    key: str,
    legs: Mapping[LedgerKind, Decimal],
    reference: str,
    booked_at: datetime,
) -> Booking:
    """Write one movement of money; the same key is booked once and gives the first back.

    Units: debit positive, credit negative; legs of zero are left out.
    Locks: none of its own; the caller holds the account lock.
    Raises: KeyUsedDifferently where the key stands on another movement.
    Idempotent: by (tenant, key), kept by the database.
    """
    legs = {side: amount for side, amount in legs.items() if amount}
    known = LedgerTransaction.objects.filter(tenant_id=tenant_id, idem_key=key).first()
    if known is not None:
        before = dict(known.entries.values_list("account__kind", "amount"))
        if known.kind != kind or before != {side.value: legs[side] for side in legs}:
            raise KeyUsedDifferently
        return Booking(known, is_new=False)
    movement = LedgerTransaction.objects.create(
        tenant_id=tenant_id, kind=kind, idem_key=key, reference=reference, booked_at=booked_at
    )
    accounts = _accounts(tenant_id, tuple(legs))
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            tenant_id=tenant_id,
            transaction=movement,
            line=line,
            account=accounts[side],
            amount=amount,
        )
        for line, (side, amount) in enumerate(sorted(legs.items()), start=1)
    )
    return Booking(movement, is_new=True)


def _accounts(tenant_id: UUID, sides: tuple[LedgerKind, ...]) -> dict[str, LedgerAccount]:
    rows = LedgerAccount.objects.filter(tenant_id=tenant_id, kind__in=sides)
    found = {account.kind: account for account in rows}
    lacking = [side for side in sides if side not in found]
    if lacking:
        # All of a tenant's are in one currency: the database refuses another. Nobody else makes
        # them meanwhile: the caller holds the account lock.
        currency = currency_of(tenant_id)
        made = LedgerAccount.objects.bulk_create(
            LedgerAccount(tenant_id=tenant_id, kind=side, currency=currency) for side in lacking
        )
        found.update((account.kind, account) for account in made)
    return found
