"""A centre to try the product on: one cluster, four chip models, two enterprises, two operators."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from appliances.commands.catalogue import list_everything_sellable, load_seed
from billing.commands.prices import load_default_prices
from compute.chips import read_seed
from compute.commands.chips import load_chips
from compute.commands.sites import create_centre, create_pool, register_cluster
from tenants.commands.keys import create_key
from tenants.commands.organisations import create_organisation
from tenants.commands.projects import create_project
from tenants.commands.users import create_operator, create_person
from tenants.permissions import KEY_SCOPES, SYSTEM
from tenants.scoping import operator_scope

CENTRE = "east-lake"
CLUSTER = "east-lake-1"
PROJECT = "assistant"


@dataclass(frozen=True)
class DemonstrationPool:
    """A pool, and the nodes the embedded engine declares for it."""

    code: str
    chip: str
    gres: str
    name_en: str
    name_zh: str
    nodes: int
    cards_per_node: int

    @property
    def cards(self) -> int:
        return self.nodes * self.cards_per_node


POOLS = (
    DemonstrationPool(
        "ascend-910b3", "ascend-910b3", "ascend910b", "Ascend 910B3", "昇腾 910B3", 6, 8
    ),
    DemonstrationPool("nvidia-h20", "nvidia-h20", "h20", "NVIDIA H20", "英伟达 H20", 4, 8),
    DemonstrationPool(
        "cambricon-mlu370",
        "cambricon-mlu370-x8",
        "mlu370",
        "Cambricon MLU370",
        "寒武纪 MLU370",
        3,
        8,
    ),
    DemonstrationPool("hygon-k100", "hygon-k100-ai", "dcu", "Hygon K100 AI", "海光 K100 AI", 3, 4),
)


@dataclass(frozen=True)
class Enterprise:
    code: str
    name: str
    legal_name: str
    credit_code: str
    owner: str


# Invented companies; the credit codes have the right form and belong to nobody.
ENTERPRISES = (
    Enterprise(
        "lakeside-robotics",
        "Lakeside Robotics 湖畔机器人",
        "湖畔机器人(示例)有限公司",
        "91420100MADEMO0010",
        "owner@lakeside-robotics.example",
    ),
    Enterprise(
        "yellow-crane-bio",
        "Yellow Crane Bio 黄鹤生物",
        "黄鹤生物(示例)有限公司",
        "91420100MADEMO0028",
        "owner@yellow-crane-bio.example",
    ),
)
OPERATORS = (
    ("admin@centre.example", "admin", "Operations"),
    ("finance@centre.example", "finance", "Finance"),
)


@dataclass(frozen=True)
class Built:
    """What was made, by whose sign-ins it is entered, and the first enterprise's API key."""

    sign_ins: Mapping[str, str]
    key: str


def build(*, engine: str, connection: Mapping[str, str], state: Path, now: datetime) -> Built:
    """Make the centre, or find the one made before; sign-ins are kept in one private file.

    Idempotent: the file is written last, in the same breath as the commit, and names what exists.
    """
    kept = state / "sign-ins.json"
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        return Built(sign_ins=found["sign_ins"], key=found["key"])
    with operator_scope():
        _catalogues(now)
        _site(engine=engine, connection=connection, now=now)
        sign_ins = _people()
        tenants = [_enterprise(enterprise) for enterprise in ENTERPRISES]
        _, key = create_key(
            actor=SYSTEM,
            tenant_id=tenants[0],
            name="main job",
            scopes=sorted(scope.value for scope in KEY_SCOPES),
            now=now,
        )
        built = Built(sign_ins=sign_ins, key=key)
        _keep(kept, built)
    return built


def local_connection(state: Path) -> dict[str, str]:
    """The embedded engine's settings for the demonstration's nodes."""
    nodes = [
        {"name": f"{pool.gres}-{number:03}", "gres": pool.gres, "cards": pool.cards_per_node}
        for pool in POOLS
        for number in range(1, pool.nodes + 1)
    ]
    return {"state_dir": str(state / "engine"), "nodes": json.dumps(nodes)}


def _catalogues(now: datetime) -> None:
    load_chips(actor=SYSTEM, facts=read_seed())
    load_default_prices(actor=SYSTEM, now=now)
    load_seed(actor=SYSTEM, now=now)
    list_everything_sellable(actor=SYSTEM, now=now)


def _site(*, engine: str, connection: Mapping[str, str], now: datetime) -> None:
    create_centre(actor=SYSTEM, code=CENTRE, name_en="East Lake Centre", name_zh="东湖智算中心")
    register_cluster(
        actor=SYSTEM,
        centre_code=CENTRE,
        code=CLUSTER,
        name="East Lake 1",
        engine=engine,
        connection=connection,
    )
    for pool in POOLS:
        create_pool(
            actor=SYSTEM,
            cluster_code=CLUSTER,
            code=pool.code,
            chip_code=pool.chip,
            gres=pool.gres,
            name_en=pool.name_en,
            name_zh=pool.name_zh,
            cards=pool.cards,
            now=now,
        )


def _people() -> dict[str, str]:
    sign_ins = {}
    for email, role, name in OPERATORS:
        sign_ins[email] = secrets.token_urlsafe(18)
        create_operator(
            actor=SYSTEM, email=email, role=role, password=sign_ins[email], display_name=name
        )
    for enterprise in ENTERPRISES:
        sign_ins[enterprise.owner] = secrets.token_urlsafe(18)
        create_person(actor=SYSTEM, email=enterprise.owner, password=sign_ins[enterprise.owner])
    return sign_ins


def _enterprise(enterprise: Enterprise) -> UUID:
    organisation = create_organisation(
        actor=SYSTEM,
        code=enterprise.code,
        name=enterprise.name,
        owner_email=enterprise.owner,
        legal_name=enterprise.legal_name,
        credit_code=enterprise.credit_code,
    )
    create_project(actor=SYSTEM, tenant_id=organisation.pk, code=PROJECT, name="Assistant 智能助手")
    return organisation.pk


def _keep(path: Path, built: Built) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    text = json.dumps({"sign_ins": dict(built.sign_ins), "key": built.key}, indent=1)
    path.write_text(text, encoding="utf-8")
