"""POSTs already answered: the same key gives the same answer, in the effect's own transaction."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from tenants.models import IdempotencyKey
from tenants.permissions import Actor
from tenants.sealing import seal, unseal

KEPT_FOR = timedelta(days=30)


class RequestInFlight(DomainError):
    """The first request with this key is still at work."""

    code = "request_in_flight"
    status = 409
    retryable = True
    message = _("A request with this Idempotency-Key is still running; try again.")


class KeyReused(DomainError):
    """The key named another request."""

    code = "idempotency_key_reused"
    status = 422
    message = _("This Idempotency-Key was used for a different request.")


@dataclass(frozen=True)
class Replay:
    """The answer given the first time, byte for byte."""

    status: int
    body: bytes


def begin(*, actor: Actor, key: str, method: str, path: str, body_hash: bytes) -> Replay | None:
    """Start a request under a key, or give back what it was answered before.

    Locks: the key, until the caller's transaction ends; the effect and this row commit together,
    so a request that died half-way left neither.
    Raises: RequestInFlight, KeyReused.
    """
    tenant_id = _tenant_of(actor)
    if not _locked(f"{tenant_id}:{_ref(actor)}:{key}"):
        raise RequestInFlight
    known = IdempotencyKey.objects.filter(
        tenant_id=tenant_id, actor_ref=_ref(actor), key=key
    ).first()
    if known is None:
        IdempotencyKey.objects.create(
            tenant_id=tenant_id,
            actor_ref=_ref(actor),
            key=key,
            method=method,
            path=path[:500],
            body_hash=body_hash,
        )
        return None
    same = (known.method, known.path, bytes(known.body_hash)) == (method, path[:500], body_hash)
    if not same:
        raise KeyReused
    if known.status is None or known.sealed_answer is None:
        raise RequestInFlight
    return Replay(known.status, unseal(bytes(known.sealed_answer)))


def finish(*, actor: Actor, key: str, status: int, body: bytes) -> None:
    """Keep the answer beside the effect."""
    IdempotencyKey.objects.filter(
        tenant_id=_tenant_of(actor), actor_ref=_ref(actor), key=key, status=None
    ).update(status=status, sealed_answer=seal(body))


def forget_old_answers(*, now: datetime) -> int:
    """Drop answers older than thirty days; gives how many."""
    gone, _by_model = IdempotencyKey.objects.filter(created_at__lt=now - KEPT_FOR).delete()
    return gone


def _tenant_of(actor: Actor) -> UUID:
    if actor.tenant_id is None:
        raise ValueError("Only a tenant's actor sends idempotent requests.")
    return actor.tenant_id


def _ref(actor: Actor) -> str:
    return f"{actor.kind}:{actor.id}"


def _locked(name: str) -> bool:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (taken,) = cursor.fetchone()
    return bool(taken)
