"""Two tenants, a suspended one, and everybody who may try to look across."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test import Client

from tenants.models import OperatorAccess, User
from tenants.permissions import KEY_SCOPES, Permission
from tenants.scoping import operator_scope
from tests.access.table import EVERY_MEMBER, EVERY_OPERATOR
from tests.factories import World, full_world, tenant_models
from tests.factories.tenants import key, member, operator


@dataclass
class Browser:
    """Somebody with a signed-in browser, or a program with its key."""

    name: str
    client: Client
    role: str = ""
    scopes: frozenset[str] = frozenset()
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Stage:
    """The whole cast; ``alice`` is looked at, ``bob`` must not be seen or touched."""

    alice: World
    bob: World
    suspended: World
    anonymous: Browser
    members: list[Browser]
    stranger: Browser
    suspended_owner: Browser
    operators: list[Browser]
    visitor: Browser
    keys: list[Browser]
    full_key: Browser
    suspended_key: Browser
    dead_keys: list[Browser]


def build_stage() -> Stage:
    """Make everybody; the caller holds the transaction and rolls it back."""
    alice, bob = full_world("alice"), full_world("bob")
    suspended = full_world("sleeping", state="suspended")
    visitor = operator("support")
    _visit(alice, visitor)
    past = datetime.now(UTC) - timedelta(days=1)
    return Stage(
        alice=alice,
        bob=bob,
        suspended=suspended,
        anonymous=Browser("nobody", _client()),
        members=[
            _signed_in(role, member(alice.organisation, role), role)
            for role in sorted(EVERY_MEMBER)
        ],
        stranger=_signed_in("stranger", member(bob.organisation, "owner"), "owner"),
        suspended_owner=_signed_in(
            "suspended owner", member(suspended.organisation, "owner"), "owner"
        ),
        operators=[
            _signed_in(f"operator {role}", visitor if role == "support" else operator(role), role)
            for role in sorted(EVERY_OPERATOR)
        ],
        visitor=_signed_in("visitor", visitor, "visitor"),
        keys=[_program(alice, frozenset({scope.value})) for scope in sorted(KEY_SCOPES)],
        full_key=_program(alice, frozenset(scope.value for scope in KEY_SCOPES)),
        suspended_key=_program(suspended, frozenset(scope.value for scope in KEY_SCOPES)),
        dead_keys=[
            _program(alice, frozenset({Permission.PROJECT_READ.value}), revoked_at=past),
            _program(alice, frozenset({Permission.PROJECT_READ.value}), expires_at=past),
        ],
    )


def fingerprint(world: World) -> str:
    """One hash over every row of a tenant, read as an operator."""
    parts = [
        f"SELECT '{model._meta.db_table}' AS name, "
        f"md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS rows "
        f"FROM {model._meta.db_table} t WHERE tenant_id = %(tenant)s"
        for model in tenant_models()
    ]
    parts.append(
        "SELECT 'tenants_organisation', md5(t::text) FROM tenants_organisation t "
        "WHERE id = %(tenant)s"
    )
    statement = f"SELECT * FROM ({' UNION ALL '.join(parts)}) everything ORDER BY name"
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute(statement, {"tenant": world.organisation.pk})
        return hashlib.sha256(repr(cursor.fetchall()).encode()).hexdigest()


def _client() -> Client:
    return Client(raise_request_exception=False)


def _signed_in(name: str, person: User, role: str) -> Browser:
    client = _client()
    client.force_login(person)
    return Browser(name, client, role)


def _program(world: World, scopes: frozenset[str], **fields: datetime) -> Browser:
    _row, secret = key(world.organisation, set(scopes), **fields)
    name = "key " + (next(iter(scopes)) if len(scopes) == 1 else "of everything")
    headers = {"Authorization": f"Bearer {secret}"}
    return Browser(name, _client(), scopes=scopes, headers=headers)


def _visit(world: World, person: User) -> None:
    now = datetime.now(UTC)
    with operator_scope():
        OperatorAccess.objects.create(
            tenant=world.organisation,
            operator=person,
            reason="They asked for it.",
            starts_at=now - timedelta(minutes=1),
            ends_at=now + timedelta(minutes=50),
        )
