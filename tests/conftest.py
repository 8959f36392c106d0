"""Fixtures every test shares: a real database, worked on through the sign-ins of production."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

from tests.database import OWNER, PASSWORD, SIGN_IN, make_database

# One commit gives one answer everywhere. ``--hypothesis-profile=search`` looks for new examples;
# what it finds is mended and pinned with ``@example``. No example is timed: a busy machine is no
# defect.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
hypothesis.register_profile("same", derandomize=True, **UNTIMED)
hypothesis.register_profile("search", derandomize=False, **UNTIMED)
hypothesis.load_profile("same")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the catalogues before the first sentence is looked up: Django reads them once."""
    call_command("compilecatalogues", verbosity=0)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Make a fresh database and migrate it as its owner; the tests then use the other sign-in."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    owner = connections["owner"]
    # Sources that were changed on purpose are tested on the database of the run that changed them.
    borrowed = os.environ.get("PORTAL_TEST_DATABASE")
    name = borrowed or f"test_{owner.settings_dict['NAME']}_{worker}"
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        if not borrowed:
            make_database(owner.get_connection_params(), name)
        for alias, user in (("default", SIGN_IN), ("owner", OWNER)):
            connections[alias].close()
            found = {"NAME": name, "USER": user, "PASSWORD": PASSWORD}
            connections[alias].settings_dict.update(found)
            settings.DATABASES[alias].update(found)
        if not borrowed:
            call_command("migrate", database="owner", verbosity=0)
            with owner.cursor() as cursor:
                # Only so that tests that commit can be cleaned up after; production never grants
                # it.
                cursor.execute("GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO acp_app")
        owner.close()
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        for alias in connections:
            connections[alias].close()
