"""Organisations: taken in by operators, suspended to looking, and back."""

import pytest
from django.db import IntegrityError, transaction

from common.errors import InvalidInput, NotFound
from tenants.commands.organisations import (
    CodeTaken,
    StateRefused,
    create_organisation,
    reactivate,
    rename,
    suspend,
)
from tenants.models import AuditEntry, Invitation, Membership, Organisation
from tenants.permissions import LOOKING, Permission, PermissionRefused
from tenants.queries.actors import member_actor
from tenants.queries.organisations import all_organisations, organisation, organisations_of
from tenants.scoping import operator_scope, tenant_scope
from tests.tenants.conftest import NOW, Cast


def test_an_operator_takes_in_a_tenant_and_its_owner_is_invited(cast: Cast) -> None:
    with operator_scope():
        made = create_organisation(
            actor=cast.centre,
            code="new-lab",
            name="新实验室 🚀",
            owner_email="Li@New.example",
            now=NOW,
        )
        invitation = Invitation.objects.get(tenant=made)
        entry = AuditEntry.objects.get(subject=f"tenants.organisation:{made.pk}")
    assert (made.code, made.name, made.state) == ("new-lab", "新实验室 🚀", "active")
    assert (invitation.email, invitation.role) == ("li@new.example", "owner")
    assert (entry.action, entry.tenant_id) == ("tenants.organisation.created", made.pk)


def test_a_person_known_already_becomes_the_owner_at_once(cast: Cast) -> None:
    with operator_scope():
        made = create_organisation(
            actor=cast.centre, code="second", name="Second", owner_email=cast.owner_user.email
        )
        assert Membership.objects.get(tenant=made).role == "owner"
    assert [b.organisation.code for b in organisations_of(cast.owner_user)] == ["alice", "second"]


@pytest.mark.parametrize("code", ["", "Upper", "-a", "a-", "a b", "a" * 41, "é", "a\n", "中文"])
def test_a_malformed_code_is_refused(cast: Cast, code: str) -> None:
    with operator_scope():
        with pytest.raises(InvalidInput) as refusal:
            create_organisation(actor=cast.centre, code=code, name="x")
        assert [error.pointer for error in refusal.value.errors] == ["/code"]
        assert Organisation.objects.count() == 2


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "tab\there", "nul\x00", "\ud800"])
def test_a_malformed_name_is_refused(cast: Cast, name: str) -> None:
    with operator_scope():
        with pytest.raises(InvalidInput) as refusal:
            create_organisation(actor=cast.centre, code="ok", name=name)
        assert [error.pointer for error in refusal.value.errors] == ["/name"]
        assert Organisation.objects.count() == 2


def test_a_code_in_use_is_refused_and_leaves_nothing(cast: Cast) -> None:
    with operator_scope():
        with pytest.raises(CodeTaken):
            create_organisation(actor=cast.centre, code="alice", name="Impostor")
        assert Organisation.objects.filter(code="alice").get().name == "Alice 智算"
        assert not AuditEntry.objects.filter(action="tenants.organisation.created").exists()


def test_only_operators_take_in_tenants(cast: Cast) -> None:
    with operator_scope(), pytest.raises(PermissionRefused):
        create_organisation(actor=cast.owner, code="mine", name="Mine")


def test_a_suspended_tenant_keeps_looking_and_nothing_else(cast: Cast) -> None:
    with operator_scope():
        suspend(actor=cast.centre, tenant_id=cast.alice.pk, reason="Arrears")
    actor, tenant = member_actor(user=cast.owner_user, tenant_code="alice")
    assert tenant.state == "suspended"
    assert actor.permissions == cast.owner.permissions & LOOKING
    assert Permission.INVOICE_READ in actor.permissions
    assert Permission.RESERVATION_CREATE not in actor.permissions
    with operator_scope():
        reactivate(actor=cast.centre, tenant_id=cast.alice.pk)
    assert member_actor(user=cast.owner_user, tenant_code="alice")[0] == cast.owner


def test_suspending_twice_is_refused_and_recorded_once(cast: Cast) -> None:
    with operator_scope():
        suspend(actor=cast.centre, tenant_id=cast.alice.pk, reason="Arrears")
        with pytest.raises(StateRefused):
            suspend(actor=cast.centre, tenant_id=cast.alice.pk, reason="Again")
        entries = AuditEntry.objects.filter(action="tenants.organisation.suspended")
        assert [entry.detail for entry in entries] == [{"reason": "Arrears"}]


def test_a_closed_tenant_is_not_there_any_more(cast: Cast) -> None:
    with operator_scope():
        Organisation.objects.filter(pk=cast.alice.pk).update(state="closed")
    with pytest.raises(NotFound):
        member_actor(user=cast.owner_user, tenant_code="alice")
    assert organisations_of(cast.owner_user) == ()


def test_an_unknown_state_is_refused_by_the_database(cast: Cast) -> None:
    with operator_scope(), pytest.raises(IntegrityError), transaction.atomic():
        Organisation.objects.filter(pk=cast.alice.pk).update(state="haunted")


def test_only_the_owner_renames(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        rename(actor=cast.owner, tenant_id=cast.alice.pk, name="Alice & Co")
        with pytest.raises(PermissionRefused):
            rename(actor=cast.actor("admin"), tenant_id=cast.alice.pk, name="Taken over")
        assert organisation(actor=cast.owner, tenant_id=cast.alice.pk).name == "Alice & Co"


def test_operators_find_tenants_by_part_of_a_name(cast: Cast) -> None:
    with operator_scope():
        found = all_organisations(actor=cast.centre, search="智算")
        assert [o.code for o in found.items] == ["alice"]
        with pytest.raises(PermissionRefused):
            all_organisations(actor=cast.owner)
