"""A migrated database for one benchmark, and what every result says of the machine it came from."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import psycopg
from psycopg import sql


@contextmanager
def own_database(purpose: str, *, keep: bool = False) -> Iterator[str]:
    """Load Django on a fresh database beside the configured one, and drop it afterwards.

    Where PORTAL_BENCHMARK_TEMPLATE names a migrated and empty database, it is copied.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.test")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - needs the settings first
    from django.db import connections  # noqa: PLC0415

    params = connections["owner"].get_connection_params()
    name = f"benchmark_{purpose}_{connections['owner'].settings_dict['NAME']}"
    target = {key: params[key] for key in ("host", "port", "user", "password") if params.get(key)}
    with psycopg.connect(dbname="postgres", autocommit=True, **target) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_named(name)))
        template = os.environ.get("PORTAL_BENCHMARK_TEMPLATE", "template1")
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(_named(name), _named(template))
        )
        for alias in ("default", "owner"):
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = name
            # Threads and other processes build their own connections from the settings.
            connections.settings[alias]["NAME"] = name
        try:
            call_command("migrate", database="owner", verbosity=0)
            yield name
        finally:
            connections.close_all()
            if not keep:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(_named(name)))


def _named(name: str) -> sql.Identifier:
    return sql.Identifier(name)


class Processor:
    """The processor's seconds that this process and its server process took since it was made.

    Shape: the server's are read from the kernel's table of processes, and missing where the server
    runs on another machine. On a busy machine these say more than a clock on the wall.
    """

    def __init__(self) -> None:
        from django.db import connection  # noqa: PLC0415 - needs the settings first

        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self._pid = int(cursor.fetchone()[0])
        self._begun = time.process_time(), self._server()

    def _server(self) -> float:
        try:
            stat = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return float("nan")
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def seconds(self) -> tuple[float, float]:
        """Ours and the server's."""
        return time.process_time() - self._begun[0], self._server() - self._begun[1]


def machine() -> str:
    """How much of a machine there was at this moment."""
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
