"""One row of every model of credits, made the way the product makes them."""

from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from django.db.models import Model

from billing.commands.credit_lots import LotTerms, grant_promo
from billing.commands.credits import restore_credits
from billing.commands.invoices import issue_invoice
from billing.commands.schemes import SchemeRules, save_scheme
from billing.commands.settlements import draft_settlement
from billing.commands.usage import UsageEvent as Event
from billing.commands.usage import record_usage
from billing.commands.vouchers import Request, apply_for_voucher
from billing.models import (
    CreditLot,
    CreditRestore,
    CreditUse,
    Invoice,
    InvoiceLine,
    SettlementRow,
    VoucherApplication,
    VoucherCap,
)
from tenants.models import Project
from tenants.permissions import SYSTEM
from tests.factories import World, factory
from tests.factories.billing import HOUR, LONG_AGO, NOW

M = TypeVar("M", bound=Model)
SCHEME = "every-row"


def _credited(world: World) -> None:
    """A tenant with a voucher that paid for tokens, was refunded in part, and is being settled."""
    tenant_id = world.organisation.pk
    if SettlementRow.objects.filter(tenant_id=tenant_id).exists():
        return
    # Billing's own rows come first: they have the month's first invoice.
    world.one(Invoice)
    save_scheme(actor=SYSTEM, rules=_rules(), now=LONG_AGO)
    apply_for_voucher(
        actor=SYSTEM,
        tenant_id=tenant_id,
        request=Request(scheme=SCHEME, amount=Decimal("100.00"), contract=world.canary),
        key=world.canary,
        now=LONG_AGO,
    )
    grant_promo(
        actor=SYSTEM,
        tenant_id=tenant_id,
        amount=Decimal("5.00"),
        terms=LotTerms(title=f"{world.canary} credit", effective_at=LONG_AGO),
        key=f"{world.canary} promo",
        now=LONG_AGO,
    )
    record_usage(actor=SYSTEM, tenant_id=tenant_id, events=[_use(world)], now=NOW + 2 * HOUR)
    until = NOW + 3 * HOUR
    invoice = issue_invoice(actor=SYSTEM, tenant_id=tenant_id, until=until, now=until)
    line = InvoiceLine.objects.filter(invoice=invoice, gross__gt=0).first()
    assert line is not None
    restore_credits(
        tenant_id=tenant_id,
        invoice_line_id=line.pk,
        amount=Decimal("1.00"),
        now=until,
        key=world.canary,
    )
    month_over = NOW + timedelta(days=40)
    draft_settlement(actor=SYSTEM, scheme_code=SCHEME, month=NOW.date(), now=month_over)


def _rules() -> SchemeRules:
    return SchemeRules(
        code=SCHEME,
        title_en="Every row",
        title_zh="每行",
        issuer="Example",
        mode="instant",
        share_domestic=Decimal("0.3"),
        share_other=Decimal("0.2"),
        scope_services=("models",),
        needs_review=False,
        needs_verification=False,
        needs_unrelated=False,
    )


def _use(world: World) -> Event:
    return Event(
        source="gateway",
        id=f"{world.canary}-credited",
        meter="appliances.tokens_in",
        subject=f"{world.canary} deployment",
        at=NOW + HOUR,
        quantity=50_000_000,
        dimensions={"model": "tiny", "deployment": "d1", "key": world.canary},
        project_id=world.pk(Project),
    )


def _first(model: type[M]) -> None:
    @factory(model)
    def make(world: World) -> M:
        _credited(world)
        row = model._default_manager.filter(tenant_id=world.organisation.pk).first()
        assert row is not None, f"Credits left no {model.__name__}."
        return row


for _model in (
    CreditLot,
    CreditRestore,
    CreditUse,
    SettlementRow,
    VoucherApplication,
    VoucherCap,
):
    _first(_model)
