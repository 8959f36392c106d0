"""A tenant that uses tokens for money, day after day, and what billing then says of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace
from uuid import UUID

from django.apps import apps
from django.db import connection

from billing.arrears import ArrearsState
from billing.commands.accrual import accrue
from billing.commands.arrears import reassess
from billing.models import ArrearsMove, ArrearsStanding, ArrearsTier
from billing.queries.arrears import Arrears, standing_of
from tenants.models import Notice, Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import ingest
from tests.factories.billing import NOW, tokens

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def use(tenant: Organisation, yuan: int, at: datetime, key: str = "") -> None:
    """Use tokens for so many yuan before tax (1.06 of them with it) in the hour before."""
    event = tokens(key or f"use-{at.isoformat()}-{yuan}", yuan * 1_000_000, at - HOUR)
    assert ingest(tenant, event, now=at)[0][1] == "accepted"
    with tenant_scope(tenant.pk):
        accrue(tenant_id=tenant.pk, now=at)


def assess(tenant: Organisation, at: datetime) -> Arrears:
    with tenant_scope(tenant.pk):
        return reassess(tenant_id=tenant.pk, now=at)


def said(tenant: Organisation, at: datetime = NOW) -> Arrears:
    with tenant_scope(tenant.pk):
        return standing_of(tenant.pk, at)


def walked(tenant: Organisation) -> list[str]:
    """The states in the order they were entered."""
    with operator_scope():
        rows = ArrearsMove.objects.filter(tenant_id=tenant.pk).order_by("sequence")
        return [row.to_state for row in rows]


def install_tiers() -> None:
    """The tiers as the migration makes them, where a test that commits has emptied the table."""
    with operator_scope():
        if not ArrearsTier.objects.exists():
            laws = import_module("billing.migrations.0008_arrears_laws")
            laws.make_tiers(apps, SimpleNamespace(connection=connection))


def told(tenant: Organisation) -> list[str]:
    """The kinds of notice posted, in order."""
    with operator_scope():
        rows = Notice.objects.filter(tenant_id=tenant.pk, kind__startswith="arrears")
        return [row.kind for row in rows.order_by("at", "pk")]


def row_of(tenant: Organisation) -> ArrearsStanding:
    with operator_scope():
        return ArrearsStanding.objects.get(tenant_id=tenant.pk)


def put_into(tenant_id: UUID, state: ArrearsState, at: datetime, needed: str = "50.00") -> None:
    """A tenant as far into arrears as the state says, by the moves that lead there."""
    later = at + 7 * DAY
    row, _made = ArrearsStanding.objects.get_or_create(
        tenant_id=tenant_id, defaults={"state_at": at, "assessed_at": at}
    )
    fields: dict[str, object] = {
        "episode": row.pk,
        "owing_since": at,
        "on_demand_freeze_at": at,
        "reserved_freeze_at": at,
        "on_demand_release_at": at if state == ArrearsState.RELEASED else later,
        "reserved_release_at": at if state == ArrearsState.RELEASED else later,
        "amount_needed": Decimal(needed),
    }
    if state == ArrearsState.GRACE:
        fields |= {"on_demand_freeze_at": at + DAY, "reserved_freeze_at": at + DAY}
    steps = [ArrearsState.GRACE, ArrearsState.RETENTION, ArrearsState.RELEASED]
    before = ArrearsState.NORMAL
    for number, step in enumerate(steps[: steps.index(state) + 1], start=1):
        ArrearsStanding.objects.filter(pk=row.pk).update(state=step, state_at=at, **fields)
        ArrearsMove.objects.create(
            tenant_id=tenant_id,
            from_state=before,
            to_state=step,
            at=at,
            cause="assessed",
            episode=row.pk,
            funds=-Decimal(needed),
            overdue=0,
            daily_spend=0,
            sequence=number,
        )
        before = step
