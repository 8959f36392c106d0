"""API keys: shown once, never stronger than their maker, gone at once."""

from datetime import timedelta

import pytest
from django.db import connection

from common.errors import InvalidInput, NotFound
from tenants.commands.keys import create_key, note_use, revoke_key
from tenants.commands.organisations import suspend
from tenants.models import ApiKey, Project
from tenants.permissions import KEY_SCOPES, LOOKING, Actor, Permission, PermissionRefused
from tenants.queries.actors import key_actor
from tenants.queries.keys import key_snapshot, keys
from tenants.scoping import operator_scope, tenant_scope
from tenants.secrets import fingerprint, is_well_formed, new_secret
from tests.tenants.conftest import NOW, Cast

READ = Permission.PROJECT_READ.value


def _make(cast: Cast, actor: Actor | None = None, **fields: object) -> tuple[ApiKey, str]:
    arguments: dict[str, object] = {"name": "nightly", "scopes": [READ], "now": NOW, **fields}
    with tenant_scope(cast.alice.pk):
        return create_key(actor=actor or cast.owner, tenant_id=cast.alice.pk, **arguments)


def test_a_secret_has_its_form_and_its_checksum() -> None:
    secret = new_secret()
    assert is_well_formed(secret)
    assert (len(secret), secret[:4], secret[36]) == (43, "acp_", "_")
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert not is_well_formed(wrong)
    assert not is_well_formed(secret + "\n")
    assert not is_well_formed("")


def test_the_secret_is_kept_as_its_hash_only(cast: Cast) -> None:
    key, secret = _make(cast)
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT k::text FROM tenants_apikey k WHERE id = %s", [key.pk])
        stored = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(a::text, '') FROM tenants_auditentry a")
        assert secret[4:36] not in stored + cursor.fetchone()[0]
    assert bytes(key.key_hash) == fingerprint(secret)
    assert (key.prefix, key.last_four) == (secret[:12], secret[-4:])


def test_a_key_becomes_its_actor(cast: Cast) -> None:
    key, secret = _make(cast, project_id=cast.project.pk)
    actor = key_actor(secret, NOW)
    assert actor is not None
    assert (actor.kind, actor.id, actor.tenant_id) == ("api_key", key.pk, cast.alice.pk)
    assert (actor.permissions, actor.project_id) == ({Permission.PROJECT_READ}, cast.project.pk)
    assert key_actor(new_secret(), NOW) is None
    assert key_actor("acp_nonsense", NOW) is None


def test_a_key_ends_with_its_time(cast: Cast) -> None:
    _key, secret = _make(cast, expires_at=NOW + timedelta(hours=1))
    assert key_actor(secret, NOW + timedelta(minutes=59)) is not None
    assert key_actor(secret, NOW + timedelta(hours=1)) is None


def test_a_revoked_key_is_out_at_once_and_for_good(cast: Cast) -> None:
    key, secret = _make(cast)
    with tenant_scope(cast.alice.pk):
        revoke_key(actor=cast.owner, tenant_id=cast.alice.pk, key_id=key.pk, now=NOW)
        revoke_key(
            actor=cast.owner,
            tenant_id=cast.alice.pk,
            key_id=key.pk,
            now=NOW + timedelta(days=1),
        )
        assert ApiKey.objects.get(pk=key.pk).revoked_at == NOW
    assert key_actor(secret, NOW) is None
    assert key_snapshot() == ()


def test_a_suspended_tenants_keys_only_look(cast: Cast) -> None:
    _key, secret = _make(cast, scopes=[scope.value for scope in KEY_SCOPES])
    with operator_scope():
        suspend(actor=cast.centre, tenant_id=cast.alice.pk, reason="Arrears")
    actor = key_actor(secret, NOW)
    assert actor is not None
    assert actor.permissions == KEY_SCOPES & LOOKING
    assert key_snapshot() == ()


def test_a_key_holds_no_more_than_its_maker(cast: Cast) -> None:
    weak = Actor(
        kind=cast.owner.kind,
        id=cast.owner.id,
        name="weak",
        tenant_id=cast.alice.pk,
        permissions=frozenset({Permission.KEY_MANAGE, Permission.PROJECT_READ}),
    )
    assert _make(cast, actor=weak)[0].scopes == [READ]
    with pytest.raises(PermissionRefused):
        _make(cast, actor=weak, scopes=[READ, Permission.USAGE_INGEST.value])
    with pytest.raises(PermissionRefused):
        _make(cast, actor=cast.actor("developer"))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["tenants:member:manage"]}, "/scopes"),
        ({"scopes": ["compute:pool:manage"]}, "/scopes"),
        ({"scopes": ["nonsense"]}, "/scopes"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"expires_at": NOW}, "/expires_at"),
        ({"allowed_models": ["m"] * 101}, "/allowed_models"),
        ({"allowed_models": ["a\x00"]}, "/allowed_models"),
    ],
)
def test_a_malformed_key_is_refused(cast: Cast, fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        _make(cast, **fields)
    assert [error.pointer for error in refusal.value.errors] == [pointer]
    with operator_scope():
        assert ApiKey.objects.count() == 0


def test_a_key_made_by_a_key_makes_no_more_and_ends_with_it(cast: Cast) -> None:
    end = NOW + timedelta(days=2)
    _first, secret = _make(cast, scopes=[Permission.KEY_MANAGE.value, READ], expires_at=end)
    program = key_actor(secret, NOW)
    assert program is not None
    child, _secret = _make(cast, actor=program, expires_at=NOW + timedelta(days=9))
    assert child.expires_at == end
    with pytest.raises(PermissionRefused):
        _make(cast, actor=program, scopes=[Permission.KEY_MANAGE.value])


def test_a_key_of_one_project_stays_in_it(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        other = Project.objects.create(tenant=cast.alice, code="other", name="Other")
    _whole, _ = _make(cast)
    _narrow, secret = _make(
        cast, scopes=sorted(scope.value for scope in KEY_SCOPES), project_id=cast.project.pk
    )
    program = key_actor(secret, NOW)
    assert program is not None
    child, _ = _make(cast, actor=program)
    assert child.project_id == cast.project.pk
    with pytest.raises(NotFound):
        _make(cast, actor=program, project_id=other.pk)
    with tenant_scope(cast.alice.pk):
        seen = keys(actor=program, tenant_id=cast.alice.pk).items
        assert {key.project_id for key in seen} == {cast.project.pk}


def test_a_key_for_another_tenants_project_is_not_found(cast: Cast) -> None:
    with operator_scope():
        theirs = Project.objects.create(tenant=cast.bob, code="x", name="X")
    with pytest.raises(NotFound):
        _make(cast, project_id=theirs.pk)


def test_use_is_noted_once_a_minute(cast: Cast) -> None:
    key, _secret = _make(cast)
    with tenant_scope(cast.alice.pk):
        for seconds, noted in ((0, 0), (59, 0), (60, 60)):
            note_use(key_id=key.pk, now=NOW + timedelta(seconds=seconds))
            used = ApiKey.objects.get(pk=key.pk).last_used_at
            assert used == NOW + timedelta(seconds=noted)


def test_the_gateways_snapshot_holds_what_it_decides_by(cast: Cast) -> None:
    key, secret = _make(cast, allowed_models=["qwen"], requests_per_minute=30)
    (fact,) = key_snapshot()
    assert (fact.key_hash, fact.key_id, fact.tenant_id) == (
        fingerprint(secret),
        key.pk,
        cast.alice.pk,
    )
    assert (fact.allowed_models, fact.requests_per_minute) == ({"qwen"}, 30)
