"""One row of every model around the issue of an invoice, made the way the product makes them."""

from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from django.db.models import Model

from billing.commands.adjustments import propose_adjustment
from billing.commands.credit_notes import issue_credit_note
from billing.commands.disputes import open_dispute
from billing.commands.fapiao import request_fapiao, save_tax_profile
from billing.commands.money_decisions import approve_money_decision, pay_out
from billing.models import (
    Adjustment,
    CreditNote,
    CreditNoteLine,
    Dispute,
    Fapiao,
    FapiaoCover,
    FapiaoLine,
    Invoice,
    InvoiceRun,
    InvoiceRunItem,
    MoneyDecision,
    RunItemState,
    TaxProfile,
)
from tenants.permissions import SYSTEM
from tests.factories import World, factory
from tests.factories.billing import HOUR, NOW

M = TypeVar("M", bound=Model)


def _corrected(world: World) -> None:
    """An invoice of which a part is credited, a line disputed, and the rest on a fapiao."""
    invoice = world.one(Invoice)
    tenant_id = world.organisation.pk
    if Dispute.objects.filter(tenant_id=tenant_id).exists():
        return
    issue_credit_note(
        actor=SYSTEM,
        tenant_id=tenant_id,
        invoice_id=invoice.pk,
        reason=f"{world.canary} cards failed",
        nets={1: Decimal("0.01")},
        now=NOW + 2 * HOUR,
    )
    open_dispute(
        actor=SYSTEM,
        tenant_id=tenant_id,
        invoice_id=invoice.pk,
        position=1,
        reason=f"{world.canary} was not used",
        now=NOW + 2 * HOUR,
    )
    propose_adjustment(
        actor=SYSTEM,
        tenant_id=tenant_id,
        net=Decimal("-1.00"),
        tax_code="it_service",
        title_en=f"{world.canary} goodwill",
        title_zh=f"{world.canary} 补偿",
        reason=f"{world.canary} trouble",
        now=NOW + 2 * HOUR,
    )
    save_tax_profile(
        actor=SYSTEM,
        tenant_id=tenant_id,
        buyer_name=f"{world.canary} 智能",
        kind="digital_ordinary",
        now=NOW,
    )
    request_fapiao(
        actor=SYSTEM,
        tenant_id=tenant_id,
        wanted=[invoice.pk],
        remark=f"{world.canary} remark",
        now=NOW + 3 * HOUR,
    )


def _first(model: type[M]) -> None:
    @factory(model)
    def make(world: World) -> M:
        _corrected(world)
        row = model._default_manager.filter(tenant_id=world.organisation.pk).first()
        assert row is not None, f"Billing left no {model.__name__}."
        return row


for _model in (
    Adjustment,
    CreditNote,
    CreditNoteLine,
    Dispute,
    Fapiao,
    FapiaoCover,
    FapiaoLine,
    TaxProfile,
):
    _first(_model)


@factory(MoneyDecision)
def money_decision(world: World) -> MoneyDecision:
    decision = pay_out(
        actor=SYSTEM,
        tenant_id=world.organisation.pk,
        amount=Decimal("0.01"),
        reference=f"{world.canary} transfer back",
        reason=f"{world.canary} leaves",
        now=world.one(Invoice).issued_at,
    )
    approve_money_decision(actor=SYSTEM, decision_id=decision.pk, now=decision.proposed_at)
    decision.refresh_from_db()
    return decision


@factory(InvoiceRunItem)
def run_item(world: World) -> InvoiceRunItem:
    run, _is_new = InvoiceRun.objects.get_or_create(
        period_end=NOW,
        defaults={
            "is_automatic": False,
            "created_at": NOW,
            "deadline_at": NOW + timedelta(hours=6),
        },
    )
    invoice = world.one(Invoice)
    return InvoiceRunItem.objects.create(
        tenant=world.organisation,
        run=run,
        state=RunItemState.ISSUED,
        invoice=invoice,
        reviewer_name=f"{world.canary} reviewer",
    )
