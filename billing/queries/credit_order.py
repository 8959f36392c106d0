"""What the payment order looks at: the credits that may pay, and lines as it sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.models import CreditLot, CreditState, VoucherMode
from billing.origins import origins_of
from billing.payment_order import LineFact, LotFact
from billing.services import service_of


def lot_fact(lot: CreditLot) -> LotFact:
    """A lot as the order sees it."""
    return LotFact(
        id=lot.pk,
        kind=lot.kind,
        remaining=lot.remaining,
        effective_at=lot.effective_at,
        expires_at=lot.expires_at,
        family=lot.scheme_id or lot.grace_of_id or lot.pk,
        priority=lot.priority,
        scope=lot.scope,
        scope_values=tuple(lot.scope_values),
        excluded_services=tuple(lot.excluded_services),
        eligible_pools=tuple(lot.eligible_pools),
        project_id=lot.project_id,
        share_domestic=lot.share_domestic,
        share_other=lot.share_other,
        min_spend=lot.min_spend,
        is_stackable=lot.is_stackable,
        meter=lot.meter,
        match=lot.match,
    )


def active_lots(tenant_id: UUID) -> tuple[CreditLot, ...]:
    """The credits that may pay when an invoice is issued now; one statement."""
    return tuple(
        CreditLot.objects.filter(
            tenant_id=tenant_id, state=CreditState.ACTIVE, mode=VoucherMode.INSTANT
        ).order_by("pk")
    )


@dataclass(frozen=True)
class MoneyLine:
    """A line of an invoice or of a draft, before its origin and its service are known."""

    id: UUID
    position: int
    meter: str
    sku: str
    project_id: UUID | None
    dimensions: Mapping[str, str]
    gross: Decimal
    service_from: datetime
    service_to: datetime


def line_facts(lines: Sequence[MoneyLine]) -> tuple[LineFact, ...]:
    """Lines with what their meters and cards say of them; one look-up for all origins."""
    origins = origins_of([line.dimensions for line in lines])
    return tuple(
        LineFact(
            id=line.id,
            position=line.position,
            meter=line.meter,
            sku=line.sku,
            service=service_of(line.meter),
            project_id=line.project_id,
            dimensions=line.dimensions,
            origin=origin,
            gross=line.gross,
            service_from=line.service_from,
            service_to=line.service_to,
        )
        for line, origin in zip(lines, origins, strict=True)
    )


OPEN_USE = """
SELECT EXISTS (
    SELECT FROM billing_billingperiod period
    JOIN billing_usagebucket bucket ON bucket.period_id = period.id
    WHERE period.tenant_id = %s AND period.state = 'open'
        AND bucket.hour >= %s AND bucket.hour < %s
)
"""


def has_open_use(tenant_id: UUID, start: datetime, end: datetime) -> bool:
    """Whether use of this time stands on no invoice yet, so that a credit may still pay for it."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_USE, [tenant_id, start, end])
        row = cursor.fetchone()
    return bool(row and row[0])


CREDITS_DUE = """
SELECT DISTINCT tenant_id FROM billing_creditlot
WHERE state IN ('issued', 'active')
    AND ((state = 'issued' AND effective_at <= %(now)s) OR expires_at <= %(horizon)s)
ORDER BY tenant_id
"""


def tenants_with_credits_due(now: datetime, horizon: datetime) -> tuple[UUID, ...]:
    """Tenants with a credit that begins, or that ends before the horizon; needs operator scope."""
    with connection.cursor() as cursor:
        cursor.execute(CREDITS_DUE, {"now": now, "horizon": horizon})
        return tuple(tenant_id for (tenant_id,) in cursor.fetchall())
