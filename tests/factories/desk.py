"""A centre that sells by the API: pools, prices, a catalogue, and tenants with keys and money.

Everything stands relative to the present, because what comes in over HTTP is dated by the clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from appliances.commands.catalogue import list_everything_sellable, load_seed
from billing.commands.prices import load_default_prices
from billing.commands.wallet import set_credit_limit
from common.clock import utc_now
from common.period import floor_hour
from compute.commands.chips import load_chips
from compute.commands.sites import create_centre, create_pool, register_cluster
from compute.models import Centre
from tenants.models import Organisation, Project
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories import compute, tenants
from tests.factories.lately import lately
from tests.factories.program import Program

POOL = "h20"
HOUR = timedelta(hours=1)
LONG = timedelta(days=400)


@dataclass(kw_only=True)
class Customer(Program):
    """A tenant's program, and whose it is."""

    organisation: Organisation
    project: Project


def open_desk(cards: int = 16, pool: str = POOL) -> None:
    """Chips, prices, the catalogue on sale, and one pool behind the embedded engine's name."""
    now = utc_now()
    with operator_scope():
        load_chips(actor=SYSTEM, facts=compute.seed())
        load_default_prices(actor=SYSTEM, now=now - LONG)
        load_seed(actor=SYSTEM, now=now)
        list_everything_sellable(actor=SYSTEM, now=now)
    open_pool(pool, cards=cards)


def open_pool(code: str, *, cards: int = 16, chip: str = "nvidia-h20") -> None:
    with operator_scope():
        if not Centre.objects.filter(code="home").exists():
            create_centre(actor=SYSTEM, code="home", name_en="Home", name_zh="本地")
        register_cluster(
            actor=SYSTEM,
            centre_code="home",
            code=f"{code}-cluster",
            name=code,
            engine="local",
            connection={},
        )
        create_pool(
            actor=SYSTEM,
            cluster_code=f"{code}-cluster",
            code=code,
            chip_code=chip,
            gres=code,
            name_en=f"{code} pool",
            name_zh=f"{code} 资源池",
            cards=cards,
            now=utc_now() - LONG,
        )


def program(code: str, credit: str = "1000000", scopes: set[str] | None = None) -> Customer:
    """A tenant with a project "main", credit, and a key that may do all a key may."""
    with operator_scope():
        organisation = Organisation.objects.create(code=code, name=code.title())
        project = Project.objects.create(tenant=organisation, code="main", name="Main")
        give_credit(organisation.pk, credit)
    _row, secret = tenants.key(organisation, scopes)
    return Customer(organisation=organisation, project=project, secret=secret)


def give_credit(tenant_id: UUID, amount: str) -> None:
    if Decimal(amount):
        set_credit_limit(actor=SYSTEM, tenant_id=tenant_id, amount=Decimal(amount), now=utc_now())


def minute(offset: timedelta = timedelta(0)) -> datetime:
    """The present minute and so much more."""
    return datetime.now(UTC).replace(second=0, microsecond=0) + offset


def written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def reservation_body(**changes: Any) -> dict[str, Any]:
    return {
        "project": "main",
        "pool": POOL,
        "cards": 2,
        "starts_at": written(minute(HOUR)),
        "ends_at": written(minute(3 * HOUR)),
        **changes,
    }


def deployment_body(**changes: Any) -> dict[str, Any]:
    """The small model on demand; a change to None leaves the member out."""
    body = {
        "project": "main",
        "appliance": "small-chat",
        "name": "helper-bot",
        "pool": POOL,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A CloudEvent that counts 1000 tokens in the hour an hour ago, or this month's first."""
    data = {
        "quantity": 1000,
        "dimensions": {"model": "tiny", "deployment": "d1", "key": "k1"},
        **changes.pop("data", {}),
    }
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "my-meter",
        "type": "appliances.tokens_in",
        "subject": "appliances.deployment:d1",
        # By the hour: said twice, it is the same event.
        "time": written(floor_hour(lately(HOUR))),
        "data": data,
        **changes,
    }
