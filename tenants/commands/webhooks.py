"""Addresses of a tenant's programs: made, changed, switched, given a new secret, removed."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants import notices
from tenants.audit import record
from tenants.commands.deliveries import fail_pending
from tenants.locks import lock_organisation
from tenants.models import WebhookEndpoint
from tenants.models.webhooks import ENDPOINT_TRANSITIONS, EndpointState
from tenants.naming import clean_text
from tenants.permissions import Actor, Permission, require
from tenants.sealing import seal
from tenants.webhooks.addresses import TargetRefused, judged
from tenants.webhooks.signing import new_secret

ENDPOINT_LIMIT = 20
DESCRIPTION_LENGTH = 200
# How long the secret before the present one signs too.
OVERLAP = timedelta(hours=24)

_WHY_NOT = {
    "malformed": _("This is not an address that can be called."),
    "not_https": _("The address must begin with https://."),
    "port": _("Only the ports 443 and 8443 can be called."),
    "unresolved": _("No such host was found."),
    "private_address": _("This host is not on the public Internet."),
}


class EndpointLimitReached(DomainError):
    """The tenant has as many endpoints as it may have."""

    code = "webhook_limit_reached"
    status = 409
    message = _("There can be at most %(limit)s webhook addresses.")


class EndpointMoved(DomainError):
    """The endpoint is not in a state that this can be done in."""

    code = "webhook_state_changed"
    status = 409
    message = _("The webhook address is in another state by now.")


@transaction.atomic
def create_endpoint(
    *,
    actor: Actor,
    tenant_id: UUID,
    url: str,
    description: str = "",
    event_types: Collection[str] = (),
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """Let a program hear of notices; the secret is given back this once only.

    Locks: the organisation, so that the limit holds beside a second session; the name is looked
    up before that.
    Raises: PermissionRefused, InvalidInput, EndpointLimitReached.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    said = _said(url=url, description=description, event_types=event_types)
    lock_organisation(tenant_id)
    standing = WebhookEndpoint.objects.filter(tenant_id=tenant_id)
    if standing.exclude(state=EndpointState.REMOVED).count() >= ENDPOINT_LIMIT:
        raise EndpointLimitReached(limit=ENDPOINT_LIMIT)
    secret = new_secret()
    endpoint = WebhookEndpoint.objects.create(
        tenant_id=tenant_id, sealed_secret=seal(secret.encode()), created_at=now, **said
    )
    _note(actor, endpoint, "created", **said)
    return endpoint, secret


@transaction.atomic
def change_endpoint(
    *,
    actor: Actor,
    tenant_id: UUID,
    endpoint_id: UUID,
    url: str | None = None,
    description: str | None = None,
    event_types: Collection[str] | None = None,
) -> WebhookEndpoint:
    """Change what is given and leave the rest; waiting deliveries go to the new address.

    Raises: PermissionRefused, NotFound, InvalidInput.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    endpoint = found(tenant_id, endpoint_id)
    said = _said(url=url, description=description, event_types=event_types)
    changed = {name: value for name, value in said.items() if value != getattr(endpoint, name)}
    if changed:
        rows = WebhookEndpoint.objects.filter(pk=endpoint_id, tenant_id=tenant_id)
        if not rows.exclude(state=EndpointState.REMOVED).update(**changed):
            raise NotFound
        _note(actor, endpoint, "changed", **changed)
    return found(tenant_id, endpoint_id)


@transaction.atomic
def switch_endpoint(
    *, actor: Actor, tenant_id: UUID, endpoint_id: UUID, enabled: bool, now: datetime
) -> WebhookEndpoint:
    """Begin or stop delivering; what waited when it was stopped counts as failed.

    Raises: PermissionRefused, NotFound.
    Idempotent: an enabled one stays enabled, a disabled one disabled.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    endpoint = found(tenant_id, endpoint_id)
    state = EndpointState.ENABLED if enabled else EndpointState.DISABLED
    if endpoint.state != state and move(endpoint=endpoint, state=state, now=now):
        _note(actor, endpoint, "enabled" if enabled else "disabled")
    return found(tenant_id, endpoint_id)


@transaction.atomic
def remove_endpoint(*, actor: Actor, tenant_id: UUID, endpoint_id: UUID, now: datetime) -> None:
    """Forget an address and its secrets; its delivery log stays.

    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    endpoint = found(tenant_id, endpoint_id)
    if not move(endpoint=endpoint, state=EndpointState.REMOVED, now=now):
        raise EndpointMoved
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(
        sealed_secret=b"", sealed_previous_secret=None, previous_secret_until=None
    )
    _note(actor, endpoint, "removed")


@transaction.atomic
def rotate_secret(
    *, actor: Actor, tenant_id: UUID, endpoint_id: UUID, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret, shown this once; the one before signs too for a day.

    Locks: the endpoint's row, so that of two rotations the second one's overlap is the first's.
    Raises: PermissionRefused, NotFound.
    """
    require(actor, Permission.WEBHOOK_MANAGE, tenant_id)
    endpoint = (
        WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk=endpoint_id, tenant_id=tenant_id)
        .exclude(state=EndpointState.REMOVED)
        .first()
    )
    if endpoint is None:
        raise NotFound
    secret = new_secret()
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(
        sealed_secret=seal(secret.encode()),
        sealed_previous_secret=bytes(endpoint.sealed_secret),
        previous_secret_until=now + OVERLAP,
    )
    _note(actor, endpoint, "rotated")
    return found(tenant_id, endpoint_id), secret


def move(
    *, endpoint: WebhookEndpoint, state: EndpointState, now: datetime, reason: str = ""
) -> bool:
    """Bring an endpoint into a state; False where it has left the states that lead there."""
    moved = WebhookEndpoint.objects.filter(
        pk=endpoint.pk, state__in=ENDPOINT_TRANSITIONS[state]
    ).update(state=state, state_reason=reason, failing_since=None)
    if moved and state != EndpointState.ENABLED:
        fail_pending(endpoint_id=endpoint.pk, now=now)
    return bool(moved)


def found(tenant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """One endpoint that was not removed. Raises: NotFound."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint_id, tenant_id=tenant_id)
    endpoint = rows.exclude(state=EndpointState.REMOVED).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def _said(
    *,
    url: str | None,
    description: str | None,
    event_types: Collection[str] | None,
) -> dict[str, object]:
    """What was given of an endpoint, checked."""
    said: dict[str, object] = {}
    if description is not None:
        said["description"] = clean_text(
            description, pointer="/description", limit=DESCRIPTION_LENGTH, required=False
        )
    if event_types is not None:
        said["event_types"] = _known_types(event_types)
    if url is not None:
        said["url"] = _callable(url.strip())
    return said


def _known_types(event_types: Collection[str]) -> list[str]:
    if set(event_types) - set(notices.declared()):
        detail = _("There is no such event type.")
        raise InvalidInput(errors=[FieldError("/event_types", "unknown_event_type", detail)])
    return sorted(set(event_types))


def _callable(url: str) -> str:
    try:
        judged(url)
    except TargetRefused as refusal:
        detail = _WHY_NOT[refusal.reason]
        raise InvalidInput(errors=[FieldError("/url", refusal.reason, detail)]) from refusal
    return url


def _note(actor: Actor, endpoint: WebhookEndpoint, act: str, **detail: object) -> None:
    record(
        actor,
        f"tenants.webhook.{act}",
        subject=f"tenants.webhookendpoint:{endpoint.pk}",
        tenant_id=endpoint.tenant_id,
        detail=detail,
    )
