"""One row of every model of billing, made the way the product makes them: used, held, invoiced."""

from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from django.db.models import Model

from billing.commands.contracts import TermLine, activate_contract, add_term, draft_contract
from billing.commands.corrections import Correction as Said
from billing.commands.corrections import correct_usage
from billing.commands.holds import set_hold
from billing.commands.invoices import issue_invoice
from billing.commands.prices import load_default_prices
from billing.commands.usage import UsageEvent as Event
from billing.commands.usage import record_usage
from billing.commands.wallet import top_up
from billing.models import (
    Account,
    BillingPeriod,
    Charge,
    ChargeSegment,
    Contract,
    ContractTerm,
    Correction,
    EventKey,
    EventValue,
    Hold,
    Invoice,
    InvoiceLine,
    InvoicePayment,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    RejectedEvent,
    Series,
    UsageBatch,
    UsageBucket,
    UsageEvent,
)
from tenants.models import Project
from tenants.permissions import SYSTEM
from tests.factories import World, factory
from tests.factories.billing import HOUR, LONG_AGO, NOW

M = TypeVar("M", bound=Model)


def _billed(world: World) -> None:
    """A tenant that paid in, used tokens, sent nonsense, holds money and has an invoice."""
    if Invoice.objects.filter(tenant=world.organisation).exists():
        return
    load_default_prices(actor=SYSTEM, now=LONG_AGO)
    tenant_id = world.organisation.pk
    top_up(
        actor=SYSTEM,
        tenant_id=tenant_id,
        amount=Decimal("1000"),
        key=f"{world.canary} first",
        reference=f"{world.canary} transfer",
        now=NOW - 3 * HOUR,
    )
    good = Event(
        source="gateway",
        id=f"{world.canary}-1",
        meter="appliances.tokens_in",
        subject=f"{world.canary} deployment",
        at=NOW - 2 * HOUR,
        quantity=9_000_000,
        dimensions={"model": "tiny", "deployment": "d1", "key": world.canary},
        project_id=world.pk(Project),
    )
    nonsense = Event(
        source="gateway",
        id=f"{world.canary}-2",
        meter="no.such_meter",
        subject=f"{world.canary} nonsense",
        at=NOW - 2 * HOUR,
        quantity=1,
        dimensions={},
    )
    record_usage(actor=SYSTEM, tenant_id=tenant_id, events=[good, nonsense], now=NOW)
    set_hold(
        actor=SYSTEM,
        tenant_id=tenant_id,
        key=f"{world.canary} hold",
        amount=Decimal("5.00"),
        expires_at=NOW + timedelta(hours=1),
        now=NOW,
    )
    issue_invoice(actor=SYSTEM, tenant_id=tenant_id, until=NOW, now=NOW + HOUR)
    _agreed(world)
    _corrected(world, good)


def _agreed(world: World) -> None:
    """A contract about a day after everything else here."""
    tenant_id = world.organisation.pk
    starts_at, ends_at = NOW + 24 * HOUR, NOW + 48 * HOUR
    contract = draft_contract(
        actor=SYSTEM,
        tenant_id=tenant_id,
        number=f"{world.canary} no"[:40],
        title=f"{world.canary} agreement",
        starts_at=starts_at,
        ends_at=ends_at,
        now=NOW,
    )
    term = TermLine(
        "discount", starts_at, ends_at, sku=f"{world.canary} sku", discount_percent=Decimal(10)
    )
    add_term(actor=SYSTEM, tenant_id=tenant_id, contract_id=contract.pk, term=term)
    activate_contract(actor=SYSTEM, tenant_id=tenant_id, contract_id=contract.pk, now=NOW)


def _corrected(world: World, billed: Event) -> None:
    """The event behind the invoice is corrected."""
    tenant_id = world.organisation.pk
    said = Said(
        id=f"{world.canary}-4",
        source="desk",
        ref_source=billed.source,
        ref_id=billed.id,
        kind="correct",
        quantity=8_000_000,
        reason=f"{world.canary} counted twice",
    )
    correct_usage(actor=SYSTEM, tenant_id=tenant_id, corrections=[said], now=NOW + HOUR)


def _first(model: type[M]) -> None:
    @factory(model)
    def make(world: World) -> M:
        _billed(world)
        row = model._default_manager.filter(tenant_id=world.organisation.pk).first()
        assert row is not None, f"Billing left no {model.__name__}."
        return row


for _model in (
    Account,
    BillingPeriod,
    Charge,
    ChargeSegment,
    Contract,
    ContractTerm,
    Correction,
    EventKey,
    Hold,
    Invoice,
    InvoiceLine,
    InvoicePayment,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    RejectedEvent,
    Series,
    UsageBatch,
    UsageBucket,
    UsageEvent,
):
    _first(_model)


@factory(EventValue)
def _seen(world: World) -> EventValue:
    """A value some unique meter has seen; no meter of ours with a price is one."""
    _billed(world)
    key = EventKey.objects.filter(tenant_id=world.organisation.pk).earliest("key").key
    series = Series.objects.filter(tenant_id=world.organisation.pk).earliest("pk")
    return EventValue.objects.create(
        key=key, tenant_id=world.organisation.pk, series=series, at=NOW, value=world.canary
    )
