"""A portal on a port of this process, whose rows are committed for its threads to see."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from portal_client import Client
from tests.factories import desk
from tests.factories.desk import Customer
from tests.portal.site import ClosingHandler, served


@pytest.fixture
def alice(transactional_db: None) -> Customer:
    """A centre that sells, and a tenant with a key and credit."""
    cache.clear()
    desk.open_desk()
    return desk.program("alice")


@pytest.fixture
def address(alice: Customer) -> Iterator[str]:
    with served(ClosingHandler()) as site:
        yield site


@pytest.fixture
def client(address: str, alice: Customer) -> Iterator[Client]:
    with Client(address, alice.secret) as opened:
        yield opened
