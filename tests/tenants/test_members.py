"""Members: invited by mail, given roles, and never without an owner."""

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction

from common.clock import utc_now
from common.errors import InvalidInput, NotFound
from tenants.commands.invitations import claim_mail
from tenants.commands.members import (
    AlreadyMember,
    InvitationRefused,
    LastOwner,
    accept_invitation,
    change_role,
    invite,
    remove_member,
    revoke_invitation,
)
from tenants.models import AuditEntry, Invitation, Membership
from tenants.permissions import PermissionRefused
from tenants.queries.members import invitation_of, members, open_invitations, unsent_invitations
from tenants.scoping import operator_scope, tenant_scope
from tenants.tasks import send_mail, sweep
from tests.factories.tenants import member, user
from tests.tenants.conftest import NOW, Cast


def _checked_now() -> None:
    """Ask the deferred checks, as a commit would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _invite(
    cast: Cast, email: str = "li@new.example", role: str = "developer", now: datetime = NOW
) -> tuple[str, str]:
    with tenant_scope(cast.alice.pk):
        invitation, token = invite(
            actor=cast.owner, tenant_id=cast.alice.pk, email=email, role=role, now=now
        )
    return str(invitation.pk), token


def test_an_invited_person_joins_with_the_role_they_were_given(cast: Cast) -> None:
    _key, token = _invite(cast)
    joined = accept_invitation(user=user("li@new.example"), token=token, now=NOW)
    assert (joined.tenant_id, joined.role) == (cast.alice.pk, "developer")
    with operator_scope():
        actions = AuditEntry.objects.filter(tenant=cast.alice).values_list("action", flat=True)
        assert sorted(actions) == ["tenants.member.invited", "tenants.member.joined"]


def test_the_token_is_stored_as_its_hash_only(cast: Cast) -> None:
    key, token = _invite(cast)
    with operator_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT i::text FROM tenants_invitation i WHERE id = %s", [key])
        assert token not in cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(a::text, '') FROM tenants_auditentry a")
        assert token not in cursor.fetchone()[0]


def test_somebody_else_cannot_use_the_invitation(cast: Cast) -> None:
    _key, token = _invite(cast)
    with pytest.raises(InvitationRefused):
        accept_invitation(user=user("mallory@else.example"), token=token, now=NOW)
    with operator_scope():
        assert Membership.objects.filter(tenant=cast.alice).count() == 1


@pytest.mark.parametrize("spoil", ["late", "revoked", "unknown", "replaced"])
def test_a_spoilt_invitation_is_refused(cast: Cast, spoil: str) -> None:
    key, token = _invite(cast)
    now = NOW
    if spoil == "late":
        now = NOW + timedelta(days=7)
    elif spoil == "revoked":
        with tenant_scope(cast.alice.pk):
            revoke_invitation(actor=cast.owner, tenant_id=cast.alice.pk, invitation_id=key, now=NOW)
    elif spoil == "replaced":
        _invite(cast)
    else:
        token = token[:-1] + ("0" if token[-1] != "0" else "1")
    with pytest.raises(InvitationRefused):
        accept_invitation(user=user("li@new.example"), token=token, now=now)
    assert invitation_of(token=token, now=now) is None


def test_accepting_twice_changes_nothing(cast: Cast) -> None:
    _key, token = _invite(cast)
    person = user("li@new.example")
    first = accept_invitation(user=person, token=token, now=NOW)
    assert accept_invitation(user=person, token=token, now=NOW).pk == first.pk
    with operator_scope():
        assert Membership.objects.filter(user=person).count() == 1


def test_a_member_is_not_invited_again(cast: Cast) -> None:
    with pytest.raises(AlreadyMember):
        _invite(cast, email=cast.owner_user.email)


@pytest.mark.parametrize(
    ("email", "role", "pointer"),
    [("nobody", "viewer", "/email"), ("a@b.example", "king", "/role"), ("", "viewer", "/email")],
)
def test_a_malformed_invitation_is_refused(cast: Cast, email: str, role: str, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        _invite(cast, email=email, role=role)
    assert [error.pointer for error in refusal.value.errors] == [pointer]


def test_only_owners_make_owners(cast: Cast) -> None:
    admin = cast.actor("admin")
    with tenant_scope(cast.alice.pk), pytest.raises(PermissionRefused):
        invite(actor=admin, tenant_id=cast.alice.pk, email="x@y.example", role="owner", now=NOW)
    with tenant_scope(cast.alice.pk), pytest.raises(PermissionRefused):
        invite(
            actor=cast.actor("viewer"),
            tenant_id=cast.alice.pk,
            email="x@y.example",
            role="viewer",
            now=NOW,
        )
    with operator_scope():
        assert not Invitation.objects.exists()


def test_another_tenants_members_do_not_exist(cast: Cast) -> None:
    with operator_scope():
        theirs = Membership.objects.get(tenant=cast.bob)
    with tenant_scope(cast.alice.pk):
        with pytest.raises(NotFound):
            members(actor=cast.owner, tenant_id=cast.bob.pk)
        with pytest.raises(NotFound):
            remove_member(actor=cast.owner, tenant_id=cast.alice.pk, member_id=theirs.pk)
        with pytest.raises(NotFound):
            change_role(
                actor=cast.owner, tenant_id=cast.alice.pk, member_id=theirs.pk, role="viewer"
            )


def test_the_last_owner_neither_leaves_nor_steps_down(cast: Cast) -> None:
    with tenant_scope(cast.alice.pk):
        mine = Membership.objects.get(role="owner")
        with pytest.raises(LastOwner):
            remove_member(actor=cast.owner, tenant_id=cast.alice.pk, member_id=mine.pk)
        with pytest.raises(LastOwner):
            change_role(actor=cast.owner, tenant_id=cast.alice.pk, member_id=mine.pk, role="admin")
        assert Membership.objects.get(pk=mine.pk).role == "owner"


@pytest.mark.parametrize("statement", ["delete", "update"])
def test_the_database_itself_keeps_an_owner(cast: Cast, statement: str) -> None:
    with tenant_scope(cast.alice.pk):
        rows = Membership.objects.filter(role="owner")
        savepoint = transaction.savepoint()
        _ = rows.delete() if statement == "delete" else rows.update(role="viewer")
        with pytest.raises(IntegrityError, match="would have no owner"):
            _checked_now()
        transaction.savepoint_rollback(savepoint)
        assert rows.count() == 1


def test_an_owner_may_hand_over_in_one_transaction(cast: Cast) -> None:
    heir = member(cast.alice, "viewer", "heir")
    with tenant_scope(cast.alice.pk):
        with transaction.atomic():
            Membership.objects.filter(role="owner").update(role="admin")
            Membership.objects.filter(user=heir).update(role="owner")
        _checked_now()
        assert Membership.objects.get(role="owner").user_id == heir.pk


def test_a_removed_member_is_out_at_once(cast: Cast) -> None:
    cast.actor("viewer")
    with tenant_scope(cast.alice.pk):
        theirs = Membership.objects.get(role="viewer")
        remove_member(actor=cast.owner, tenant_id=cast.alice.pk, member_id=theirs.pk)
        assert [m.role for m in members(actor=cast.owner, tenant_id=cast.alice.pk).items] == [
            "owner"
        ]


def test_the_mail_is_in_both_languages_and_sent_once(cast: Cast) -> None:
    # The task sends by its own clock, and only what is still valid.
    key, token = _invite(cast, now=utc_now())
    send_mail(invitation_id=key)
    send_mail(invitation_id=key)
    (message,) = mail.outbox
    assert message.to == ["li@new.example"]
    assert message.body.count(f"/join/{token}/") == 2
    assert "Alice 智算 invites you to join as Developer." in message.body
    assert "邀请" in message.body
    with operator_scope():
        assert unsent_invitations(now=NOW) == ()


def test_the_sweeper_finds_a_mail_whose_sender_died(cast: Cast) -> None:
    key, _token = _invite(cast)
    with operator_scope():
        invitation = Invitation.objects.get(pk=key)
        assert claim_mail(invitation_id=invitation.pk, now=NOW) is not None
        assert claim_mail(invitation_id=invitation.pk, now=NOW) is None
        assert unsent_invitations(now=NOW) == ()
        later = NOW + timedelta(minutes=2)
        assert unsent_invitations(now=later) == (invitation.pk,)
        assert claim_mail(invitation_id=invitation.pk, now=later) is not None
        # The second lease is twice as long as the first.
        assert unsent_invitations(now=later + timedelta(minutes=3)) == ()
        assert unsent_invitations(now=later + timedelta(minutes=4)) == (invitation.pk,)


def test_a_mail_nobody_waits_for_is_not_sent(cast: Cast) -> None:
    key, _token = _invite(cast)
    with tenant_scope(cast.alice.pk):
        revoke_invitation(actor=cast.owner, tenant_id=cast.alice.pk, invitation_id=key, now=NOW)
        assert open_invitations(actor=cast.owner, tenant_id=cast.alice.pk, now=NOW) == ()
    send_mail(invitation_id=key)
    sweep()
    assert mail.outbox == []
