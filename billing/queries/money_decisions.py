"""What was decided about money that leaves, and what could be: for the people who decide."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet, Sum

from billing.models import DecisionKind, DecisionState, Invoice, MoneyDecision
from billing.queries.currencies import own_currency
from billing.queries.dues import with_due
from billing.queries.invoiceable import Invoiceable, invoiceable_top_ups
from billing.queries.wallet import standing
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require

NOTHING = Decimal(0)


def _rows() -> QuerySet[MoneyDecision]:
    rows = MoneyDecision.objects.annotate(currency=own_currency())
    return rows.select_related("tenant", "top_up", "invoice", "write_off__invoice")


def waiting_decisions(*, actor: Actor, limit: int = 50) -> tuple[MoneyDecision, ...]:
    """What waits for a second person, the oldest first, each with its tenant's ``currency``.

    Raises: PermissionRefused. Needs operator scope.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE)
    waiting = _rows().filter(state=DecisionState.PROPOSED)
    return tuple(waiting.order_by("proposed_at", "pk")[:limit])


def decision_page(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 20
) -> Page[MoneyDecision]:
    """What was decided about one tenant's money, newest first.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE, tenant_id)
    return newest_first(_rows().filter(tenant_id=tenant_id), cursor=cursor, limit=limit)


@dataclass(frozen=True)
class LostDebt:
    """A debt that was written off and is not recovered. Units: gross."""

    id: UUID
    number: str
    amount: Decimal
    left: Decimal


@dataclass(frozen=True)
class MoneyOut:
    """What a tenant's wallet could give, and which of its debts could end.

    Units: gross. ``free`` is the wallet less what is owed, held, and used up to the last accrual.
    """

    currency: str
    free: Decimal
    top_ups: tuple[Invoiceable, ...]
    overdue: tuple[tuple[UUID, str, Decimal], ...]
    lost: tuple[LostDebt, ...]


def money_out(*, actor: Actor, tenant_id: UUID, now: datetime) -> MoneyOut:
    """What may be proposed about a tenant's money; five statements.

    Shape: top-ups that nobody takes back yet, newest first; overdue invoices nobody writes off yet.
    Raises: PermissionRefused.
    """
    require(actor, Permission.MONEY_OUT_PROPOSE, tenant_id)
    stands = standing(tenant_id)
    live = list(
        MoneyDecision.objects.filter(tenant_id=tenant_id)
        .exclude(state=DecisionState.REJECTED)
        .select_related("invoice")
        .order_by("pk")
    )
    taken = {one.top_up_id for one in live} | {one.invoice_id for one in live}
    overdue = with_due(Invoice.objects.filter(tenant_id=tenant_id, due__due_at__lte=now))
    back = dict(
        MoneyDecision.objects.filter(tenant_id=tenant_id, state=DecisionState.DONE)
        .filter(kind=DecisionKind.RECOVERY)
        .values_list("write_off_id")
        .annotate(sum=Sum("amount"))
    )
    lost = (
        LostDebt(one.pk, one.invoice.number, one.amount, one.amount - back.get(one.pk, NOTHING))
        for one in live
        if one.invoice is not None and one.state == DecisionState.DONE
    )
    return MoneyOut(
        currency=stands.currency,
        free=max(stands.available - stands.credit_limit, NOTHING),
        top_ups=tuple(
            one for one in invoiceable_top_ups(tenant_id=tenant_id) if one.id not in taken
        ),
        overdue=tuple(
            (one.pk, one.number, one.outstanding)
            for one in overdue.filter(gross__gt=NOTHING, outstanding__gt=NOTHING).order_by("due_at")
            if one.pk not in taken
        ),
        lost=tuple(one for one in lost if one.left > 0),
    )
