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

SALT = "portal.gateway.snapshot"


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


@dataclass(frozen=True)
class Snapshot:
    """Everything a request is decided by, as of one instant; never changed, only replaced."""

    taken_at: datetime
    grants: Mapping[bytes, Grant]
    targets: Mapping[tuple[UUID, str], Target]
    spenders: frozenset[UUID] = field(default_factory=frozenset)

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
) -> Snapshot:
    return Snapshot(
        taken_at=taken_at,
        grants=dict(grants),
        targets={(target.tenant_id, target.model): target for target in targets},
        spenders=frozenset(spenders),
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
                }
                for target in snapshot.targets.values()
            ],
            "spenders": sorted(str(tenant) for tenant in snapshot.spenders),
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
            )
            for row in content["targets"]
        ],
        spenders=[UUID(tenant) for tenant in content["spenders"]],
    )
