"""Alice's organisation with its owner, Bob's beside it, and the centre's administrator."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from tenants.models import Organisation, Project, User
from tenants.permissions import Actor
from tenants.queries.actors import member_actor, operator_actor
from tenants.scoping import operator_scope
from tests.factories.tenants import member, operator
from tests.tenants.receiver import HOST, Receiver, listening

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@dataclass
class Cast:
    alice: Organisation
    bob: Organisation
    owner: Actor
    owner_user: User
    stranger: Actor
    centre: Actor
    project: Project

    def actor(self, role: str, name: str = "") -> Actor:
        """A new member of Alice's organisation."""
        return member_actor(user=member(self.alice, role, name), tenant_code="alice")[0]


@pytest.fixture
def cast(db: None) -> Cast:
    with operator_scope():
        alice = Organisation.objects.create(code="alice", name="Alice 智算")
        bob = Organisation.objects.create(code="bob", name="Bob")
        project = Project.objects.create(tenant=alice, code="main", name="Main")
    owner = member(alice, "owner", "alice")
    stranger = member(bob, "owner", "bob")
    return Cast(
        alice=alice,
        bob=bob,
        owner=member_actor(user=owner, tenant_code="alice")[0],
        owner_user=owner,
        stranger=member_actor(user=stranger, tenant_code="bob")[0],
        centre=operator_actor(operator("admin")),
        project=project,
    )


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """A receiver of webhooks that an operator has allowed."""
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST]
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    with listening() as one:
        yield one
