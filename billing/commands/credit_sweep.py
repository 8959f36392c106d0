"""Credits and the calendar: begun ones become active, ended ones lapse, tenants are told before."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from billing.commands.credit_lots import end_lot
from billing.credit_days import days_left
from billing.credit_notices import EXPIRED, EXPIRING, said_end, said_unit
from billing.locks import lock_account
from billing.models import CreditLot, CreditState, VoucherMode
from billing.queries.credit_order import has_open_use
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import SYSTEM, Permission, require

# Days before the last one on which the tenant is told, the nearest first.
TOLD_BEFORE = (1, 3, 7)
# How long after its last day a voucher that is paid first may still be claimed.
CLAIM_WINDOW = timedelta(days=90)
HORIZON = timedelta(days=TOLD_BEFORE[-1] + 1)


@transaction.atomic
def keep_credits(*, tenant_id: UUID, now: datetime) -> None:
    """Move a tenant's credits on to where the calendar has them.

    A credit is kept beyond its last day while use of its own time stands on no invoice.
    Locks: the account.
    Raises: AccountBusy.
    Idempotent: each move is made once, each notice has a key.
    """
    require(SYSTEM, Permission.CREDIT_GRANT, tenant_id)

    lock_account(tenant_id)
    _begin(tenant_id, now)
    open_lots = CreditLot.objects.filter(
        tenant_id=tenant_id,
        state__in=[CreditState.ISSUED, CreditState.ACTIVE],
        expires_at__lte=now + HORIZON,
    )
    # By scheme first: the lots of two tenants take the schemes' rows in one order.
    for lot in open_lots.order_by("scheme_id", "expires_at", "pk"):
        if lot.expires_at is None:
            continue
        if lot.expires_at > now:
            _warn(lot, lot.expires_at, now)
        elif lot.mode == VoucherMode.REIMBURSE and lot.expires_at + CLAIM_WINDOW > now:
            continue
        elif not has_open_use(tenant_id, lot.effective_at, lot.expires_at):
            _expire(lot, now)


def _begin(tenant_id: UUID, now: datetime) -> None:
    begun = CreditLot.objects.filter(
        tenant_id=tenant_id, state=CreditState.ISSUED, effective_at__lte=now
    )
    for lot in begun:
        moved = CreditLot.objects.filter(pk=lot.pk, state=CreditState.ISSUED).update(
            state=CreditState.ACTIVE
        )
        if moved:
            record(
                SYSTEM,
                "billing.credit.begun",
                subject=f"billing.credit:{lot.pk}",
                tenant_id=tenant_id,
                detail={"code": lot.code},
            )


def _warn(lot: CreditLot, expires_at: datetime, now: datetime) -> None:
    left = days_left(expires_at, now, settings.CENTRE_TIME_ZONE)
    reached = next((days for days in TOLD_BEFORE if left <= days), None)
    if reached is None:
        return
    post(
        tenant_id=lot.tenant_id,
        kind=EXPIRING,
        key=f"credit.expiring:{lot.pk}:{reached}",
        detail={
            "code": lot.code,
            "days": left,
            "remaining": str(lot.remaining),
            "expires": said_end(lot),
            **said_unit(lot),
        },
        now=now,
    )


def _expire(lot: CreditLot, now: datetime) -> None:
    if end_lot(SYSTEM, lot, CreditState.EXPIRED, "", now):
        post(
            tenant_id=lot.tenant_id,
            kind=EXPIRED,
            key=f"credit.expired:{lot.pk}",
            detail={"code": lot.code, "remaining": str(lot.remaining), **said_unit(lot)},
            now=now,
        )
