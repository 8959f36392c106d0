"""Assessing how a tenant stands, and what operators decide about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from billing.arrears import (
    COVERED,
    TRANSITIONS,
    ArrearsState,
    Deadlines,
    Figures,
    Position,
    deadlines_from,
    kept_long_enough,
    next_state,
)
from billing.locks import lock_account
from billing.models import (
    Account,
    ArrearsMove,
    ArrearsStanding,
    Invoice,
    MoveCause,
    SpendSample,
)
from billing.notices import OF_STATE
from billing.queries.arrears import Arrears, as_arrears, standings
from billing.queries.arrears_terms import TermsInForce, terms_of
from billing.queries.currencies import currency_of
from billing.queries.dues import with_due
from common.ids import uuid7
from common.period import HOUR, floor_hour
from common.zone import centre_zone
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import SYSTEM, Actor, Permission, require

S = ArrearsState

# The forecast's pace is that of the last three days, or of what there is of them.
LOOKS_BACK = timedelta(days=3)
DAY = timedelta(days=1)
LEAST_PACE = HOUR


@transaction.atomic
def reassess(
    *,
    tenant_id: UUID,
    now: datetime,
    actor: Actor = SYSTEM,
    cause: MoveCause = MoveCause.ASSESSED,
) -> Arrears:
    """Derive the tenant's standing from its money and move the row to where it must be.

    Locks: the account, so that an assessment and a payment see each other whole.
    Raises: AccountBusy.
    Idempotent: assessed again at the same instant, nothing moves and nothing is posted.
    """
    require(actor, Permission.INVOICE_READ, tenant_id)

    account = lock_account(tenant_id)
    account.refresh_from_db()
    terms = terms_of(tenant_id, now)
    position = _position(account, now)
    assessment = Assessment(position, terms, now, actor, cause)
    row = _standing(tenant_id, now)
    # At most grace, retention and one more: a tier may give no grace at all.
    for _step in S:
        target = next_state(
            S(row.state),
            position,
            figures=terms.figures,
            deadlines=row.deadlines,
            is_exempt=terms.exempt_until is not None,
            now=now,
        )
        if target == row.state:
            break
        row = _move(row, target, assessment)
    _write_figures(row, assessment)
    return as_arrears(standings().get(pk=row.pk), now)


@dataclass(frozen=True)
class Assessment:
    """What one assessment decides by, and who caused it."""

    position: Position
    terms: TermsInForce
    now: datetime
    actor: Actor
    cause: MoveCause


def _standing(tenant_id: UUID, now: datetime) -> ArrearsStanding:
    row = ArrearsStanding.objects.filter(tenant_id=tenant_id).first()
    if row is None:
        row = ArrearsStanding.objects.create(tenant_id=tenant_id, state_at=now, assessed_at=now)
    return row


def _position(account: Account, now: datetime) -> Position:
    owed = account.receivable
    funds = account.wallet - owed + account.credit_limit - account.unbilled
    overdue = Decimal(0)
    if owed > 0:
        due = Invoice.objects.filter(tenant_id=account.tenant_id, due__due_at__lte=now)
        # An invoice below zero was paid out at once and has nothing open.
        open_parts = with_due(due).filter(gross__gt=Decimal(0), outstanding__gt=Decimal(0))
        overdue = sum((one.outstanding for one in open_parts), Decimal(0))
    return Position(
        funds=funds,
        overdue=min(overdue, owed),
        daily_spend=_daily_spend(account, now),
    )


def _daily_spend(account: Account, now: datetime) -> Decimal:
    """What became owed a day since the reading three days ago, or since the first."""
    tenant_id = account.tenant_id
    invoiced = Invoice.objects.filter(tenant_id=tenant_id).aggregate(sum=Sum("gross"))["sum"]
    spent = (invoiced or Decimal(0)) + account.unbilled
    samples = SpendSample.objects.filter(tenant_id=tenant_id)
    base = (
        samples.filter(at__lte=now - LOOKS_BACK).order_by("-at").first()
        or samples.filter(at__lte=now).order_by("at").first()
    )
    hour = floor_hour(now)
    if not samples.filter(hour=hour).exists():
        SpendSample.objects.create(tenant_id=tenant_id, hour=hour, at=now, spent=spent)
    if base is None:
        return Decimal(0)
    samples.filter(hour__lt=base.hour).delete()
    elapsed = max(now - base.at, LEAST_PACE)
    return max(spent - base.spent, Decimal(0)) * _whole_seconds(DAY) / _whole_seconds(elapsed)


def _whole_seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


def _move(row: ArrearsStanding, to: ArrearsState, by: Assessment) -> ArrearsStanding:
    """One move with its history, audit entry and notice."""
    position, terms = by.position, by.terms
    # Two workers' clocks may differ a little; a standing does not move backwards for that.
    now = max(by.now, row.state_at)
    deadlines = _deadlines_for(row, to, terms.figures, now)
    begins = row.state in COVERED
    in_arrears = deadlines is not None
    sources = [state for state, nexts in TRANSITIONS.items() if to in nexts]
    ArrearsStanding.objects.filter(pk=row.pk, state__in=sources).update(
        state=to,
        state_at=now,
        episode=(uuid7() if begins else row.episode) if in_arrears else None,
        owing_since=(now if begins else row.owing_since) if in_arrears else None,
        checkpoint_minutes=terms.figures.checkpoint_minutes,
        amount_needed=position.amount_needed,
        days_left=position.days_left,
        **_deadline_fields(deadlines),
    )
    moved = ArrearsStanding.objects.get(pk=row.pk)
    sequence = ArrearsMove.objects.filter(tenant_id=row.tenant_id).count() + 1
    ArrearsMove.objects.create(
        tenant_id=row.tenant_id,
        from_state=row.state,
        to_state=to,
        at=now,
        cause=by.cause,
        episode=moved.episode or row.episode,
        funds=position.funds,
        overdue=position.overdue,
        daily_spend=position.daily_spend,
        sequence=sequence,
    )
    record(
        by.actor,
        f"billing.arrears.{to.value}",
        subject=f"billing.arrears:{row.pk}",
        tenant_id=row.tenant_id,
        detail={
            "from": row.state,
            "amount_needed": str(position.amount_needed),
            "funds": str(position.funds),
            "overdue": str(position.overdue),
            "cause": by.cause.value,
        },
    )
    _tell(row, moved, sequence, now)
    return moved


def _deadlines_for(
    row: ArrearsStanding, to: ArrearsState, figures: Figures, now: datetime
) -> Deadlines | None:
    if to in COVERED:
        return None
    before = row.deadlines
    if before is None:
        return deadlines_from(now, figures)
    return kept_long_enough(before, now) if to == S.RETENTION else before


def _deadline_fields(deadlines: Deadlines | None) -> dict[str, datetime | None]:
    return {
        "on_demand_freeze_at": deadlines.on_demand_freeze_at if deadlines else None,
        "on_demand_release_at": deadlines.on_demand_release_at if deadlines else None,
        "reserved_freeze_at": deadlines.reserved_freeze_at if deadlines else None,
        "reserved_release_at": deadlines.reserved_release_at if deadlines else None,
    }


def _tell(before: ArrearsStanding, after: ArrearsStanding, sequence: int, now: datetime) -> None:
    """Post what the move means; a forecast that swings is told once a day of the centre."""
    state = S(after.state)
    if state == S.NORMAL and before.state == S.WARNING:
        return
    day = f"{now.astimezone(centre_zone()):%Y-%m-%d}"
    is_forecast = state in COVERED and before.state in COVERED
    if before.state not in COVERED and state in COVERED:
        state = S.NORMAL
    deadlines = after.deadlines
    post(
        tenant_id=after.tenant_id,
        kind=OF_STATE[state].code,
        key=f"arrears:{state.value}:{day}" if is_forecast else f"arrears:{sequence}",
        detail={
            "state": after.state,
            "amount_needed": str(after.amount_needed),
            "currency": currency_of(after.tenant_id),
            "days_left": str(after.days_left) if after.days_left is not None else None,
            "checkpoint_minutes": after.checkpoint_minutes,
            "release_at": _said(deadlines.last_release_at if deadlines else None),
            **{name: _said(at) for name, at in _deadline_fields(deadlines).items()},
        },
        now=now,
    )


def _said(at: datetime | None) -> str | None:
    """An instant with its offset from UTC, as the centre's clock shows it."""
    if at is None:
        return None
    return f"{at.astimezone(centre_zone()):%Y-%m-%d %H:%M %z}"


def _write_figures(row: ArrearsStanding, by: Assessment) -> None:
    position, figures = by.position, by.terms.figures
    ArrearsStanding.objects.filter(pk=row.pk).update(
        amount_needed=position.amount_needed,
        daily_spend=position.daily_spend,
        days_left=position.days_left,
        warn_below=position.daily_spend * figures.warning_days,
        exempt_until=by.terms.exempt_until,
        assessed_at=by.now,
    )


__all__ = ["Assessment", "reassess"]
