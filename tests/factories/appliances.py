"""A catalogue on sale, a pool of the local engine, and what deployments stand on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from appliances.commands.catalogue import certify, list_for_sale, load_seed, submit
from appliances.commands.deployments import deploy
from appliances.models import Appliance, Deployment, LaunchProfile, Version
from billing.commands.prices import load_default_prices
from billing.commands.wallet import top_up
from compute.chips import read_seed
from compute.commands.chips import load_chips
from compute.commands.sites import create_centre, create_pool, register_cluster
from compute.commands.workload_driving import claim_workload, record_observation
from compute.engines import WorkloadObservation, WorkloadState
from compute.models import Centre, Pool, Workload
from tenants.models import Organisation, Project
from tenants.permissions import MEMBER_ROLES, SYSTEM, Actor, ActorKind
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import World, factory

NOW = datetime(2026, 11, 10, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Customer:
    """A tenant with one project, money, and somebody who acts for it."""

    organisation: Organisation
    project: Project
    actor: Actor


def customer(code: str, role: str = "owner", money: str = "100000") -> Customer:
    with operator_scope():
        organisation = Organisation.objects.create(code=code, name=code.title())
        project = Project.objects.create(tenant=organisation, code="main", name="Main")
        top_up(
            actor=SYSTEM,
            tenant_id=organisation.pk,
            amount=Decimal(money),
            key=f"first:{code}",
            reference="test",
            now=NOW,
        )
    actor = Actor(
        kind=ActorKind.MEMBER,
        id=None,
        name=code,
        tenant_id=organisation.pk,
        permissions=MEMBER_ROLES[role],
    )
    return Customer(organisation, project, actor)


def catalogue_on_sale(*codes: str) -> None:
    """Chips, prices, the whole catalogue, and a few appliances of it on sale."""
    with operator_scope():
        load_chips(actor=SYSTEM, facts=read_seed())
        load_default_prices(actor=SYSTEM, now=NOW)
        load_seed(actor=SYSTEM, now=NOW)
        for code in codes or ("small-chat", "qa-standard", "edge-mini"):
            submit(actor=SYSTEM, code=code, now=NOW)
            certify(actor=SYSTEM, code=code, now=NOW)
            list_for_sale(actor=SYSTEM, code=code, now=NOW)


def pool(
    code: str = "desk", chip: str = "nvidia-h20", cards: int = 4, engine: str = "local"
) -> Pool:
    with operator_scope():
        if not Centre.objects.filter(code="home").exists():
            create_centre(actor=SYSTEM, code="home", name_en="Home", name_zh="本地")
        register_cluster(
            actor=SYSTEM,
            centre_code="home",
            code=f"{code}-cluster",
            name=code,
            engine=engine,
            connection={},
        )
        return create_pool(
            actor=SYSTEM,
            cluster_code=f"{code}-cluster",
            code=code,
            chip_code=chip,
            gres=code,
            name_en=code,
            name_zh=code,
            cards=cards,
            now=NOW - timedelta(days=1),
        )


def deployed(
    who: Customer, name: str = "chat", now: datetime = NOW, **fields: object
) -> Deployment:
    """The small model, asked for on demand."""
    with tenant_scope(who.organisation.pk):
        return deploy(
            actor=who.actor,
            project_id=who.project.pk,
            appliance_code="small-chat",
            name=name,
            pool_code="desk",
            now=now,
            **fields,  # type: ignore[arg-type]
        )


def engine_says(
    deployment: Deployment, state: WorkloadState, now: datetime = NOW, **fields: object
) -> None:
    """What compute writes down when its engine answers so."""
    with operator_scope():
        workload = Workload.objects.get(pk=deployment.workload_id)
        claim_workload(workload_id=workload.pk, now=now)
        record_observation(
            workload_id=workload.pk,
            observation=WorkloadObservation(
                key=workload.engine_key,
                state=state,
                generation=workload.generation,
                **fields,  # type: ignore[arg-type]
            ),
            now=now,
            answered=True,
        )


@factory(Deployment)
def deployment(world: World) -> Deployment:
    profile, _ = LaunchProfile.objects.get_or_create(
        code="factory",
        defaults={
            "runtime": "builtin",
            "image": "none",
            "command": "python",
            "health_path": "/health",
            "ready": "",
            "source": "test",
        },
    )
    appliance, _ = Appliance.objects.get_or_create(
        code="factory",
        defaults={
            "name_zh": "工厂",
            "name_en": "Factory",
            "category": "test",
            "api": "chat",
            "api_text": "/v1/chat/completions",
            "model": "factory",
            "resale": "allowed",
            "maturity": "test",
        },
    )
    version, _ = Version.objects.get_or_create(
        appliance=appliance,
        chip="",
        precision="fp32",
        defaults={
            "engine_kind": "local",
            "profile": profile,
            "min_cards": 1,
            "confidence": "measured",
        },
    )
    return Deployment.objects.create(
        tenant=world.organisation,
        project=world.one(Project),
        version=version,
        name=world.canary,
        served_model_name=world.canary,
        pool_code=f"{world.canary}-pool",
        chip="nvidia-h20",
        cards=1,
        until=datetime(2099, 1, 1, tzinfo=UTC),
        created_at=NOW,
        state_at=NOW,
        reason=world.canary,
    )
