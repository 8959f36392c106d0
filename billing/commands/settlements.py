"""Settling vouchers with the city: a month's batch, its way, and what is booked when it is paid."""

from datetime import UTC, date, datetime, time
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from billing.commands.ledger import book
from billing.commands.reimbursements import claim_paid
from billing.commands.wallet import settle_and_reassess
from billing.credit_notices import CLAIM_PAID, CLAIM_RETURNED
from billing.locks import lock_account
from billing.models import (
    Account,
    BatchState,
    LedgerKind,
    MoveCause,
    SettlementBatch,
    SettlementRow,
    VoucherMode,
    VoucherScheme,
)
from billing.money import FEN
from billing.queries.settlements import rows_to_settle
from common.errors import DomainError, NotFound
from common.zone import centre_zone
from tenants.audit import record
from tenants.notices import JSON, post
from tenants.permissions import Actor, Permission, require


class SettlementRefused(DomainError):
    """The batch is not waiting for this step."""

    code = "settlement_refused"
    status = 409
    message = _("This batch is not waiting for this step.")


class NothingToSettle(DomainError):
    """No use of this scheme stands unsettled for the month."""

    code = "nothing_to_settle"
    status = 409
    message = _("No use of this scheme stands unsettled for the month.")


class MonthNotOver(DomainError):
    """A month is settled once it is over."""

    code = "month_not_over"
    status = 409
    message = _("A month is settled once it is over.")


@transaction.atomic
def draft_settlement(
    *, actor: Actor, scheme_code: str, month: date, now: datetime
) -> SettlementBatch:
    """Gather a scheme's uses up to the end of a month that stand in no batch.

    Shape: ``month`` is any day of the centre's month. Uses, claims and what was given back are
    rows of their own; a draft drafted again takes in what is new. Needs operator scope.
    Locks: one run at a time, so that two make one batch; where vouchers are claimed, accounts.
    Raises: PermissionRefused, NotFound, MonthNotOver, NothingToSettle, AccountBusy.
    Idempotent: a use stands in one live batch, kept by the database.
    """
    require(actor, Permission.SETTLEMENT_MANAGE)
    scheme = VoucherScheme.objects.filter(code=scheme_code).first()
    if scheme is None:
        raise NotFound
    _serialise()
    month = month.replace(day=1)
    until = _month_end(month)
    if until > now:
        raise MonthNotOver
    open_batches = SettlementBatch.objects.filter(scheme=scheme, month=month)
    batch = open_batches.exclude(state=BatchState.REJECTED).first()
    if batch is not None and batch.state != BatchState.DRAFTED:
        return batch
    if scheme.mode == VoucherMode.REIMBURSE:
        claim_paid(scheme_id=scheme.pk, until=until)
    rows = rows_to_settle(scheme.pk, until)
    if not rows and batch is None:
        raise NothingToSettle
    if batch is None:
        batch = SettlementBatch.objects.create(
            scheme=scheme, month=month, attempt=open_batches.count() + 1, created_at=now
        )
        _record(actor, batch, BatchState.DRAFTED)
    SettlementRow.objects.bulk_create(SettlementRow(batch=batch, **vars(row)) for row in rows)
    batch.refresh_from_db()
    return batch


def _serialise() -> None:
    # Not the scheme's row: who grants a voucher holds an account when it comes to that one.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('billing_settlementbatch'))")


def _month_end(month: date) -> datetime:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    zone = centre_zone()
    return datetime.combine(following, time(), zone).astimezone(UTC)


def _record(actor: Actor, batch: SettlementBatch, state: str) -> None:
    record(
        actor,
        f"billing.settlement.{state}",
        subject=f"billing.settlement:{batch.pk}",
        detail={"month": batch.month.isoformat(), "total": str(batch.total)},
    )


def _move(
    actor: Actor, batch_id: UUID, before: list[str], state: BatchState, **values: object
) -> SettlementBatch | None:
    """The batch after the move, or None where it had made it before.

    Raises: NotFound, SettlementRefused.
    """
    rows = SettlementBatch.objects.filter(pk=batch_id)
    if not rows.filter(state__in=before).update(state=state, **values):
        found = rows.first()
        if found is None:
            raise NotFound
        if found.state == state:
            return None
        raise SettlementRefused
    batch = rows.select_related("scheme").get()
    _record(actor, batch, state)
    return batch


@transaction.atomic
def submit_settlement(*, actor: Actor, batch_id: UUID, now: datetime) -> None:
    """Send the batch to the issuer; its rows stand still from here.

    Raises: PermissionRefused, NotFound, SettlementRefused. Idempotent.
    """
    require(actor, Permission.SETTLEMENT_MANAGE)
    _move(actor, batch_id, [BatchState.DRAFTED], BatchState.SUBMITTED, submitted_at=now)


@transaction.atomic
def review_settlement(*, actor: Actor, batch_id: UUID, now: datetime) -> None:
    """Note that the issuer has checked the batch.

    Raises: PermissionRefused, NotFound, SettlementRefused. Idempotent.
    """
    require(actor, Permission.SETTLEMENT_MANAGE)
    _move(actor, batch_id, [BatchState.SUBMITTED], BatchState.REVIEWED, reviewed_at=now)


