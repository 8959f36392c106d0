"""Programs' keys; never their secrets."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.paging import Page, newest_first
from tenants.models import ApiKey, OrganisationState
from tenants.permissions import Actor, Permission, require
from tenants.scoping import operator_scope


@dataclass(frozen=True)
class KeyFact:
    """What the gateway must know of a key to decide without the database."""

    key_hash: bytes
    key_id: UUID
    tenant_id: UUID
    project_id: UUID | None
    scopes: frozenset[str]
    allowed_models: frozenset[str]
    expires_at: datetime | None
    requests_per_minute: int | None


def keys(
    *, actor: Actor, tenant_id: UUID, cursor: str | None = None, limit: int = 50
) -> Page[ApiKey]:
    """A tenant's keys, revoked ones too, newest first.

    Raises: PermissionRefused, InvalidInput.
    """
    require(actor, Permission.KEY_READ, tenant_id)
    rows = ApiKey.objects.select_related("project").filter(tenant_id=tenant_id)
    if actor.project_id is not None:
        rows = rows.filter(project_id=actor.project_id)
    return newest_first(rows, cursor=cursor, limit=limit)


def key_snapshot() -> tuple[KeyFact, ...]:
    """Every key in force of every active tenant; expiry is left to the reader's own clock."""
    with operator_scope():
        rows = ApiKey.objects.filter(
            revoked_at=None, tenant__state=OrganisationState.ACTIVE
        ).order_by("pk")
        return tuple(
            KeyFact(
                key_hash=bytes(row.key_hash),
                key_id=row.pk,
                tenant_id=row.tenant_id,
                project_id=row.project_id,
                scopes=frozenset(row.scopes),
                allowed_models=frozenset(row.allowed_models),
                expires_at=row.expires_at,
                requests_per_minute=row.requests_per_minute,
            )
            for row in rows.iterator()
        )


@dataclass(frozen=True)
class KeyName:
    """A key as lists of what it used say it."""

    id: UUID
    name: str
    last_four: str


def key_names(*, tenant_id: UUID, key_ids: Collection[UUID]) -> tuple[KeyName, ...]:
    """These keys of a tenant, revoked ones too; none where it is not the tenant's. One statement.

    Shape: who may read names is for the caller to ask.
    """
    rows = ApiKey.objects.filter(tenant_id=tenant_id, pk__in=key_ids).order_by("pk")
    return tuple(KeyName(row.pk, row.name, row.last_four) for row in rows)
