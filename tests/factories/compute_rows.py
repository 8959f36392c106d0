"""One row of every tenant-owned model of compute."""

from decimal import Decimal

from billing.commands.wallet import set_credit_limit
from compute.commands.holding import hold
from compute.commands.workloads import request_workload
from compute.engines import WorkloadKind
from compute.models import ChipModel, Claim, EngineUsage, Pool, Profile, Reservation, Workload
from tenants.models import Project
from tenants.permissions import MEMBER_ROLES, SYSTEM, Actor, ActorKind
from tests.factories import World, factory
from tests.factories.compute import HOUR, NOW, hours, make_catalogue, make_pool


def _pool() -> Pool:
    """One pool for all worlds, as in life: tenants share it and must not meet in it."""
    if not ChipModel.objects.exists():
        make_catalogue()
    return Pool.objects.filter(code="shared").first() or make_pool(code="shared", cards=64)


def _owner(world: World) -> Actor:
    """An owner with enough credit for what the rows cost."""
    tenant_id = world.organisation.pk
    set_credit_limit(actor=SYSTEM, tenant_id=tenant_id, amount=Decimal("10000000"), now=NOW)
    return Actor(
        kind=ActorKind.MEMBER,
        id=None,
        name=world.canary,
        tenant_id=tenant_id,
        permissions=MEMBER_ROLES["owner"],
    )


@factory(Reservation)
def reservation(world: World) -> Reservation:
    return hold(
        actor=_owner(world),
        project_id=world.pk(Project),
        pool_code=_pool().code,
        cards=2,
        period=hours(1, 3),
        now=NOW,
    )


@factory(Workload)
def workload(world: World) -> Workload:
    return request_workload(
        actor=_owner(world),
        project_id=world.pk(Project),
        kind=WorkloadKind.SERVICE,
        argv=["serve", world.canary],
        env={},
        cards=1,
        pool_code=_pool().code,
        until=NOW + HOUR,
        subject=world.canary,
        now=NOW,
    )


@factory(Claim)
def claim(world: World) -> Claim:
    world.one(Reservation)
    return Claim.objects.filter(tenant=world.organisation).earliest("created_at")


@factory(Profile)
def profile(world: World) -> Profile:
    return world.one(Reservation).profile


@factory(EngineUsage)
def engine_usage(world: World) -> EngineUsage:
    return EngineUsage.objects.create(
        tenant=world.organisation,
        cluster=_pool().cluster,
        workload=world.one(Workload),
        record_key=f"{world.canary} record",
        workload_key=world.one(Workload).pk.hex,
        engine_job_id=world.canary,
        node="n1",
        gres="shared",
        cards=1,
        started_at=NOW,
        seen_until=NOW,
    )
