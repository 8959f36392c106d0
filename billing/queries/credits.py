"""Credits as people and programs read them: what is left, until when, and what each paid for."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet, Sum
from django.utils.functional import Promise

from billing import meters
from billing.credit_days import days_left, last_day
from billing.documents import CreditPart
from billing.meters import in_display_unit
from billing.models import (
    CreditKind,
    CreditLot,
    CreditState,
    CreditUse,
    Invoice,
    UseKind,
)
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.permissions import Actor, Permission, require

OPEN = (CreditState.ACTIVE, CreditState.ISSUED)


@dataclass(frozen=True)
class CreditRow:
    """One credit. Units: ``face`` and ``remaining`` are money with tax, or, for a package, in
    ``unit`` of ``meter``. ``last_day`` is the last day of the centre it is valid on.
    """

    id: UUID
    code: str
    kind: str
    state: str
    title: str
    funder: str
    mode: str
    face: Decimal
    remaining: Decimal
    unit: str | Promise
    meter: str
    match: dict[str, str]
    scope: str
    scope_values: tuple[str, ...]
    project_name: str
    min_spend: Decimal
    share_domestic: Decimal
    share_other: Decimal
    effective_at: datetime
    last_day: date | None
    days_left: int | None
    created_by: str
    created_at: datetime
    approved_by: str
    approved_at: datetime | None
    proposed_by_id: UUID | None

    @property
    def is_package(self) -> bool:
        return self.kind == CreditKind.PACKAGE

    @property
    def is_ending(self) -> bool:
        """Within a week of its last day."""
        return self.days_left is not None and self.days_left <= 7


def _row(lot: CreditLot, now: datetime) -> CreditRow:
    zone, ends = settings.CENTRE_TIME_ZONE, lot.expires_at
    meter = meters.declared().get(lot.meter)
    divisor = meter.display_divisor if meter is not None else 1
    return CreditRow(
        id=lot.pk,
        code=lot.code,
        kind=lot.kind,
        state=lot.state,
        title=lot.title,
        funder=lot.funder,
        mode=lot.mode,
        face=in_display_unit(lot.face, divisor),
        remaining=in_display_unit(lot.remaining, divisor),
        unit=meter.display_unit if meter is not None else lot.currency,
        meter=lot.meter,
        match=lot.match,
        scope=lot.scope,
        scope_values=tuple(lot.scope_values),
        project_name=lot.project.name if lot.project is not None else "",
        min_spend=lot.min_spend,
        share_domestic=lot.share_domestic,
        share_other=lot.share_other,
        effective_at=lot.effective_at,
        last_day=None if ends is None else last_day(ends, zone),
        days_left=None if ends is None else days_left(ends, now, zone),
        created_by=lot.created_by,
        created_at=lot.created_at,
        approved_by=lot.approved_by,
        approved_at=lot.approved_at,
        proposed_by_id=lot.proposed_by_id,
    )


def credit_page(
    *,
    actor: Actor,
    tenant_id: UUID,
    now: datetime,
    kind: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[CreditRow]:
    """Every credit of a tenant, or of one kind, newest first.

    What is only proposed is the centre's own business: tenants see what was given.
    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.WALLET_READ, tenant_id)
    rows: QuerySet[CreditLot] = CreditLot.objects.filter(tenant_id=tenant_id)
    rows = rows.select_related("project")
    if Permission.CREDIT_GRANT not in actor.permissions:
        rows = rows.exclude(state__in=[CreditState.PROPOSED, CreditState.REJECTED])
    page = newest_first(rows.filter(kind=kind) if kind else rows, cursor=cursor, limit=limit)
    return Page(tuple(_row(lot, now) for lot in page.items), page.next_cursor)


def open_credits(*, tenant_id: UUID, now: datetime) -> tuple[CreditRow, ...]:
    """What may still be used, the one that ends first on top; one statement."""
    rows = CreditLot.objects.filter(tenant_id=tenant_id, state__in=OPEN)
    rows = rows.select_related("project")
    in_order = rows.order_by(F("expires_at").asc(nulls_last=True), "priority", "pk")
    return tuple(_row(lot, now) for lot in in_order)


def saved(tenant_id: UUID) -> Decimal:
    """What vouchers and promotional credit have paid so far, less what was given back."""
    uses = CreditUse.objects.filter(tenant_id=tenant_id).exclude(lot__kind=CreditKind.PACKAGE)
    return uses.aggregate(amount=Sum("amount"))["amount"] or Decimal(0)


@dataclass(frozen=True)
class UseRow:
    """What one credit did for one line of an invoice; negative where it was given back.

    Units: money with tax, or the package's base units.
    """

    line: int
    sequence: int
    credit: str
    credit_kind: str
    kind: str
    amount: Decimal
    share: Decimal
    origin: str
    used_at: datetime


def invoice_uses(*, actor: Actor, tenant_id: UUID, invoice_id: UUID) -> tuple[UseRow, ...]:
    """The credits of an invoice in the order they paid; two statements.

    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.INVOICE_READ, tenant_id)
    if not Invoice.objects.filter(tenant_id=tenant_id, pk=invoice_id).exists():
        raise NotFound
    return uses_of(tenant_id, invoice_id)


def uses_of(tenant_id: UUID, invoice_id: UUID) -> tuple[UseRow, ...]:
    """The same, where the caller has found the invoice; one statement."""
    rows = CreditUse.objects.filter(tenant_id=tenant_id, invoice_line__invoice_id=invoice_id)
    return tuple(
        UseRow(*row)
        for row in rows.order_by("used_at", "sequence", "pk").values_list(
            "invoice_line__position",
            "sequence",
            "lot__code",
            "lot__kind",
            "kind",
            "amount",
            "share",
            "origin",
            "used_at",
        )
    )


def credit_part(lot: CreditLot, amount: Decimal) -> CreditPart:
    """What one credit does for one line, as documents say it."""
    meter = meters.declared().get(lot.meter)
    return CreditPart(
        kind=lot.kind,
        code=lot.code,
        title=lot.title,
        amount=in_display_unit(amount, meter.display_divisor if meter is not None else 1),
        unit=meter.display_unit if meter is not None else "",
    )


def credits_of_lines(invoice_id: UUID) -> dict[UUID, tuple[CreditPart, ...]]:
    """What credits did for each line of an invoice, in their order; one statement.

    What was given back is taken off. Claims are asked of the city and pay nothing here, nor does
    lowering one give anything back.
    """
    uses = (
        CreditUse.objects.filter(invoice_line__invoice_id=invoice_id)
        .exclude(kind=UseKind.CLAIM)
        .exclude(restores__kind=UseKind.CLAIM)
        .select_related("lot")
        .order_by("sequence", "pk")
    )
    lots: dict[tuple[UUID, UUID], CreditLot] = {}
    sums: dict[tuple[UUID, UUID], Decimal] = defaultdict(Decimal)
    for use in uses:
        lots[use.invoice_line_id, use.lot_id] = use.lot
        sums[use.invoice_line_id, use.lot_id] += use.amount
    parts: dict[UUID, tuple[CreditPart, ...]] = {}
    for (line_id, lot_id), amount in sums.items():
        if amount:
            part = credit_part(lots[line_id, lot_id], amount)
            parts[line_id] = (*parts.get(line_id, ()), part)
    return parts
