"""Programs' keys: made once, shown once, taken back at once."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.errors import FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.models import ApiKey, Project
from tenants.naming import clean_future, clean_text
from tenants.permissions import (
    KEY_SCOPES,
    Actor,
    ActorKind,
    Permission,
    PermissionRefused,
    require,
)
from tenants.secrets import fingerprint, new_secret

USE_NOTED_EVERY = timedelta(minutes=1)
MODEL_LIMIT = 100


@transaction.atomic
def create_key(
    *,
    actor: Actor,
    tenant_id: UUID,
    name: str,
    scopes: Collection[str],
    project_id: UUID | None = None,
    allowed_models: Sequence[str] = (),
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key holding at most what its maker holds; the secret is given back this once only.

    Raises: PermissionRefused, InvalidInput, NotFound.
    """
    require(actor, Permission.KEY_MANAGE, tenant_id)
    if actor.project_id is not None:
        project_id = _same_project(actor.project_id, project_id)
    if project_id is not None:
        _open_project(tenant_id, project_id)
    secret = new_secret()
    key = ApiKey.objects.create(
        tenant_id=tenant_id,
        project_id=project_id,
        name=clean_text(name, pointer="/name"),
        prefix=secret[:12],
        last_four=secret[-4:],
        key_hash=fingerprint(secret),
        scopes=_granted(actor, scopes),
        allowed_models=_models(allowed_models),
        expires_at=_expiry(actor, expires_at, now),
        requests_per_minute=requests_per_minute,
        created_by_id=actor.id if actor.kind == ActorKind.MEMBER else None,
    )
    record(
        actor,
        "tenants.key.created",
        subject=f"tenants.apikey:{key.pk}",
        tenant_id=tenant_id,
        detail={"name": key.name, "scopes": key.scopes, "last_four": key.last_four},
    )
    return key, secret


@transaction.atomic
def revoke_key(*, actor: Actor, tenant_id: UUID, key_id: UUID, now: datetime) -> None:
    """Take a key back; the next request with it is refused.

    Raises: PermissionRefused, NotFound.
    Idempotent: a revoked key stays revoked since when it was.
    """
    require(actor, Permission.KEY_MANAGE, tenant_id)
    rows = ApiKey.objects.filter(pk=key_id, tenant_id=tenant_id)
    if actor.project_id is not None:
        rows = rows.filter(project_id=actor.project_id)
    if not rows.exists():
        raise NotFound
    if rows.filter(revoked_at=None).update(revoked_at=now):
        record(
            actor, "tenants.key.revoked", subject=f"tenants.apikey:{key_id}", tenant_id=tenant_id
        )


def note_use(*, key_id: UUID, now: datetime) -> None:
    """Remember that a key was used, at most once a minute so that a busy key costs few writes."""
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    ApiKey.objects.filter(stale, pk=key_id).update(last_used_at=now)


def _granted(actor: Actor, scopes: Collection[str]) -> list[str]:
    known = {permission.value for permission in KEY_SCOPES}
    if not scopes:
        detail = _("Choose at least one permission.")
        raise InvalidInput(errors=[FieldError("/scopes", "required", detail)])
    unknown = sorted(set(scopes) - known)
    if unknown:
        detail = _("A key cannot hold this permission.")
        raise InvalidInput(errors=[FieldError("/scopes", "unknown_scope", detail)])
    wanted = {Permission(scope) for scope in scopes}
    held = set(actor.permissions)
    if actor.kind == ActorKind.API_KEY:
        held.discard(Permission.KEY_MANAGE)
    if not wanted <= held:
        raise PermissionRefused
    return sorted(wanted)


def _models(names: Sequence[str]) -> list[str]:
    if len(names) > MODEL_LIMIT:
        detail = _("Name at most 100 models.")
        raise InvalidInput(errors=[FieldError("/allowed_models", "too_many", detail)])
    return sorted({clean_text(name, pointer="/allowed_models") for name in names})


def _same_project(own: UUID, asked: UUID | None) -> UUID:
    if asked is not None and asked != own:
        raise NotFound
    return own


def _open_project(tenant_id: UUID, project_id: UUID) -> None:
    if not Project.objects.filter(pk=project_id, tenant_id=tenant_id, archived_at=None).exists():
        raise NotFound


def _expiry(actor: Actor, asked: datetime | None, now: datetime) -> datetime | None:
    """A key made by a key ends with it at the latest."""
    if asked is not None:
        clean_future(asked, now=now, pointer="/expires_at")
    if actor.kind != ActorKind.API_KEY or actor.id is None:
        return asked
    own = ApiKey.objects.filter(pk=actor.id).values_list("expires_at", flat=True).first()
    ends = [instant for instant in (own, asked) if instant is not None]
    return min(ends) if ends else None
