"""Billing's commands as tests say them: the system acts, in the tenant's scope, at one moment."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.commands.invoices import issue_invoice
from billing.commands.usage import record_usage
from billing.commands.wallet import set_currency, top_up
from billing.models import Invoice
from billing.queries.invariants import Breach, breaches
from billing.queries.wallet import Standing, standing
from billing.usage import UsageEvent
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.billing import NOW


def ingest(
    tenant: Organisation, *events: UsageEvent, now: datetime = NOW
) -> list[tuple[str, str, str]]:
    with tenant_scope(tenant.pk):
        results = record_usage(actor=SYSTEM, tenant_id=tenant.pk, events=events, now=now)
    return [(result.id, result.status.value, result.code) for result in results]


def statuses(tenant: Organisation, events: Sequence[UsageEvent]) -> list[str]:
    return [status for _, status, _ in ingest(tenant, *events)]


def pay_in(tenant: Organisation, amount: str, key: str = "first", now: datetime = NOW) -> Standing:
    with tenant_scope(tenant.pk):
        return top_up(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            amount=Decimal(amount),
            key=key,
            reference="bank slip",
            now=now,
        )


def bill_in(tenant: Organisation, currency: str) -> Standing:
    with operator_scope():
        return set_currency(actor=SYSTEM, tenant_id=tenant.pk, currency=currency, now=NOW)


def issue(tenant: Organisation, until: datetime = NOW, now: datetime = NOW) -> Invoice:
    with tenant_scope(tenant.pk):
        return issue_invoice(actor=SYSTEM, tenant_id=tenant.pk, until=until, now=now)


def stands(tenant: Organisation) -> Standing:
    with tenant_scope(tenant.pk):
        return standing(tenant.pk)


def broken() -> tuple[Breach, ...]:
    with operator_scope():
        return breaches()


def rows(query: str, tenant_id: UUID | None = None) -> list[tuple[object, ...]]:
    """What a raw statement sees in the operators' scope."""
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(query, None if tenant_id is None else [tenant_id])
        return cursor.fetchall()
