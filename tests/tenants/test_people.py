"""Operators, their visits, projects, the trail, kept answers, and pages."""

import hashlib
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings

from common.errors import InvalidInput, NotFound
from tenants.commands import idempotency
from tenants.commands.organisations import CodeTaken
from tenants.commands.projects import archive_project, create_project
from tenants.commands.users import (
    AddressTaken,
    LastOperatorAdmin,
    change_operator,
    create_operator,
    create_person,
    deactivate_user,
)
from tenants.commands.visits import begin_visit, end_visit
from tenants.models import AuditEntry, IdempotencyKey, OperatorAccess, Project, User
from tenants.permissions import SYSTEM, VISITOR, Permission, PermissionRefused
from tenants.queries.actors import member_actor, operator_actor, visitor_actor
from tenants.queries.projects import projects
from tenants.queries.trail import audit_entries, visits
from tenants.scoping import operator_scope, tenant_scope
from tenants.sealing import seal, unseal
from tests.factories.tenants import operator
from tests.tenants.conftest import NOW, Cast

PASSWORD = "a long enough phrase"


def test_the_first_operator_is_made_by_the_system(db: None) -> None:
    with operator_scope():
        person = create_operator(
            actor=SYSTEM, email="Root@Centre.example", role="admin", password=PASSWORD
        )
    assert (person.email, person.check_password(PASSWORD)) == ("root@centre.example", True)
    assert Permission.TENANT_OPERATE in operator_actor(person).permissions


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"role": "god"}, "/role"),
        ({"password": "short"}, "/password"),
        ({"password": "password1234"}, "/password"),
        ({"email": "nobody"}, "/email"),
    ],
)
def test_a_malformed_operator_is_refused(cast: Cast, fields: dict[str, str], pointer: str) -> None:
    arguments = {"email": "x@centre.example", "role": "support", "password": PASSWORD, **fields}
    with operator_scope(), pytest.raises(InvalidInput) as refusal:
        create_operator(actor=cast.centre, **arguments)
    assert [error.pointer for error in refusal.value.errors] == [pointer]
    assert not User.objects.filter(email="x@centre.example").exists()


def test_an_address_is_used_once(cast: Cast) -> None:
    with operator_scope(), pytest.raises(AddressTaken):
        create_person(actor=cast.centre, email=cast.owner_user.email.upper(), password=PASSWORD)


def test_the_last_administrator_of_the_centre_stays(cast: Cast) -> None:
    assert cast.centre.id is not None
    with operator_scope():
        with pytest.raises(LastOperatorAdmin):
            change_operator(actor=cast.centre, user_id=cast.centre.id, role="support")
        with pytest.raises(LastOperatorAdmin):
            deactivate_user(actor=cast.centre, user_id=cast.centre.id)
    assert User.objects.get(pk=cast.centre.id).operator_role == "admin"


def test_a_deactivated_person_is_nobody(cast: Cast) -> None:
    with operator_scope():
        deactivate_user(actor=cast.centre, user_id=cast.owner_user.pk)
    with pytest.raises(NotFound):
        member_actor(user=cast.owner_user, tenant_code="alice")


def test_a_member_is_no_operator(cast: Cast) -> None:
    with pytest.raises(NotFound):
        operator_actor(cast.owner_user)


def test_a_visit_shows_and_its_owner_sees_it(cast: Cast) -> None:
    person = operator("support")
    support = operator_actor(person)
    with pytest.raises(NotFound):
        visitor_actor(user=person, tenant_code="alice", now=NOW)
    with operator_scope():
        visit = begin_visit(
            actor=support, tenant_id=cast.alice.pk, reason="Ticket 7", ticket="7", now=NOW
        )
    actor, tenant = visitor_actor(user=person, tenant_code="alice", now=NOW)
    assert (actor.permissions, actor.on_behalf_of) == (VISITOR, cast.alice.pk)
    assert not any(p.value.endswith(("manage", "create", "stop")) for p in actor.permissions)
    with pytest.raises(NotFound):
        visitor_actor(user=person, tenant_code="bob", now=NOW)
    with pytest.raises(NotFound):
        visitor_actor(user=person, tenant_code="alice", now=NOW + timedelta(minutes=30))
    with tenant_scope(cast.alice.pk):
        (seen,) = visits(actor=cast.owner, tenant_id=cast.alice.pk).items
        assert (seen.reason, seen.operator.email) == ("Ticket 7", person.email)
        entry = AuditEntry.objects.get(action="tenants.visit.begun")
        assert (entry.tenant_id, entry.actor_kind) == (cast.alice.pk, "operator")
    with operator_scope():
        end_visit(actor=support, visit_id=visit.pk, now=NOW + timedelta(minutes=5))
    with pytest.raises(NotFound):
        visitor_actor(user=person, tenant_code="alice", now=NOW + timedelta(minutes=5))


def test_a_visit_needs_a_reason_and_an_hour_at_most(cast: Cast) -> None:
    with operator_scope():
        for reason, length in (("", 5), ("x", 61), ("x", 0)):
            with pytest.raises(InvalidInput):
                begin_visit(
                    actor=cast.centre,
                    tenant_id=cast.alice.pk,
                    reason=reason,
                    length=timedelta(minutes=length),
                    now=NOW,
                )
        for fields in ({"reason": ""}, {"ends_at": NOW + timedelta(minutes=61)}):
            row = {
                "tenant": cast.alice,
                "operator_id": cast.centre.id,
                "reason": "x",
                "starts_at": NOW,
                "ends_at": NOW + timedelta(minutes=5),
                **fields,
            }
            with pytest.raises(IntegrityError), transaction.atomic():
                OperatorAccess.objects.create(**row)
        assert OperatorAccess.objects.count() == 0


