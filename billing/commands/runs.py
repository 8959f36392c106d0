"""The invoice run: drafting, agreeing to and issuing a month's invoices, one tenant at a time.

Each step of one tenant is one transaction that moves its row, so a run that was killed goes on
where it stood, and a second run of anything changes nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.commands.invoices import (
    InvoicePeriodRefused,
    NothingToInvoice,
    UsageUnpriced,
    issue_drafted,
    issue_invoice,
)
from billing.models import (
    RUN_ITEM_TRANSITIONS,
    RUN_TRANSITIONS,
    Invoice,
    InvoiceRun,
    InvoiceRunItem,
    RunItemState,
    RunState,
)
from billing.queries.drafts import Draft, draft
from billing.queries.sweep import tenants_to_invoice
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.notices import post
from tenants.permissions import SYSTEM, Actor, Permission, require

# By then a run is drafted, and issued once it is agreed to, or an operator is told.
WORKED_OFF_WITHIN = timedelta(hours=6)
# A bill this many times the last one, or this part of it, is worth a look.
MUCH_MORE, MUCH_LESS = Decimal(2), Decimal("0.5")
WORTH_A_LOOK = Decimal(100)


class RunItemMoved(DomainError):
    """Somebody was first, or the item is at another step."""

    code = "run_item_moved"
    status = 409
    message = _("None of these invoices waits for this step any more.")


@transaction.atomic
def start_run(*, actor: Actor, period_end: datetime, now: datetime) -> UUID | None:
    """Begin the run of a month's end, or find it, with a row for each tenant to be invoiced.

    None where there is nothing to run. Needs operator scope.
    Raises: PermissionRefused, InvalidInput for an end that has not come yet.
    Idempotent: a second start adds only tenants that have something to be billed since.
    """
    require(actor, Permission.INVOICE_ISSUE)
    if period_end > now:
        raise InvalidInput(errors=[FieldError("/period_end", "future", period_end.isoformat())])
    run = InvoiceRun.objects.filter(period_end=period_end).first()
    known = set() if run is None else set(run.items.values_list("tenant_id", flat=True))
    fresh = [tenant for tenant in tenants_to_invoice(period_end) if tenant not in known]
    if run is None and not fresh:
        return None
    if run is None:
        InvoiceRun.objects.bulk_create(
            [
                InvoiceRun(
                    period_end=period_end,
                    is_automatic=settings.INVOICE_RUN_AUTOMATIC,
                    created_at=now,
                    deadline_at=now + WORKED_OFF_WITHIN,
                )
            ],
            ignore_conflicts=True,
        )
        run = InvoiceRun.objects.get(period_end=period_end)
        record(actor, "billing.invoice_run.started", subject=_subject(run.pk))
    InvoiceRunItem.objects.bulk_create(
        [InvoiceRunItem(tenant_id=tenant_id, run=run) for tenant_id in fresh],
        ignore_conflicts=True,
    )
    settle_run(run_id=run.pk, now=now)
    return run.pk


@transaction.atomic
def draft_item(*, run_id: UUID, tenant_id: UUID, now: datetime) -> str:
    """Draft one tenant's invoice and note what is odd about it; gives the state it is in now.

    Shape: nothing where it was not waiting, here and in the other steps.
    Locks: the item; whoever finds it taken leaves it to its taker.
    """
    require(SYSTEM, Permission.INVOICE_ISSUE, tenant_id)
    item = _claim(run_id, tenant_id, RunItemState.PENDING)
    if item is None:
        return ""
    until = item.run.period_end
    drafted = draft(tenant_id=tenant_id, until=until)
    lines = (*drafted.lines, *drafted.true_ups, *drafted.adjustments)
    if not lines and not drafted.unpriced:
        _move(item, RunItemState.EMPTY)
        return RunItemState.EMPTY
    _move(item, RunItemState.DRAFTED, **_drafted(drafted, _last_gross(tenant_id), now))
    post(
        tenant_id=tenant_id,
        kind="invoice.drafted",
        key=f"invoice.drafted:{until.isoformat()}",
        detail={
            "until": until.isoformat(),
            "gross": str(drafted.gross),
            "currency": drafted.currency,
        },
        now=now,
    )
    return RunItemState.DRAFTED


def _last_gross(tenant_id: UUID) -> Decimal | None:
    return (
        Invoice.objects.filter(tenant_id=tenant_id)
        .order_by("-period_end")
        .values_list("gross", flat=True)
        .first()
    )


def _drafted(drafted: Draft, last: Decimal | None, now: datetime) -> dict[str, object]:
    """The columns that say what was drafted, and what is odd about it."""
    return {
        "net": drafted.net,
        "tax": drafted.tax,
        "gross": drafted.gross,
        "line_count": len(drafted.lines) + len(drafted.true_ups) + len(drafted.adjustments),
        "last_gross": last,
        "oddities": oddities(drafted, last),
        "drafted_at": now,
        "failure_code": "",
        "failure": "",
    }


def oddities(drafted: Draft, last: Decimal | None) -> list[str]:
    """What a reviewer should look at first."""
    found = []
    if drafted.unpriced:
        found.append("unpriced")
    amounts = [line.gross for line in drafted.lines]
    amounts += [fact.gross for fact in drafted.adjustments]
    if drafted.gross < 0 or any(gross < 0 for gross in amounts):
        found.append("negative")
    if last is None:
        found.append("first")
    elif abs(drafted.gross - last) > WORTH_A_LOOK:
        if drafted.gross > last * MUCH_MORE:
            found.append("much_more")
        elif drafted.gross < last * MUCH_LESS:
            found.append("much_less")
    return found


@transaction.atomic
def approve_items(
    *, actor: Actor, run_id: UUID, item_ids: Iterable[UUID] | None = None, now: datetime
) -> int:
    """Agree to drafted invoices, all or some; those with unpriced usage stay. Gives how many.

    Needs operator scope.
    Raises: PermissionRefused, NotFound, RunItemMoved where none waited.
    """
    require(actor, Permission.INVOICE_ISSUE)
    if not InvoiceRun.objects.filter(pk=run_id).exists():
        raise NotFound
    waiting = InvoiceRunItem.objects.filter(
        run_id=run_id, state__in=RUN_ITEM_TRANSITIONS[RunItemState.REVIEWED]
    ).exclude(oddities__contains=["unpriced"])
    if item_ids is not None:
        waiting = waiting.filter(pk__in=list(item_ids))
    approved = waiting.update(
        state=RunItemState.REVIEWED, reviewed_at=now, reviewer_name=actor.name[:200]
    )
    if not approved and actor is not SYSTEM:
        raise RunItemMoved
    if approved:
        record(
            actor,
            "billing.invoice_run.approved",
            subject=_subject(run_id),
            detail={"items": approved},
        )
        settle_run(run_id=run_id, now=now)
    return approved


@transaction.atomic
def issue_item(*, run_id: UUID, tenant_id: UUID, now: datetime) -> str:
    """Issue one agreed invoice; its number and the item's state are one transaction.

    Raises: AccountBusy, UsageUnpriced and whatever else keeps this tenant from being billed.
    Idempotent: an item that is not waiting is left alone.
    """
    require(SYSTEM, Permission.INVOICE_ISSUE, tenant_id)
    item = _claim(run_id, tenant_id, RunItemState.REVIEWED)
    if item is None:
        return ""
    try:
        invoice = issue_invoice(
            actor=SYSTEM, tenant_id=tenant_id, until=item.run.period_end, now=now
        )
    except (NothingToInvoice, InvoicePeriodRefused):
        # Somebody billed this tenant on its own page meanwhile.
        _move(item, RunItemState.EMPTY)
        return RunItemState.EMPTY
    _move(item, RunItemState.ISSUED, invoice=invoice, issued_at=now)
    return RunItemState.ISSUED


@transaction.atomic
def bill_item(*, run_id: UUID, tenant_id: UUID, now: datetime) -> str:
    """Draft, agree to and issue one invoice of a run that nobody reviews, in one transaction.

    What cannot be agreed to is left drafted, as in a run that is reviewed.
    Locks: the item; whoever finds it taken leaves it to its taker. Then as ``issue_invoice``.
    Raises: AccountBusy and whatever else keeps this tenant from being billed.
    Idempotent: an item that is not waiting is left alone.
    """
    require(SYSTEM, Permission.INVOICE_ISSUE, tenant_id)
    item = _claim(run_id, tenant_id, RunItemState.PENDING)
    if item is None:
        return ""
    last = _last_gross(tenant_id)
    try:
        # A transaction within this one: of what is refused, nothing is left.
        invoice, billed = issue_drafted(
            actor=SYSTEM, tenant_id=tenant_id, until=item.run.period_end, now=now
        )
    except UsageUnpriced:
        return draft_item(run_id=run_id, tenant_id=tenant_id, now=now)
    except (NothingToInvoice, InvoicePeriodRefused):
        _move(item, RunItemState.EMPTY)
        return RunItemState.EMPTY
    _move(
        item,
        RunItemState.ISSUED,
        **_drafted(billed, last, now),
        reviewed_at=now,
        reviewer_name=SYSTEM.name[:200],
        invoice=invoice,
        issued_at=now,
    )
    return RunItemState.ISSUED


@transaction.atomic
def fail_item(*, run_id: UUID, tenant_id: UUID, refusal: DomainError) -> None:
    """Write down what kept one tenant from being billed; the others go on."""
    require(SYSTEM, Permission.INVOICE_ISSUE, tenant_id)
    item = InvoiceRunItem.objects.filter(run_id=run_id, tenant_id=tenant_id).first()
    if item is not None and item.state in RUN_ITEM_TRANSITIONS[RunItemState.FAILED]:
        _move(
            item,
            RunItemState.FAILED,
            failure_code=refusal.code[:60],
            failure=str(refusal)[:500],
            attempts=item.attempts + 1,
        )


@transaction.atomic
def retry_items(
    *, actor: Actor, run_id: UUID, item_ids: Iterable[UUID] | None = None, now: datetime
) -> int:
    """Draft again what failed, or what had no price; gives how many. Needs operator scope.

    Raises: PermissionRefused.
    """
    require(actor, Permission.INVOICE_ISSUE)
    rows = InvoiceRunItem.objects.filter(run_id=run_id)
    if item_ids is not None:
        rows = rows.filter(pk__in=list(item_ids))
    failed = rows.filter(state=RunItemState.FAILED)
    unpriced = rows.filter(state=RunItemState.DRAFTED, oddities__contains=["unpriced"])
    again = failed.update(state=RunItemState.PENDING) + unpriced.update(state=RunItemState.PENDING)
    if again:
        settle_run(run_id=run_id, now=now)
    return again


@transaction.atomic
def settle_run(*, run_id: UUID, now: datetime) -> str:
    """Say where a run stands by where its items stand; gives that state. Needs operator scope."""
    run = InvoiceRun.objects.select_for_update().get(pk=run_id)
    states = set(run.items.order_by().values_list("state", flat=True).distinct())
    if RunItemState.PENDING in states:
        to = RunState.DRAFTING
    elif RunItemState.REVIEWED in states:
        to = RunState.ISSUING
    elif states & {RunItemState.DRAFTED, RunItemState.FAILED}:
        to = RunState.REVIEW
    else:
        to = RunState.DONE
    if to != run.state and run.state in RUN_TRANSITIONS_INTO[to]:
        InvoiceRun.objects.filter(pk=run_id, state=run.state).update(
            state=to,
            deadline_at=now + WORKED_OFF_WITHIN,
            is_late=False,
            finished_at=now if to == RunState.DONE else None,
        )
        record(
            SYSTEM,
            f"billing.invoice_run.{to}",
            subject=_subject(run_id),
            detail={"from": run.state},
        )
    return to


RUN_TRANSITIONS_INTO: dict[str, frozenset[str]] = {
    to: frozenset(start for start, ends in RUN_TRANSITIONS.items() if to in ends)
    for to in RunState.values
}


@transaction.atomic
def mark_late_runs(*, now: datetime) -> int:
    """Mark runs that were not worked off in time; gives how many are new. Needs operator scope."""
    late = InvoiceRun.objects.filter(
        state__in=[RunState.DRAFTING, RunState.ISSUING], deadline_at__lte=now, is_late=False
    )
    return late.update(is_late=True)


def _claim(run_id: UUID, tenant_id: UUID, state: str) -> InvoiceRunItem | None:
    rows = InvoiceRunItem.objects.select_for_update(of=("self",), skip_locked=True)
    return (
        rows.select_related("run").filter(run_id=run_id, tenant_id=tenant_id, state=state).first()
    )


def _move(item: InvoiceRunItem, to: str, **columns: object) -> None:
    InvoiceRunItem.objects.filter(
        pk=item.pk, state__in=RUN_ITEM_TRANSITIONS.get(to, frozenset())
    ).update(state=to, **columns)


def _subject(run_id: UUID) -> str:
    return f"billing.invoice_run:{run_id}"
