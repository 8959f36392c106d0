"""One row of every model that arrears leave behind, for a tenant that is in order again."""

from datetime import timedelta
from decimal import Decimal

from appliances.models import Deployment, Interruption
from billing.commands.accrual import refresh_unbilled
from billing.commands.arrears import reassess
from billing.commands.arrears_terms import exempt
from billing.models import (
    Account,
    ArrearsMove,
    ArrearsStanding,
    ArrearsTerms,
    Invoice,
    InvoiceDue,
    SpendSample,
)
from compute.models import Freeze
from tenants.permissions import SYSTEM
from tests.factories import World, factory
from tests.factories.billing import HOUR, NOW


def _was_in_arrears(world: World) -> None:
    """An invoice with its due date, a debt that came and went, and a whitelisting that ended."""
    tenant_id = world.organisation.pk
    world.one(Invoice)
    if ArrearsTerms.objects.filter(tenant_id=tenant_id).exists():
        return
    at = NOW + 2 * HOUR
    Account.objects.filter(tenant_id=tenant_id).update(unbilled=Decimal(100_000))
    reassess(tenant_id=tenant_id, now=at)
    exempt(
        actor=SYSTEM,
        tenant_id=tenant_id,
        until=at + HOUR,
        reason=f"{world.canary} agreed",
        now=at,
    )
    refresh_unbilled(tenant_id=tenant_id, now=at)
    reassess(tenant_id=tenant_id, now=at + 2 * HOUR)


@factory(ArrearsStanding)
def standing(world: World) -> ArrearsStanding:
    _was_in_arrears(world)
    return ArrearsStanding.objects.get(tenant=world.organisation)


@factory(ArrearsTerms)
def terms(world: World) -> ArrearsTerms:
    _was_in_arrears(world)
    return ArrearsTerms.objects.get(tenant=world.organisation)


@factory(ArrearsMove)
def move(world: World) -> ArrearsMove:
    _was_in_arrears(world)
    return ArrearsMove.objects.get(tenant=world.organisation, sequence=1)


@factory(SpendSample)
def sample(world: World) -> SpendSample:
    _was_in_arrears(world)
    return SpendSample.objects.filter(tenant=world.organisation).earliest("at")


@factory(InvoiceDue)
def due(world: World) -> InvoiceDue:
    _was_in_arrears(world)
    return InvoiceDue.objects.filter(tenant=world.organisation).earliest("due_at")


@factory(Freeze)
def freeze(world: World) -> Freeze:
    return Freeze.objects.create(
        tenant=world.organisation,
        episode=world.organisation.pk,
        resource_class="on_demand",
        state="lifted",
        notified_at=NOW,
        stop_at=NOW + timedelta(minutes=10),
        ended_at=NOW + timedelta(minutes=1),
    )


@factory(Interruption)
def interruption(world: World) -> Interruption:
    return Interruption.objects.create(
        tenant=world.organisation,
        deployment=world.one(Deployment),
        resource_class="on_demand",
        state="given_up",
        stopped_at=NOW,
        settled_at=NOW,
        reason=world.canary,
    )
