"""What stands to be settled with a city, and the batches that ask for it; needs operator scope."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from billing import meters
from billing.models import (
    CreditUse,
    Invoice,
    SettlementBatch,
    SettlementRow,
    VoucherScheme,
)
from common.errors import NotFound
from common.paging import Page, newest_first
from tenants.models import Organisation
from tenants.permissions import Actor, Permission, require

SIX_PLACES = Decimal("0.000001")
CARD_SECOND = "card-second"
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class RowToSettle:
    """One use as the file will state it."""

    use_id: UUID
    tenant_id: UUID
    amount: Decimal
    tenant_name: str
    credit_code: str
    contract: str
    invoice_number: str
    line_position: int
    service_from: datetime
    service_to: datetime
    card_hours: Decimal | None
    line_gross: Decimal
    share: Decimal
    origin: str
    voucher_code: str
    evidence: dict[str, str]


def rows_to_settle(scheme_id: UUID, until: datetime) -> tuple[RowToSettle, ...]:
    """The uses of a scheme before an instant that stand in no live batch, in order of use."""
    live = SettlementRow.objects.filter(is_live=True).values("use_id")
    uses = (
        CreditUse.objects.filter(lot__scheme_id=scheme_id, used_at__lt=until)
        .exclude(pk__in=live)
        .select_related("lot__application", "invoice_line__invoice")
        .order_by("used_at", "pk")
    )
    found = list(uses)
    tenants = Organisation.objects.in_bulk({use.tenant_id for use in found})
    return tuple(_row(use, tenants[use.tenant_id]) for use in found)


def _row(use: CreditUse, tenant: Organisation) -> RowToSettle:
    line, lot = use.invoice_line, use.lot
    invoice: Invoice = line.invoice
    application = lot.application
    hours = Decimal(line.quantity) / SECONDS_PER_HOUR if _is_cards(line.meter) else None
    return RowToSettle(
        use_id=use.pk,
        tenant_id=use.tenant_id,
        amount=use.amount,
        tenant_name=tenant.legal_name or tenant.name,
        credit_code=tenant.credit_code,
        contract=application.contract if application is not None else "",
        invoice_number=invoice.number,
        line_position=line.position,
        service_from=line.service_from,
        service_to=line.service_to,
        card_hours=hours.quantize(SIX_PLACES) if hours is not None else None,
        line_gross=line.gross,
        share=use.share,
        origin=use.origin,
        voucher_code=lot.code,
        evidence=application.evidence if application is not None else {},
    )


def _is_cards(meter: str) -> bool:
    """Whether a meter counts seconds of cards, by what its app declares."""
    known = meters.declared().get(meter)
    return known is not None and known.base_unit == CARD_SECOND


def batches(*, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[SettlementBatch]:
    """Every batch, newest first. Raises: PermissionRefused, InvalidInput."""
    require(actor, Permission.SETTLEMENT_READ)
    rows = SettlementBatch.objects.select_related("scheme")
    return newest_first(rows, cursor=cursor, limit=limit)


@dataclass(frozen=True)
class BatchSheet:
    """A batch with all its rows, as its page and its file show it."""

    batch: SettlementBatch
    scheme: VoucherScheme
    rows: tuple[SettlementRow, ...]

    @property
    def month(self) -> date:
        return self.batch.month


def batch_sheet(*, actor: Actor, batch_id: UUID) -> BatchSheet:
    """One batch; two statements. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.SETTLEMENT_READ)
    batch = SettlementBatch.objects.select_related("scheme").filter(pk=batch_id).first()
    if batch is None:
        raise NotFound
    rows = tuple(batch.rows.order_by("tenant_name", "invoice_number", "line_position", "pk"))
    return BatchSheet(batch, batch.scheme, rows)
