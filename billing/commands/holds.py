"""Holds: money promised to a reservation or a deployment before it is used."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.locks import lock_account
from billing.models import Account, Hold, HoldState
from billing.money import FEN
from billing.queries.wallet import Standing
from common.errors import DomainError
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


class InsufficientFunds(DomainError):
    """The tenant does not have this much to promise."""

    code = "insufficient_funds"
    status = 402
    message = _("%(needed)s %(currency)s are needed and %(available)s are available.")


@transaction.atomic
def set_hold(
    *,
    actor: Actor,
    tenant_id: UUID,
    key: str,
    amount: Decimal,
    expires_at: datetime | None,
    now: datetime,
) -> Standing:
    """Promise ``amount`` (gross) to ``key``, replacing what was promised to it before.

    Locks: the account. Lowering a hold always succeeds; raising it needs funds.
    Raises: PermissionRefused, AccountBusy, InsufficientFunds.
    Idempotent: by key; setting the same amount again changes nothing.
    """
    require(actor, Permission.FUNDS_HOLD, tenant_id)
    amount = amount.quantize(FEN)

    account = lock_account(tenant_id)
    expire_holds(tenant_id=tenant_id, now=now)
    account.refresh_from_db()
    hold = Hold.objects.filter(tenant_id=tenant_id, key=key).first()
    active = hold.amount if hold is not None and hold.state == HoldState.ACTIVE else Decimal(0)
    available = Standing.of(account).available
    if amount > active and amount - active > available:
        raise InsufficientFunds(
            needed=amount - active, available=available.quantize(FEN), currency=account.currency
        )
    _write(tenant_id, key, amount, expires_at, now)
    if amount != active:
        record(
            actor,
            "billing.hold.set",
            subject=f"billing.hold:{key}",
            tenant_id=tenant_id,
            detail={"from": str(active), "to": str(amount)},
        )
    return Standing.of(Account.objects.get(pk=account.pk))


def _write(
    tenant_id: UUID, key: str, amount: Decimal, expires_at: datetime | None, now: datetime
) -> None:
    changed = Hold.objects.filter(tenant_id=tenant_id, key=key).update(
        amount=amount, state=HoldState.ACTIVE, expires_at=expires_at, updated_at=now
    )
    if not changed:
        Hold.objects.create(
            tenant_id=tenant_id,
            key=key,
            amount=amount,
            expires_at=expires_at,
            created_at=now,
            updated_at=now,
        )


@transaction.atomic
def release_hold(*, actor: Actor, tenant_id: UUID, key: str, now: datetime) -> bool:
    """Give the promised money back.

    Locks: the account, although it gives: the database moves the account's row for every hold,
    and a release that came to it after its hold would wait in a circle with one who set it.
    Raises: PermissionRefused, AccountBusy.
    Idempotent: False says that nothing was held under this key any more.
    """
    require(actor, Permission.FUNDS_HOLD, tenant_id)

    lock_account(tenant_id)
    released = Hold.objects.filter(tenant_id=tenant_id, key=key, state=HoldState.ACTIVE).update(
        state=HoldState.RELEASED, updated_at=now
    )
    if released:
        record(actor, "billing.hold.released", subject=f"billing.hold:{key}", tenant_id=tenant_id)
    return bool(released)


def expire_holds(*, tenant_id: UUID, now: datetime) -> int:
    """Let the tenant's overdue holds go; gives how many. Part of the caller's transaction."""
    return Hold.objects.filter(
        tenant_id=tenant_id, state=HoldState.ACTIVE, expires_at__lte=now
    ).update(state=HoldState.EXPIRED, updated_at=now)
