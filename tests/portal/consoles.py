"""One furnished console for all cases of a module; what a case changes is taken back."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from tests.factories import console
from tests.factories.console import Console


@pytest.fixture(scope="module")
def furnished(django_db_setup: None, django_db_blocker: Any) -> Iterator[Console]:
    """Alice's console with one of everything, in a transaction that is never committed."""
    with django_db_blocker.unblock(), transaction.atomic():
        cache.clear()
        console.centre()
        yield console.furnished()
        transaction.set_rollback(True)


@pytest.fixture
def alice(furnished: Console) -> Iterator[Console]:
    with transaction.atomic():
        yield furnished
        transaction.set_rollback(True)
