"""Two owners remove each other at the same moment: one of them stays."""

import threading
from uuid import UUID

import pytest
from django.db import IntegrityError, connection

from tenants.commands.members import LastOwner, remove_member
from tenants.models import Membership, Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db(transaction=True)


def _organisation() -> tuple[Organisation, list[UUID]]:
    with operator_scope():
        alice = Organisation.objects.create(code="alice", name="Alice")
    for name in ("first", "second"):
        member(alice, "owner", name)
    with operator_scope():
        return alice, list(Membership.objects.order_by("pk").values_list("pk", flat=True))


def _owners(alice: Organisation) -> int:
    with tenant_scope(alice.pk):
        return Membership.objects.filter(role="owner").count()


def _together(steps: list[object]) -> list[str]:
    """Run the steps in threads with connections of their own; gives what each ended with."""
    ended: list[str] = []

    def run(step: object) -> None:
        try:
            step()  # type: ignore[operator]
            ended.append("done")
        except (LastOwner, IntegrityError) as error:
            ended.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(ended)


def test_two_owners_removing_each_other_leave_one() -> None:
    alice, owners = _organisation()
    start = threading.Barrier(2)

    def removal(member_id: UUID) -> object:
        def step() -> None:
            with tenant_scope(alice.pk):
                start.wait(10)
                remove_member(actor=SYSTEM, tenant_id=alice.pk, member_id=member_id)

        return step

    assert _together([removal(owner) for owner in owners]) == ["LastOwner", "done"]
    assert _owners(alice) == 1


def test_without_the_commands_lock_the_database_still_keeps_one() -> None:
    """The control: both sessions delete before either has committed; the law holds alone."""
    alice, owners = _organisation()
    both_deleted = threading.Barrier(2)

    def removal(member_id: UUID) -> object:
        def step() -> None:
            with tenant_scope(alice.pk):
                assert Membership.objects.filter(role="owner").count() == 2
                Membership.objects.filter(pk=member_id).delete()
                both_deleted.wait(10)

        return step

    assert _together([removal(owner) for owner in owners]) == ["IntegrityError", "done"]
    assert _owners(alice) == 1
