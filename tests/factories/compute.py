"""Centres, pools and tenants with money, made as the product makes them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from billing.commands.prices import load_default_prices
from billing.commands.wallet import set_credit_limit
from common.period import Period
from compute.chips import ChipFact, read_seed
from compute.commands.chips import load_chips
from compute.commands.sites import create_centre, create_pool, register_cluster
from compute.models import Centre, Pool
from tenants.models import Organisation, Project
from tenants.permissions import MEMBER_ROLES, OPERATOR_ROLES, SYSTEM, Actor, ActorKind
from tenants.scoping import operator_scope
from tests.factories.fake_engine import WORLDS

ENGINES = {"fake": "tests.factories.fake_engine.FakeEngine"}
# A whole hour, and far enough from month ends that nothing crosses one by accident.
NOW = datetime(2026, 11, 10, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Tenant:
    organisation: Organisation
    project: Project
    actor: Actor

    @property
    def id(self) -> object:
        return self.organisation.pk


def operator(role: str = "capacity") -> Actor:
    return Actor(
        kind=ActorKind.OPERATOR,
        id=None,
        name=f"operator-{role}",
        tenant_id=None,
        permissions=OPERATOR_ROLES[role],
    )


def make_tenant(code: str = "alice", money: str = "10000000", role: str = "owner") -> Tenant:
    """A tenant with a project, an owner, and credit."""
    with operator_scope():
        organisation = Organisation.objects.create(code=code, name=code.title())
        project = Project.objects.create(tenant=organisation, code="main", name="Main")
        if Decimal(money):
            set_credit_limit(
                actor=SYSTEM, tenant_id=organisation.pk, amount=Decimal(money), now=NOW
            )
    actor = Actor(
        kind=ActorKind.MEMBER,
        id=None,
        name=code,
        tenant_id=organisation.pk,
        permissions=MEMBER_ROLES[role],
    )
    return Tenant(organisation, project, actor)


@cache
def seed() -> tuple[ChipFact, ...]:
    """The chips, read once: the file is long."""
    return read_seed()


def make_catalogue() -> None:
    """Every chip of the seed, and the example price list."""
    with operator_scope():
        load_chips(actor=SYSTEM, facts=seed())
        load_default_prices(actor=SYSTEM, now=NOW)


def make_pool(
    code: str = "h20",
    chip: str = "nvidia-h20",
    cards: int = 8,
    centre: str = "east",
    classes: str = "on_demand",
) -> Pool:
    """A pool in a cluster of its own, behind a fake scheduler of the pool's name.

    Shape: ``classes`` are the service classes that the scheduler honours, with blanks between.
    """
    WORLDS.pop(code, None)
    with operator_scope():
        if not Centre.objects.filter(code=centre).exists():
            create_centre(actor=SYSTEM, code=centre, name_en="East", name_zh="东部")
        register_cluster(
            actor=SYSTEM,
            centre_code=centre,
            code=f"{code}-cluster",
            name=code,
            engine="fake",
            connection={"world": code, "classes": classes},
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
            now=NOW - timedelta(days=400),
        )


def hours(start: int, end: int) -> Period:
    """A period in whole hours after NOW."""
    return Period(NOW + start * HOUR, NOW + end * HOUR)
