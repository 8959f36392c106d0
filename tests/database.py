"""The tests' database, with the sign-ins production has: an owner that is no superuser, and the
application's own, which owns nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from django.db import connections
from psycopg import sql

OWNER = "acp_test_owner"
SIGN_IN = "acp_test_sign_in"
# For servers that ask for one; whoever reaches the tests' server may know it.
PASSWORD = "only-for-tests"
ROLES_LOCK = 7_604_312  # any number that nobody else of this server uses

_MAKE_ROLES = f"""
DO $$
DECLARE
    missing text;
BEGIN
    FOR missing IN
        SELECT name FROM unnest(ARRAY['acp_app', 'acp_operator', '{OWNER}', '{SIGN_IN}']) name
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
    LOOP
        EXECUTE format('CREATE ROLE %I', missing);
    END LOOP;
END
$$;
ALTER ROLE {OWNER} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB PASSWORD '{PASSWORD}';
ALTER ROLE {SIGN_IN} LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB
    PASSWORD '{PASSWORD}';
GRANT acp_app, acp_operator TO {SIGN_IN};
"""

_administrator: dict[str, Any] = {}


def make_database(administrator: dict[str, Any], name: str) -> None:
    """An empty database that belongs to the owner; the roles are made where they are missing."""
    keys = ("host", "port", "user", "password")
    _administrator.update({key: administrator[key] for key in keys if administrator.get(key)})
    with psycopg.connect(dbname="postgres", autocommit=True, **_administrator) as server:
        if server.execute("SHOW is_superuser").fetchone() != ("on",):
            pytest.exit("DATABASE_URL must name a superuser: the tests make production's roles.")
        server.execute("SELECT pg_advisory_lock(%s)", [ROLES_LOCK])
        server.execute(_MAKE_ROLES)
        server.execute("SELECT pg_advisory_unlock(%s)", [ROLES_LOCK])
    _make_empty(name)
    empty_queues_schema(name)


def _make_empty(name: str) -> None:
    identifier = sql.Identifier(name)
    with psycopg.connect(dbname="postgres", autocommit=True, **_administrator) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        server.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                identifier, sql.Identifier(OWNER)
            )
        )


@contextmanager
def older_database(name: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """An empty database that the owner's connection goes to meanwhile; gives the administrator's
    own connection, whose statements no trigger and no policy answers.
    """
    _make_empty(name)
    owner = connections["owner"]
    usual = owner.settings_dict["NAME"]
    owner.close()
    owner.settings_dict["NAME"] = name
    try:
        with psycopg.connect(dbname=name, autocommit=True, **_administrator) as server:
            server.execute("SET session_replication_role = replica")
            yield server
    finally:
        owner.close()
        owner.settings_dict["NAME"] = usual
        with psycopg.connect(dbname="postgres", autocommit=True, **_administrator) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def empty_queues_schema(name: str) -> None:
    """The queues' schema belongs to the application's sign-in and has nothing in it."""
    with psycopg.connect(dbname=name, autocommit=True, **_administrator) as server:
        server.execute("DROP SCHEMA IF EXISTS pgmq CASCADE")
        server.execute(f"CREATE SCHEMA pgmq AUTHORIZATION {SIGN_IN}")


def as_owner(statement: str) -> None:
    """Run and commit one statement as the owner of the tables, in a connection of its own."""
    given = connections["owner"].settings_dict
    target = {**_administrator, "user": OWNER, "password": PASSWORD}
    with psycopg.connect(dbname=given["NAME"], autocommit=True, **target) as server:
        server.execute(statement)


_WAITING = """
SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND datname = current_database()
"""


def wait_for_a_blocked_session(seconds: float = 30) -> None:
    """Until a session of this database waits for a lock of another.

    In a connection of its own: a transaction sees the sessions of its first look only.
    """
    given = connections["owner"].settings_dict
    target = {**_administrator, "user": OWNER, "password": PASSWORD}
    until = time.monotonic() + seconds
    with psycopg.connect(dbname=given["NAME"], autocommit=True, **target) as server:
        while time.monotonic() < until:
            if server.execute(_WAITING).fetchone() is not None:
                return
    raise AssertionError("No session came to wait.")


def database_url(alias: str = "default") -> str:
    """The test database, as a process of the product is told of it."""
    given = connections[alias].settings_dict
    name, password = quote(given["USER"], safe=""), quote(given["PASSWORD"], safe="")
    query = f"host={quote(given['HOST'], safe='/')}&port={given['PORT'] or 5432}"
    return f"postgresql://{name}:{password}@/{given['NAME']}?{query}"
