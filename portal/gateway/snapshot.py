"""What the gateway knows while nobody answers it: keys, routes and who may spend.

The snapshot lives in memory, is replaced whole by the refresher, and is kept on disk with a seal,
so that a gateway started while the database is down serves from where it left off.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

from billing.money import CURRENCY
from portal.gateway import money_file
from portal.gateway.money import CallPrice, Funds, Limit, Money

SALT = "portal.gateway.snapshot"
ON_DEMAND, RESERVED = "on_demand", "reserved"


@dataclass(frozen=True)
class Grant:
    """What one key may do; the key itself is known only by its SHA-256."""

    key_id: UUID
    tenant_id: UUID
    project_id: UUID | None
    scopes: frozenset[str]
    allowed_models: frozenset[str]
    expires_at: datetime | None
    requests_per_minute: int | None


@dataclass(frozen=True)
class Target:
    """A model server that answers one tenant's calls to one model name."""

    tenant_id: UUID
    project_id: UUID
    model: str
    deployment_id: UUID
    endpoint: str
    api: str
    ready_at: datetime
    is_reserved: bool = False

    @property
    def resource_class(self) -> str:
        return RESERVED if self.is_reserved else ON_DEMAND


@dataclass(frozen=True)
class Frozen:
    """A tenant whose models are stopped for arrears.

    Shape: ``classes`` are those stopped; ``code`` is the refusal's, ``until`` how long what was
    stopped is kept (None once it was given up).
    """

    code: str
    classes: frozenset[str]
    amount_needed: str
    until: datetime | None
    currency: str = CURRENCY


@dataclass(frozen=True)
class Snapshot:
    """Everything a request is decided by, as of one instant; never changed, only replaced."""

    taken_at: datetime
    grants: Mapping[bytes, Grant]
    targets: Mapping[tuple[UUID, str], Target]
    spenders: frozenset[UUID] = field(default_factory=frozenset)
    frozen: Mapping[UUID, Frozen] = field(default_factory=dict)
    prices: Mapping[UUID, CallPrice] = field(default_factory=dict)
    limits: Mapping[UUID, tuple[Limit, ...]] = field(default_factory=dict)
    funds: Mapping[UUID, Funds] = field(default_factory=dict)

    def grant_for(self, secret: bytes) -> Grant | None:
        """Looked up by hash, so no comparison with a secret can leak its time."""
        return self.grants.get(hashlib.sha256(secret).digest())

    def models_of(self, grant: Grant) -> list[Target]:
        """What the key may call, by name."""
        return sorted(
            (
                target
                for target in self.targets.values()
                if target.tenant_id == grant.tenant_id
                and grant.project_id in (None, target.project_id)
                and (not grant.allowed_models or target.model in grant.allowed_models)
            ),
            key=lambda target: target.model,
        )


def build(
    *,
    taken_at: datetime,
    grants: Iterable[tuple[bytes, Grant]],
    targets: Iterable[Target],
    spenders: Iterable[UUID],
    frozen: Mapping[UUID, Frozen] | None = None,
    money: Money = Money(),  # noqa: B008 - it never changes
) -> Snapshot:
    return Snapshot(
        taken_at=taken_at,
        grants=dict(grants),
        targets={(target.tenant_id, target.model): target for target in targets},
        spenders=frozenset(spenders),
        frozen=dict(frozen or {}),
        prices=money.prices,
        limits=money.limits,
        funds=money.funds,
    )


def save(snapshot: Snapshot, path: Path) -> None:
    """Replace the file at once, readable by its owner only; a torn write leaves the old one.

    Raises: OSError.
    """
    content = _dump(snapshot)
    seal = salted_hmac(SALT, content, algorithm="sha256").hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{seal}\n{content}")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def load(path: Path) -> Snapshot | None:
    """The snapshot last saved; None where there is none, or its seal does not fit."""
    try:
        seal, _, content = path.read_text(encoding="utf-8").partition("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    if not constant_time_compare(seal, salted_hmac(SALT, content, algorithm="sha256").hexdigest()):
        return None
    return _parse(json.loads(content))


def _dump(snapshot: Snapshot) -> str:
    return json.dumps(
        {
            "taken_at": snapshot.taken_at.isoformat(),
            "grants": [
                {
                    "hash": key_hash.hex(),
                    "key": str(grant.key_id),
                    "tenant": str(grant.tenant_id),
                    "project": str(grant.project_id) if grant.project_id else None,
                    "scopes": sorted(grant.scopes),
                    "models": sorted(grant.allowed_models),
                    "expires_at": grant.expires_at.isoformat() if grant.expires_at else None,
                    "rpm": grant.requests_per_minute,
                }
                for key_hash, grant in snapshot.grants.items()
            ],
            "targets": [
                {
                    "tenant": str(target.tenant_id),
                    "project": str(target.project_id),
                    "model": target.model,
                    "deployment": str(target.deployment_id),
                    "endpoint": target.endpoint,
                    "api": target.api,
                    "ready_at": target.ready_at.isoformat(),
                    "reserved": target.is_reserved,
                }
                for target in snapshot.targets.values()
            ],
            "spenders": sorted(str(tenant) for tenant in snapshot.spenders),
            "frozen": {
                str(tenant): {
                    "code": one.code,
                    "classes": sorted(one.classes),
                    "amount_needed": one.amount_needed,
                    "currency": one.currency,
                    "until": one.until.isoformat() if one.until else None,
                }
                for tenant, one in snapshot.frozen.items()
            },
            **money_file.dumped(snapshot.prices, snapshot.limits, snapshot.funds),
        }
    )


# The parsed file: its seal was checked, so its shape is the one written above.
def _parse(content: Mapping[str, Any]) -> Snapshot:
    return build(
        taken_at=datetime.fromisoformat(content["taken_at"]),
        grants=[
            (
                bytes.fromhex(row["hash"]),
                Grant(
                    key_id=UUID(row["key"]),
                    tenant_id=UUID(row["tenant"]),
                    project_id=UUID(row["project"]) if row["project"] else None,
                    scopes=frozenset(row["scopes"]),
                    allowed_models=frozenset(row["models"]),
                    expires_at=(
                        datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None
                    ),
                    requests_per_minute=row["rpm"],
                ),
            )
            for row in content["grants"]
        ],
        targets=[
            Target(
                tenant_id=UUID(row["tenant"]),
                project_id=UUID(row["project"]),
                model=row["model"],
                deployment_id=UUID(row["deployment"]),
                endpoint=row["endpoint"],
                api=row["api"],
                ready_at=datetime.fromisoformat(row["ready_at"]),
                # A file that an older gateway left says neither this nor who is frozen.
                is_reserved=row.get("reserved", False),
            )
            for row in content["targets"]
        ],
        spenders=[UUID(tenant) for tenant in content["spenders"]],
        frozen={
            UUID(tenant): Frozen(
                code=one["code"],
                classes=frozenset(one["classes"]),
                amount_needed=one["amount_needed"],
                until=datetime.fromisoformat(one["until"]) if one["until"] else None,
                currency=one.get("currency", CURRENCY),
            )
            for tenant, one in content.get("frozen", {}).items()
        },
        money=money_file.parsed(content),
    )
