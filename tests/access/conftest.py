"""One cast for all cases of a module: made in a transaction that is never committed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections, transaction
from django.test import override_settings

from tests.access.worlds import Stage, build_stage
from tests.factories.compute import ENGINES


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[Stage]:
    engines = override_settings(COMPUTE_ENGINES=ENGINES)
    with engines, django_db_blocker.unblock(), transaction.atomic():
        cache.clear()
        yield build_stage()
        transaction.set_rollback(True)


@pytest.fixture
def owner(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """The owner's connection in a transaction that is never committed."""
    with django_db_blocker.unblock():
        with transaction.atomic(using="owner"):
            yield connections["owner"]
            transaction.set_rollback(True, using="owner")
        connections["owner"].close()