@transaction.atomic
def pay_settlement(*, actor: Actor, batch_id: UUID, reference: str, now: datetime) -> None:
    """Note that the issuer has paid: the subsidy is no longer owed, or goes on to the tenants.

    Locks: the account of each tenant of the batch, in order.
    Raises: PermissionRefused, NotFound, SettlementRefused, AccountBusy. Idempotent.
    """
    require(actor, Permission.SETTLEMENT_MANAGE)
    values = {"decided_at": now, "reference": reference[:200]}
    batch = _move(actor, batch_id, [BatchState.REVIEWED], BatchState.PAID, **values)
    if batch is None:
        return
    if batch.scheme.mode == VoucherMode.INSTANT:
        legs = {LedgerKind.CASH: 1, LedgerKind.SUBSIDY_RECEIVABLE: -1}
        _book_each(batch, "settlement_paid", legs, now)
        return
    # What the tenant paid first is the tenant's: it goes to the wallet, and works there at once.
    for tenant_id, amount in _by_tenant(batch):
        account = lock_account(tenant_id)
        if amount > 0:
            _claim_paid(batch, account, amount, now)
        else:
            _claim_returned(batch, account, -amount, now)
        cause = MoveCause.PAID if amount > 0 else MoveCause.ASSESSED
        settle_and_reassess(tenant_id=tenant_id, now=now, cause=cause)


def _claim_paid(batch: SettlementBatch, account: Account, amount: Decimal, now: datetime) -> None:
    legs = {LedgerKind.CASH: amount, LedgerKind.WALLET: -amount}
    _book(batch, account.tenant_id, "settlement_paid", legs, now)
    _tell(batch, account, CLAIM_PAID, {"amount": f"{amount:.2f}"}, now)


def _claim_returned(
    batch: SettlementBatch, account: Account, amount: Decimal, now: datetime
) -> None:
    """The city pays less for what was refunded since: the tenant returns what it had of it.

    What the wallet lacks is owed. A refusal would keep everybody else's money waiting.
    """
    from_wallet = min(amount, account.wallet.quantize(FEN, rounding=ROUND_DOWN))
    owed = amount - from_wallet
    legs = {
        LedgerKind.CASH: -amount,
        LedgerKind.WALLET: from_wallet,
        LedgerKind.RECEIVABLE: owed,
    }
    _book(batch, account.tenant_id, "settlement_returned", legs, now)
    said = {"amount": amount, "from_wallet": from_wallet, "owed": owed}
    told = {name: f"{part:.2f}" for name, part in said.items()}
    _tell(batch, account, CLAIM_RETURNED, told, now)


def _tell(
    batch: SettlementBatch, account: Account, kind: str, amounts: dict[str, str], now: datetime
) -> None:
    detail: dict[str, JSON] = {
        "scheme": batch.scheme.code,
        "month": f"{batch.month:%Y-%m}",
        "currency": account.currency,
        **amounts,
    }
    post(tenant_id=account.tenant_id, kind=kind, key=f"{kind}:{batch.pk}", detail=detail, now=now)


@transaction.atomic
def reject_settlement(*, actor: Actor, batch_id: UUID, reason: str, now: datetime) -> None:
    """Note that the issuer refused the batch; its uses may be asked for again.

    Raises: PermissionRefused, NotFound, SettlementRefused. Idempotent.
    """
    require(actor, Permission.SETTLEMENT_MANAGE)
    values = {"decided_at": now, "reason": reason[:500]}
    before = [BatchState.SUBMITTED.value, BatchState.REVIEWED.value]
    batch = _move(actor, batch_id, before, BatchState.REJECTED, **values)
    if batch is not None:
        SettlementRow.objects.filter(batch=batch, is_live=True).update(is_live=False)


@transaction.atomic
def claw_back_settlement(*, actor: Actor, batch_id: UUID, reason: str, now: datetime) -> None:
    """Note that the issuer took its money back: the subsidy is owed again, and disputed.

    Locks: the account of each tenant of the batch, in order.
    Raises: PermissionRefused, NotFound, SettlementRefused, AccountBusy. Idempotent.
    """
    require(actor, Permission.SETTLEMENT_MANAGE)
    values = {"reason": reason[:500]}
    batch = _move(actor, batch_id, [BatchState.PAID], BatchState.CLAWED_BACK, **values)
    if batch is not None:
        legs = {LedgerKind.SUBSIDY_RECEIVABLE: 1, LedgerKind.CASH: -1}
        _book_each(batch, "settlement_clawed_back", legs, now)


def _book_each(
    batch: SettlementBatch, kind: str, signs: dict[LedgerKind, int], now: datetime
) -> None:
    for tenant_id, amount in _by_tenant(batch):
        lock_account(tenant_id)
        legs = {side: sign * amount for side, sign in signs.items()}
        _book(batch, tenant_id, kind, legs, now)


def _by_tenant(batch: SettlementBatch) -> list[tuple[UUID, Decimal]]:
    """What the batch is for each tenant, where that is not nothing, in the order of locks."""
    sums = batch.rows.order_by().values_list("tenant_id").annotate(amount=Sum("amount"))
    return [(tenant_id, amount) for tenant_id, amount in sums.order_by("tenant_id") if amount]


def _book(
    batch: SettlementBatch,
    tenant_id: UUID,
    kind: str,
    legs: dict[LedgerKind, Decimal],
    now: datetime,
) -> None:
    """One movement for each tenant of the batch: the ledger is kept by tenant."""
    book(
        tenant_id=tenant_id,
        kind=kind,
        key=f"{kind}:{batch.pk}",
        legs=legs,
        reference=f"{batch.scheme.code} {batch.month:%Y-%m}",
        booked_at=now,
    )
