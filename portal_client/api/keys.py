"""Keys.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from portal_client.calls import Call, Pages, body_of, key_for, path
from portal_client.transport import Transport

Scopes = Literal[
    "appliances:catalogue:read",
    "appliances:deployment:create",
    "appliances:deployment:read",
    "appliances:deployment:stop",
    "appliances:model:call",
    "billing:budget:manage",
    "billing:budget:read",
    "billing:contract:read",
    "billing:cost_export:read",
    "billing:dispute:open",
    "billing:fapiao:read",
    "billing:fapiao:request",
    "billing:funds:hold",
    "billing:invoice:read",
    "billing:price:read",
    "billing:usage:correct",
    "billing:usage:ingest",
    "billing:usage:read",
    "billing:voucher:apply",
    "billing:wallet:read",
    "compute:pool:read",
    "compute:reservation:cancel",
    "compute:reservation:create",
    "compute:reservation:read",
    "tenants:audit:read",
    "tenants:key:manage",
    "tenants:key:read",
    "tenants:member:read",
    "tenants:notice:read",
    "tenants:organisation:read",
    "tenants:project:manage",
    "tenants:project:read",
    "tenants:webhook:manage",
    "tenants:webhook:read",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """``KeyOut`` of the API."""

    id: UUID
    name: str
    prefix: str
    last_four: str
    scopes: tuple[str, ...]
    project_id: UUID | None
    allowed_models: tuple[str, ...]
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """``NewKeyOut`` of the API."""

    id: UUID
    name: str
    prefix: str
    last_four: str
    scopes: tuple[str, ...]
    project_id: UUID | None
    allowed_models: tuple[str, ...]
    requests_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    # Shown this once; keep it.
    secret: str


class KeysApi:
    """The operations of ``/api/v1/keys``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Key]:
        """List the keys, newest first, revoked ones too; never their secrets.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: tenants:key:read.
        """
        return self._transport.pages(Key, Call("GET", path("keys"), query={"limit": limit}), cursor)

    def create(
        self,
        *,
        name: str,
        scopes: Sequence[Scopes],
        project_id: UUID | None = None,
        allowed_models: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        requests_per_minute: int | None = None,
        idempotency_key: str | None = None,
    ) -> NewKey:
        """Make a key; its secret is in this answer only.

        ``scopes``: At most what the asking key holds itself.
        ``project_id``: Narrow the key to one project; what is the whole organisation's, such
        as invoices and the wallet, is then refused whatever the scopes.
        ``allowed_models``: Models the gateway lets this key call; none named means all.
        ``idempotency_key``: The same key gives the same answer; made where none is given.

        Scope: tenants:key:manage.
        """
        return self._transport.answer(
            NewKey,
            Call(
                "POST",
                path("keys"),
                body=body_of(
                    {"name": name, "scopes": scopes},
                    {
                        "project_id": project_id,
                        "allowed_models": allowed_models,
                        "expires_at": expires_at,
                        "requests_per_minute": requests_per_minute,
                    },
                ),
                has_body=True,
                key=key_for(idempotency_key),
            ),
        )

    def delete(self, key_id: UUID | str) -> None:
        """Revoke a key; its next request is refused.

        Scope: tenants:key:manage.
        """
        self._transport.nothing(Call("DELETE", path("keys", key_id)))
