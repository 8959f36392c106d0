"""Fixtures every test shares: a real database, worked on as the role the application has."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the catalogues before the first sentence is looked up: Django reads them once."""
    call_command("compilecatalogues", verbosity=0)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """Make a fresh database as its owner; the tests then work as ``acp_app``."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test_{connections['owner'].settings_dict['NAME']}_{worker}"
    owner = connections["owner"]
    _recreate(owner.get_connection_params(), name)
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        for alias in ("default", "owner"):
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = name
            settings.DATABASES[alias]["NAME"] = name
        call_command("migrate", database="owner", verbosity=0)
        with owner.cursor() as cursor:
            # Only so that tests that commit can be cleaned up after; production never grants it.
            cursor.execute("GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO acp_app")
        owner.close()
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        for alias in connections:
            connections[alias].close()


def _recreate(params: dict[str, object], name: str) -> None:
    keys = ("host", "port", "user", "password")
    target = {key: params[key] for key in keys if params.get(key)}
    with psycopg.connect(dbname="postgres", autocommit=True, **target) as server:  # type: ignore[arg-type]
        identifier = sql.Identifier(name)
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(identifier)
        )
