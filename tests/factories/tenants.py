"""Rows of the tenants app."""

import hashlib
from datetime import UTC, datetime, timedelta

from tenants.models import (
    ApiKey,
    AuditEntry,
    IdempotencyKey,
    Invitation,
    Membership,
    Notice,
    NoticeMail,
    OperatorAccess,
    Organisation,
    Project,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.permissions import KEY_SCOPES
from tenants.scoping import operator_scope
from tenants.sealing import seal
from tenants.secrets import fingerprint, new_secret
from tenants.webhooks import signing
from tests.factories import World, factory

PASSWORD = "correct horse battery staple"


def user(email: str, **fields: object) -> User:
    """A person who can sign in with PASSWORD."""
    return User.objects.create_user(email, PASSWORD, **fields)


def member(organisation: Organisation, role: str, name: str = "") -> User:
    """A person with this role in this tenant."""
    person = user(f"{name or role}@{organisation.code}.example", display_name=name or role)
    with operator_scope():
        Membership.objects.create(tenant=organisation, user=person, role=role)
    return person


def operator(role: str) -> User:
    """One of the centre's own staff."""
    return user(f"{role}@centre.example", operator_role=role)


def key(
    organisation: Organisation, scopes: set[str] | None = None, **fields: object
) -> tuple[ApiKey, str]:
    """A program's key and its secret; without ``scopes`` it may do all a key may."""
    secret = new_secret()
    names = sorted(scopes if scopes is not None else {scope.value for scope in KEY_SCOPES})
    with operator_scope():
        row = ApiKey.objects.create(
            tenant=organisation,
            name=f"CANARY-{organisation.code} key",
            prefix=secret[:12],
            last_four=secret[-4:],
            key_hash=fingerprint(secret),
            scopes=names,
            **fields,
        )
    return row, secret


@factory(Project)
def project(world: World) -> Project:
    return Project.objects.create(
        tenant=world.organisation, code="main", name=f"{world.canary} project"
    )


@factory(Membership)
def membership(world: World) -> Membership:
    person = user(f"first@{world.code}.example", display_name=f"{world.canary} owner")
    return Membership.objects.create(tenant=world.organisation, user=person, role="owner")


@factory(Invitation)
def invitation(world: World) -> Invitation:
    return Invitation.objects.create(
        tenant=world.organisation,
        email=f"{world.canary.lower()}@invited.example",
        role="viewer",
        token_hash=hashlib.sha256(world.canary.encode()).digest(),
        invited_by=world.one(Membership).user,
        expires_at=datetime.now(UTC) + timedelta(days=7),
    )


@factory(ApiKey)
def api_key(world: World) -> ApiKey:
    row, _secret = key(world.organisation, project=world.one(Project))
    return row


@factory(OperatorAccess)
def operator_access(world: World) -> OperatorAccess:
    starts_at = datetime.now(UTC) - timedelta(hours=5)
    return OperatorAccess.objects.create(
        tenant=world.organisation,
        operator=user(f"visitor@{world.code}.centre.example", operator_role="support"),
        reason=f"{world.canary} asked",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=30),
    )


@factory(IdempotencyKey)
def idempotency_key(world: World) -> IdempotencyKey:
    return IdempotencyKey.objects.create(
        tenant=world.organisation,
        key=world.canary,
        actor_ref="api_key:x",
        method="POST",
        path="/api/v1/projects",
        body_hash=hashlib.sha256(b"").digest(),
        status=201,
        sealed_answer=seal(world.canary.encode()),
    )


@factory(AuditEntry)
def audit_entry(world: World) -> AuditEntry:
    return AuditEntry.objects.create(
        tenant=world.organisation,
        actor_kind="member",
        actor_name=world.canary,
        action="tenants.project.created",
        subject="tenants.project:x",
        detail={"name": world.canary},
    )


@factory(Notice)
def notice(world: World) -> Notice:
    return Notice.objects.create(
        tenant=world.organisation,
        kind="webhook.tested",
        key=f"{world.canary} told",
        detail={"by": world.canary},
        roles=["owner"],
        at=datetime.now(UTC),
    )


@factory(NoticeMail)
def notice_mail(world: World) -> NoticeMail:
    return NoticeMail.objects.create(
        tenant=world.organisation,
        notice=world.one(Notice),
        user=world.one(Membership).user,
        created_at=datetime.now(UTC),
    )


@factory(WebhookEndpoint)
def webhook_endpoint(world: World) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        tenant=world.organisation,
        # An address literal, so that nobody asks a name server for it.
        url=f"https://1.1.1.1/{world.canary}",
        description=f"{world.canary} ledger",
        sealed_secret=seal(signing.new_secret().encode()),
        created_at=datetime.now(UTC),
    )


@factory(WebhookDelivery)
def webhook_delivery(world: World) -> WebhookDelivery:
    now = datetime.now(UTC)
    return WebhookDelivery.objects.create(
        tenant=world.organisation,
        endpoint=world.one(WebhookEndpoint),
        notice=world.one(Notice),
        message_id=f"msg_{world.canary}",
        event_type="webhook.disabled",
        body=f'{{"by":"{world.canary}"}}',
        state="failed",
        created_at=now,
        finished_at=now,
    )


@factory(WebhookAttempt)
def webhook_attempt(world: World) -> WebhookAttempt:
    return WebhookAttempt.objects.create(
        tenant=world.organisation,
        delivery=world.one(WebhookDelivery),
        number=1,
        at=datetime.now(UTC),
        duration_ms=12,
        outcome="refused",
        status=500,
        response_text=f"{world.canary} said no",
    )
