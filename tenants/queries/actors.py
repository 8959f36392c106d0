"""Who is asking: the one place where a person, an operator or a key becomes an Actor.

These run before a tenant is known, so each opens its own operator's scope.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.errors import NotFound
from tenants.models import (
    ApiKey,
    Membership,
    OperatorAccess,
    Organisation,
    OrganisationState,
    User,
)
from tenants.permissions import (
    LOOKING,
    MEMBER_ROLES,
    OPERATOR_ROLES,
    VISITOR,
    Actor,
    ActorKind,
    Permission,
    with_implied,
)
from tenants.scoping import operator_scope
from tenants.secrets import fingerprint, is_well_formed


@dataclass(frozen=True)
class KeyCaller:
    """A program that proved its key, and how often it may ask."""

    actor: Actor
    requests_per_minute: int | None


@dataclass(frozen=True)
class Place:
    """One tenant a person may enter, as the switcher shows it."""

    code: str
    name: str


def member_actor(*, user: User, tenant_code: str) -> tuple[Actor, Organisation]:
    """What this person may do in the tenant of that code.

    Raises: NotFound when there is no such tenant, it is closed, or the person does not belong.
    """
    actor, tenant, _places = member_places(user=user, tenant_code=tenant_code)
    return actor, tenant


def member_places(*, user: User, tenant_code: str) -> tuple[Actor, Organisation, tuple[Place, ...]]:
    """As ``member_actor``, with all tenants of this person by name: one statement for a page.

    Raises: NotFound.
    """
    with operator_scope():
        rows = list(
            Membership.objects.select_related("tenant")
            .filter(user_id=user.pk, user__is_active=True)
            .exclude(tenant__state=OrganisationState.CLOSED)
            .order_by("tenant__name", "tenant_id")
        )
    member = next((row for row in rows if row.tenant.code == tenant_code), None)
    if member is None:
        raise NotFound
    actor = Actor(
        kind=ActorKind.MEMBER,
        id=user.pk,
        name=str(user),
        tenant_id=member.tenant_id,
        permissions=_left_to(member.tenant, MEMBER_ROLES[member.role]),
    )
    return actor, member.tenant, tuple(Place(row.tenant.code, row.tenant.name) for row in rows)


def visitor_actor(*, user: User, tenant_code: str, now: datetime) -> tuple[Actor, Organisation]:
    """What an operator on a running visit may see of a tenant.

    Raises: NotFound without such a visit.
    """
    if not user.is_operator:
        raise NotFound
    with operator_scope():
        visit = (
            OperatorAccess.objects.select_related("tenant")
            .filter(
                operator_id=user.pk,
                tenant__code=tenant_code,
                starts_at__lte=now,
                ends_at__gt=now,
            )
            .first()
        )
    if visit is None:
        raise NotFound
    actor = Actor(
        kind=ActorKind.OPERATOR,
        id=user.pk,
        name=str(user),
        tenant_id=visit.tenant_id,
        permissions=VISITOR,
        on_behalf_of=visit.tenant_id,
    )
    return actor, visit.tenant


def operator_actor(user: User) -> Actor:
    """What this person may do for the centre.

    Raises: NotFound for everybody who is not an operator.
    """
    if not user.is_operator:
        raise NotFound
    return Actor(
        kind=ActorKind.OPERATOR,
        id=user.pk,
        name=str(user),
        tenant_id=None,
        permissions=OPERATOR_ROLES[user.operator_role],
    )


def key_actor(secret: str, now: datetime) -> Actor | None:
    """The program behind a key, or None for anything that is not a key in force."""
    caller = key_caller(secret, now)
    return caller.actor if caller is not None else None


def key_caller(secret: str, now: datetime) -> KeyCaller | None:
    """The program behind a key, with its rate; None for anything that is not a key in force."""
    if not is_well_formed(secret):
        return None
    wanted = fingerprint(secret)
    with operator_scope():
        key = ApiKey.objects.select_related("tenant").filter(key_hash=wanted).first()
    if key is None or not hmac.compare_digest(bytes(key.key_hash), wanted):
        return None
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    if key.tenant.state == OrganisationState.CLOSED:
        return None
    actor = Actor(
        kind=ActorKind.API_KEY,
        id=key.pk,
        name=key.name,
        tenant_id=key.tenant_id,
        permissions=_left_to(
            key.tenant, with_implied(frozenset(Permission(name) for name in key.scopes))
        ),
        project_id=key.project_id,
    )
    return KeyCaller(actor, key.requests_per_minute)


def _left_to(tenant: Organisation, permissions: frozenset[Permission]) -> frozenset[Permission]:
    """All of it, or only looking while the tenant is suspended."""
    return permissions if tenant.state == OrganisationState.ACTIVE else permissions & LOOKING


def person(user_id: UUID) -> User | None:
    """The active person with this id."""
    return User.objects.filter(pk=user_id, is_active=True).first()