def test_projects_are_made_listed_and_closed(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        made = create_project(
            actor=cast.owner, tenant_id=cast.alice.pk, code="research", name="研究"
        )
        with pytest.raises(CodeTaken):
            create_project(actor=cast.owner, tenant_id=cast.alice.pk, code="research", name="x")
        with pytest.raises(PermissionRefused):
            create_project(
                actor=cast.actor("developer"), tenant_id=cast.alice.pk, code="more", name="x"
            )
        archive_project(actor=cast.owner, tenant_id=cast.alice.pk, project_id=made.pk, now=NOW)
        listed = projects(actor=cast.owner, tenant_id=cast.alice.pk).items
        assert [(p.code, p.archived_at) for p in listed] == [("research", NOW), ("main", None)]


def test_two_tenants_may_use_the_same_project_code(cast: Cast) -> None:
    with tenant_scope(cast.bob.pk):
        made = create_project(actor=cast.stranger, tenant_id=cast.bob.pk, code="main", name="Main")
    assert made.tenant_id == cast.bob.pk


def test_pages_hand_out_every_row_once(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        for number in range(7):
            Project.objects.create(tenant=cast.alice, code=f"p{number}", name="x")
        seen: list[UUID] = []
        cursor = None
        for _page in range(5):
            page = projects(actor=cast.owner, tenant_id=cast.alice.pk, cursor=cursor, limit=2)
            seen += [project.pk for project in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == sorted(Project.objects.values_list("pk", flat=True), reverse=True)
        assert len(seen) == 8


@pytest.mark.parametrize("cursor", ["!", "abc", "é", "a" * 5, "AAAA====", "bm90LWEtdXVpZA"])
def test_a_cursor_nobody_gave_out_is_refused(cast: Cast, cursor: str) -> None:
    with tenant_scope(cast.alice.pk), pytest.raises(InvalidInput):
        projects(actor=cast.owner, tenant_id=cast.alice.pk, cursor=cursor)


def test_the_trail_is_read_by_those_who_may(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        create_project(actor=cast.owner, tenant_id=cast.alice.pk, code="a", name="A")
        (entry,) = audit_entries(
            actor=cast.owner, tenant_id=cast.alice.pk, action="tenants.project."
        ).items
        assert (entry.action, entry.actor_name) == ("tenants.project.created", "alice")
        with pytest.raises(PermissionRefused):
            audit_entries(actor=cast.actor("viewer"), tenant_id=cast.alice.pk)
        with pytest.raises(PermissionRefused):
            audit_entries(actor=cast.owner, tenant_id=None)
    with operator_scope():
        assert len(audit_entries(actor=cast.centre, tenant_id=None).items) == 1


def test_the_trail_cannot_be_rewritten(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        create_project(actor=cast.owner, tenant_id=cast.alice.pk, code="a", name="A")
        for statement in (
            "UPDATE tenants_auditentry SET action = ''",
            "DELETE FROM tenants_auditentry",
        ):
            with pytest.raises(Exception, match="permission denied"), transaction.atomic():
                connection.cursor().execute(statement)


def _begin(cast: Cast, key: str = "k", body: bytes = b"{}") -> idempotency.Replay | None:
    return idempotency.begin(
        actor=cast.owner,
        key=key,
        method="POST",
        path="/x",
        body_hash=hashlib.sha256(body).digest(),
    )


def test_the_same_key_gives_the_same_answer(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        assert _begin(cast) is None
        idempotency.finish(actor=cast.owner, key="k", status=201, body=b'{"secret": "x"}')
        assert _begin(cast) == idempotency.Replay(201, b'{"secret": "x"}')
        with pytest.raises(idempotency.KeyReused):
            _begin(cast, body=b'{"other": 1}')
        stored = bytes(IdempotencyKey.objects.get().sealed_answer or b"")
        assert b"secret" not in stored


def test_an_effect_that_failed_leaves_its_key_free(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        _begin(cast)
        transaction.set_rollback(True)
    with tenant_scope(cast.alice.pk):
        assert _begin(cast) is None


def test_two_tenants_do_not_meet_in_one_key(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        _begin(cast)
    with tenant_scope(cast.bob.pk):
        again = idempotency.begin(
            actor=cast.stranger, key="k", method="POST", path="/x", body_hash=b"x" * 32
        )
    assert again is None


def test_old_answers_are_forgotten(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        _begin(cast)
        IdempotencyKey.objects.update(created_at=NOW - timedelta(days=31))
        _begin(cast, key=str(uuid4()))
    with operator_scope():
        assert idempotency.forget_old_answers(now=NOW) == 1
        assert IdempotencyKey.objects.count() == 1


def test_what_is_sealed_opens_after_the_key_was_changed() -> None:
    with override_settings(SECRET_KEY="old", SECRET_KEY_FALLBACKS=[]):
        sealed = seal(b"seed")
    assert b"seed" not in sealed
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert unseal(sealed) == b"seed"
